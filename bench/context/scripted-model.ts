/** An OpenAI-compatible server on loopback that says what a workload says, and remembers what it was asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { assert } from '../../src/kernel/assert.ts';
import { hashJson } from '../../src/kernel/hash.ts';
import { bytesPerToken } from './workload.ts';

export interface Message {
  readonly role: string;
  readonly content: string;
}

export interface Prompt {
  readonly hash: string;
  readonly bytes: number;
  readonly tokens: number;
}

export interface ScriptedModel {
  readonly baseUrl: string;
  /** What was asked, in order. */
  readonly prompts: readonly Prompt[];
  close(): Promise<void>;
}

const failedCall = '\nThe call failed: ';

/** @param onPrompt hears every prompt before it is answered. */
export async function serveScript(
  answers: readonly string[],
  onPrompt: (messages: readonly Message[]) => void,
): Promise<ScriptedModel> {
  const prompts: Prompt[] = [];
  const server = createServer(async (incoming, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const { messages } = JSON.parse(Buffer.concat(pieces).toString('utf8')) as {
      messages: Message[];
    };
    assert(!messages.some(({ content }) => content.includes(failedCall)), 'no call failed');
    onPrompt(messages);
    const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    const tokens = Math.ceil(bytes / bytesPerToken);
    prompts.push({ hash: hashJson(messages), bytes, tokens });
    const answer = answers[messages.filter(({ role }) => role === 'assistant').length];
    assert(answer !== undefined, 'the script has an answer to every prompt');
    const choice = { index: 0, delta: { content: answer }, finish_reason: 'stop' };
    const answerTokens = Math.ceil(answer.length / bytesPerToken);
    const usage = { prompt_tokens: tokens, completion_tokens: answerTokens };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${JSON.stringify({ choices: [choice] })}\n\n`);
    response.write(`data: ${JSON.stringify({ choices: [], usage })}\n\n`);
    response.end('data: [DONE]\n\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    prompts,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
