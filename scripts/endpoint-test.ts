/**
 * The OpenAI-compatible backend against a real endpoint: the server of llama.cpp
 * with the embedded model, whose answers are compared with those of the same
 * file in this process. The rest of the tests uses a strict double; this says
 * that the double is not the only server that is understood.
 *
 *   npm run test:endpoint [-- --folder DIR]
 *
 * Needs Linux on x64 with apt-get, and Debian's packages; DIR keeps them for the
 * next time. Exit status 0 when every check holds.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { conversationsInTurns } from '../bench/inference/prompts.ts';
import type { GenerationOutcome, ModelPort } from '../src/inference/model-port.ts';
import { openModel } from '../src/inference/open-model.ts';
import type { RuntimeError } from '../src/kernel/errors.ts';
import { installLlamaServer, startLlamaServer } from '../test/inference/llama-server.ts';
import { embeddedModelFile, request } from '../test/inference/requests.ts';

const key = 'sk-of-this-test';
const questionsAsked = 33;
/** Both round differently, so that near ties fall to either side. */
const sameAnswersMin = 0.9;
const confidenceSlack = 0.1;

const { values } = parseArgs({ options: { folder: { type: 'string' } } });
const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'openclaw-llama-server-'));
if (!existsSync(join(folder, 'root'))) installLlamaServer(folder);

const failed: string[] = [];
async function check(name: string, holds: () => Promise<string | undefined>): Promise<void> {
  try {
    console.log(`ok    ${name} ${(await holds()) ?? ''}`);
  } catch (error) {
    failed.push(name);
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const server = await startLlamaServer(folder, { model: embeddedModelFile, key });
const open = (apiKey = key): Promise<ModelPort> =>
  openModel({ baseUrl: server.baseUrl, apiKey, embeddedModelFile, cores: 2 });
const local = await openModel({ embeddedModelFile, cores: 2 });
const remote = await open();

async function refusal(failing: Promise<unknown>): Promise<RuntimeError> {
  const outcome = await failing.then(
    () => null,
    (error: RuntimeError) => error,
  );
  assert.ok(outcome !== null, 'it was answered');
  return outcome;
}

async function askBoth(): Promise<[GenerationOutcome, GenerationOutcome][]> {
  const answers: [GenerationOutcome, GenerationOutcome][] = [];
  for (const messages of conversationsInTurns().slice(0, questionsAsked)) {
    const asked = { ...request(''), messages };
    answers.push([await remote.generate(asked), await local.generate(asked)]);
  }
  return answers;
}

const answers = await askBoth();
const equal = answers.filter(([one, other]) => one.text === other.text);

await check('greedy answers are those of the same file in this process', async () => {
  assert.ok(equal.length >= sameAnswersMin * answers.length);
  for (const [one, other] of equal) {
    assert.equal(one.usage.promptTokens, other.usage.promptTokens);
    assert.equal(one.finish, other.finish);
  }
  return `(${equal.length} of ${answers.length})`;
});

await check('confidences are those of the same file in this process', async () => {
  let largest = 0;
  for (const [one, other] of equal) {
    // The end of a turn is a token here and none there.
    const texts = other.tokens.filter(({ text }) => text !== '');
    assert.deepEqual(
      one.tokens.map(({ text }) => text),
      texts.map(({ text }) => text),
    );
    one.tokens.forEach(({ confidence }, index) => {
      largest = Math.max(largest, Math.abs((confidence ?? 2) - (texts[index]?.confidence ?? -2)));
    });
  }
  assert.ok(largest <= confidenceSlack, `one is off by ${largest}`);
  return `(off by ${largest.toFixed(4)} at most)`;
});

await check('every token tells entropy and margin, and doubt reads as doubt', async () => {
  const tokens = answers.flatMap(([{ tokens: told }]) => told);
  for (const { confidence, entropy, margin } of tokens) {
    assert.ok(confidence !== null && confidence > 0 && confidence <= 1);
    assert.ok(entropy !== null && entropy >= 0 && entropy <= Math.log(2_048));
    assert.ok(margin !== null && margin >= 0 && margin <= confidence);
  }
  const mean = (certain: boolean): number => {
    const some = tokens.filter(({ confidence }) => (confidence ?? 0) > 0.9 === certain);
    return some.reduce((sum, { entropy }) => sum + (entropy ?? 0), 0) / some.length;
  };
  assert.ok(mean(false) > 4 * mean(true));
  return `(${tokens.length} tokens; mean entropy ${mean(true).toFixed(3)} and ${mean(false).toFixed(3)} nats)`;
});

await check('a schema constrains the answer', async () => {
  const schema = { type: 'object', properties: { route: { enum: ['billing', 'support'] } } };
  const prompt = 'Route this request to one of: billing, support. Request: My printer is broken.';
  const required = { ...schema, required: ['route'], additionalProperties: false };
  const { text } = await remote.generate(request(prompt, { schema: required }));
  assert.match((JSON.parse(text) as { route: string }).route, /^(billing|support)$/);
  return text;
});

await check('the token limit is kept', async () => {
  const outcome = await remote.generate(request('Hello!', { maxTokens: 2 }));
  assert.equal(outcome.finish, 'length');
  assert.equal(outcome.usage.answerTokens, 2);
  return undefined;
});

await check('a prompt that does not fit is a refusal that no repeat helps', async () => {
  const error = await refusal(remote.generate(request('long '.repeat(4_000))));
  assert.equal(error.code, 'INFERENCE_REJECTED');
  assert.equal(error.retryable, false);
  return `(HTTP ${error.details.status})`;
});

await check('an image is refused by a server whose model reads text alone', async () => {
  const parts = [{ type: 'image', mediaType: 'image/png', base64: 'AAAA' } as const];
  const asked = { ...request(''), messages: [{ role: 'user' as const, content: 'Hello!', parts }] };
  const error = await refusal(remote.generate(asked));
  assert.equal(error.code, 'INFERENCE_REJECTED');
  return `(HTTP ${error.details.status}: ${error.details.answer})`;
});

await check('a wrong key is a refusal that no repeat helps', async () => {
  const error = await refusal(open('sk-wrong').then((model) => model.generate(request('Hello!'))));
  assert.equal(error.code, 'INFERENCE_REJECTED');
  assert.equal(error.details.status, 401);
  return undefined;
});

await check('an aborted answer frees the server for the next one', async () => {
  const abort = new AbortController();
  const onToken = (): void => abort.abort();
  const error = await refusal(
    remote.generate(request('Hello!'), { signal: abort.signal, onToken }),
  );
  assert.equal(error.code, 'INFERENCE_ABORTED');
  assert.equal((await remote.generate(request('Hello!'))).finish, 'stop');
  return undefined;
});

await check('a server that dies in its answer is no answer, and then unavailable', async () => {
  const onToken = (): void => void server.kill();
  const error = await refusal(
    remote.generate(request('Tell me all. '.repeat(20), { maxTokens: 1_000, temperature: 2 }), {
      onToken,
    }),
  );
  assert.equal(error.code, 'INFERENCE_PROTOCOL');
  assert.equal(error.retryable, true);
  assert.equal((await refusal(remote.generate(request('Hello!')))).code, 'INFERENCE_UNAVAILABLE');
  return undefined;
});

await remote.close();
await local.close();
await server.kill();
if (values.folder === undefined) rmSync(folder, { recursive: true });
if (failed.length > 0) console.error(`${failed.length} checks failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
