/**
 * Tokens per second of the embedded model through `ModelPort` (a confidence
 * for every token, detectors on, texts decoded as they come) against plain
 * node-llama-cpp (`sequence.evaluate` without confidences, decoded at the
 * end): the same prompts, cut in the same places, in the same run on one thread. Every answer of one is
 * compared with the other's.
 *
 * Free answers carry the goal. Under a grammar a confidence needs the grammar
 * applied to the whole vocabulary, where plain sampling only tests the token
 * it drew; that figure informs.
 */
import type { LlamaGrammar } from 'node-llama-cpp';
import { openLlamaModel } from '../src/inference/llama-model.ts';
import type { GenerationRequest } from '../src/inference/model-port.ts';
import { wholePieces } from '../src/inference/reuse-policy.ts';
import { assert } from '../src/kernel/assert.ts';
import type { JsonObject } from '../src/kernel/json.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';
import { embeddedModelFile } from './inference/models.ts';
import { PlainModel } from './inference/plain-model.ts';
import { conversations, maxTokens, request } from './inference/prompts.ts';

const { quick, repetitions } = benchOptions();
const port = await openLlamaModel({
  file: embeddedModelFile,
  trusted: true,
  device: 'cpu',
  cores: 2,
  deterministic: true,
});
const plainModel = await PlainModel.open();

interface Workload {
  readonly requests: readonly GenerationRequest[];
  readonly grammar: LlamaGrammar | null;
  /** Answer of each request, filled by the first pass over it. */
  readonly answers: { text: string; tokens: number }[];
}

/** White space at the end is left out: past a JSON value the plain side may hold some. */
function checkAnswer(work: Workload, index: number, answer: string, tokens: number): void {
  const text = answer.trimEnd();
  const known = work.answers[index];
  if (known === undefined) work.answers[index] = { text, tokens };
  else assert(known.text === text, `answer ${index} differs: ${known.text} and ${text}`);
}

/** @returns tokens per second. */
async function throughPort(work: Workload): Promise<number> {
  let tokens = 0;
  const started = performance.now();
  for (const [index, each] of work.requests.entries()) {
    const outcome = await port.generate(each, { onToken: () => undefined });
    tokens += outcome.usage.answerTokens;
    checkAnswer(work, index, outcome.text, outcome.usage.answerTokens);
  }
  return (tokens * 1_000) / (performance.now() - started);
}

/** @returns tokens per second. The end of an answer is known from the port's pass. */
async function plain(work: Workload): Promise<number> {
  let tokens = 0;
  const started = performance.now();
  for (const [index, each] of work.requests.entries()) {
    const limit = work.grammar === null ? maxTokens : (work.answers[index]?.tokens ?? maxTokens);
    const answer = await plainModel.generate(each.messages, {
      grammar: work.grammar,
      limit,
      pieceTokens: wholePieces.pieceTokens,
    });
    tokens += answer.tokens;
    checkAnswer(work, index, answer.text, answer.tokens);
  }
  return (tokens * 1_000) / (performance.now() - started);
}

async function measure(work: Workload) {
  await throughPort(work);
  await plain(work);
  return interleave({ port: () => throughPort(work), plain: () => plain(work) }, repetitions);
}

const strings = { type: 'array', items: { type: 'string' } } as const;
const names = { type: 'object', properties: { names: strings, dates: strings } } as const;

const free: Workload = {
  requests: conversations(null, quick ? 24 : 120).map((messages) => request(messages, null)),
  grammar: null,
  answers: [],
};
const constrained: Workload = {
  requests: conversations('extract', quick ? 8 : 40).map((messages) =>
    request(messages, structuredClone(names) as unknown as JsonObject),
  ),
  grammar: await plainModel.llama.createGrammarForJsonSchema({
    $ref: '#/$defs/answer',
    $defs: { answer: names },
  }),
  answers: [],
};

const freeSpeed = await measure(free);
const constrainedSpeed = await measure(constrained);
await port.close();
await plainModel.close();

report(
  'model',
  [
    figure('free answers: port / plain', 'x', ratios(freeSpeed.port, freeSpeed.plain), {
      goal: 0.8,
    }),
    figure('free answers: port', 'tokens/s', freeSpeed.port),
    figure('free answers: plain', 'tokens/s', freeSpeed.plain),
    figure(
      'answers under a schema: port / plain',
      'x',
      ratios(constrainedSpeed.port, constrainedSpeed.plain),
    ),
    figure('answers under a schema: port', 'tokens/s', constrainedSpeed.port),
    figure('answers under a schema: plain', 'tokens/s', constrainedSpeed.plain),
  ],
  ['node-llama-cpp'],
);
