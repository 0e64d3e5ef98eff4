/**
 * How long an agent that comes back waits for its first token: parked in its
 * sequence, offloaded to a file, or with everything to be read again. And how
 * long another agent waits that goes on with its conversation, or with a
 * snapshot of it.
 *
 * Each sample is a conversation of its own, so that nothing is found that was not
 * put there; contents are checked by the counts of the pool.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { handoffSnapshot } from '../../src/actors/handoff.ts';
import { type LlamaModel, openLlamaModel } from '../../src/inference/llama-model.ts';
import type { ChatMessage } from '../../src/inference/model-port.ts';
import { assert } from '../../src/kernel/assert.ts';
import { type Figure, figure, interleave, ratios } from '../harness.ts';
import { conversations, request } from './prompts.ts';

type Way = 'parked' | 'offloaded' | 'read again';

/** Tokens of the frame of a message, which every digit beyond is one of. */
const frameTokens = 16;
const sharedTokensMax = 32;
const sequences = 2;

interface Bench {
  readonly model: LlamaModel;
  /** So that no two conversations begin alike. */
  made: number;
}

/** Every digit is a token of its own. */
function digits(bench: Bench, tokens: number): string {
  bench.made += 1;
  return String(bench.made * 7_919 + 10 ** 7).padEnd(tokens - frameTokens, String(bench.made));
}

async function firstToken(
  { model }: Bench,
  messages: ChatMessage[],
  key: string,
): Promise<{ ms: number; text: string; promptTokens: number }> {
  const started = performance.now();
  let ms = 0;
  const { text, usage } = await model.generate(
    { ...request(messages, null), maxTokens: 1 },
    {
      parks: true,
      queueKey: key,
      onToken: () => {
        ms = performance.now() - started;
      },
    },
  );
  return { ms, text, promptTokens: usage.promptTokens };
}

/** Time that a tool takes at least, in which the agent waits. */
const toolMs = 50;

/** The next turn of an agent whose first had so many tokens. @returns milliseconds to its first token */
async function comeBack(bench: Bench, tokens: number, way: Way): Promise<number> {
  const first: ChatMessage[] = [{ role: 'user', content: digits(bench, tokens) }];
  const key = `agent ${bench.made}`;
  const { text } = await firstToken(bench, first, key);
  if (way === 'offloaded') {
    for (let other = 0; other < sequences; other += 1) {
      const content = digits(bench, 256);
      await firstToken(bench, [{ role: 'user', content }], `other ${bench.made}`);
    }
  }
  if (way === 'read again') await bench.model.forget(key);
  await setTimeout(toolMs);
  const before = await bench.model.usage();
  const next: ChatMessage[] = [
    ...first,
    { role: 'assistant', content: text },
    { role: 'user', content: 'On.' },
  ];
  const { ms, promptTokens } = await firstToken(bench, next, key);
  const after = await bench.model.usage();
  const [read, restored] = [after.tokensRead - before.tokensRead, after.restored - before.restored];
  assert(restored === (way === 'offloaded' ? 1 : 0), `it came back as ${way}`);
  // All conversations share the frame of a message, and some digits.
  const isReadAgain = read > promptTokens - sharedTokensMax;
  assert(isReadAgain === (way === 'read again'), `what was read is as ${way}`);
  return ms;
}

/** An agent that goes on with a snapshot of a conversation over a document of so many tokens. */
async function withSnapshot(bench: Bench): Promise<{ ms: number; tokens: number }> {
  bench.made += 1;
  const document = conversations('qa', 40)
    .map((turns) => turns.at(-1)?.content.replace(/^Facts: | Question:.*$/gs, '') ?? '')
    .join(' ');
  const snapshot = handoffSnapshot({
    from: `reader ${bench.made}`,
    role: 'Reads letters.',
    document,
    question: 'What is known of the order?',
    result: {
      verdict: 'accepted',
      output: { order: 'A-5521', person: 'Ada of Bonn' },
      reasons: [],
      confidence: null,
      attempts: 1,
      handover: { context: null, answer: '', objectives: ['Name the order.'] },
    },
  });
  const content = `${snapshot}\n\nReply about the order.`;
  const { ms, promptTokens } = await firstToken(bench, [{ role: 'user', content }], 'receiver');
  return { ms, tokens: promptTokens };
}

/** Figures of one model. @param sizes Tokens of the first turn. */
export async function measureResume(
  { name, file, sizes }: { name: string; file: string; sizes: readonly number[] },
  repetitions: number,
): Promise<Figure[]> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'openclaw-bench-states-'));
  const model = await openLlamaModel({
    file,
    trusted: true,
    device: 'cpu',
    cores: 2,
    sequences,
    stateFolder,
  });
  const bench: Bench = { model, made: 0 };
  const less = { higherIsBetter: false };
  try {
    const figures: Figure[] = [];
    for (const tokens of sizes) {
      await comeBack(bench, tokens, 'parked');
      const way = (each: Way) => () => comeBack(bench, tokens, each);
      const ms = await interleave(
        { parked: way('parked'), offloaded: way('offloaded'), again: way('read again') },
        repetitions,
      );
      const id = (what: string) => `${name}, ${tokens} tokens: ${what}`;
      figures.push(
        figure(id('read again / offloaded'), 'x', ratios(ms.again, ms.offloaded), {
          goal: tokens === 1_024 ? 20 : null,
        }),
        figure(id('first token, parked (a handoff in memory)'), 'ms', ms.parked, {
          ...less,
          goal: tokens === 1_024 ? 5 : null,
        }),
        figure(id('first token, offloaded'), 'ms', ms.offloaded, less),
        figure(id('first token, read again'), 'ms', ms.again, less),
      );
    }
    const snapshots = [];
    for (let turn = 0; turn < repetitions; turn += 1) snapshots.push(await withSnapshot(bench));
    figures.push(
      figure(
        `${name}: first token, handoff by snapshot`,
        'ms',
        snapshots.map(({ ms }) => ms),
        less,
      ),
      figure(
        `${name}: tokens of a snapshot`,
        'tokens',
        snapshots.map(({ tokens }) => tokens),
        less,
      ),
    );
    return figures;
  } finally {
    await model.close();
    rmSync(stateFolder, { recursive: true, force: true });
  }
}
