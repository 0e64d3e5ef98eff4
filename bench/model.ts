/**
 * Tokens per second of the embedded model through `ModelPort` (a confidence
 * for every token, detectors on, texts decoded as they come) against plain
 * node-llama-cpp (`sequence.evaluate` without confidences, decoded at the
 * end): the same prompts in the same run on one thread. Every answer of one is
 * compared with the other's.
 *
 * Free answers carry the goal. Under a grammar a confidence needs the grammar
 * applied to the whole vocabulary, where plain sampling only tests the token
 * it drew; that figure informs.
 */
import { readFileSync } from 'node:fs';
import {
  getLlama,
  type LlamaContextSequence,
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  LlamaLogLevel,
  type Token,
} from 'node-llama-cpp';
import { z } from 'zod';
import { openLlamaModel } from '../src/inference/llama-model.ts';
import type { ChatMessage, GenerationRequest } from '../src/inference/model-port.ts';
import { assert } from '../src/kernel/assert.ts';
import type { JsonObject } from '../src/kernel/json.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';

const maxTokens = 120;
const { quick, repetitions } = benchOptions();
const file = new URL('../models/tiny-agent.gguf', import.meta.url).pathname;

const exampleSchema = z.object({
  task: z.string(),
  turns: z.array(z.tuple([z.enum(['system', 'user', 'assistant']), z.string()])),
});

/** Conversations of the model's held-out set, without their last answer. */
function conversations(task: string | null, count: number): ChatMessage[][] {
  const text = readFileSync(new URL('../models/eval/heldout.jsonl', import.meta.url), 'utf8');
  const all = text
    .trim()
    .split('\n')
    .map((line) => exampleSchema.parse(JSON.parse(line)))
    .filter((example) => task === null || example.task === task)
    .map(({ turns }) => turns.slice(0, -1).map(([role, content]) => ({ role, content })));
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, index) => index % step === 0).slice(0, count);
}

const port = await openLlamaModel({ file, trusted: true, gpu: false, cores: 2 });
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error });
const native = await llama.loadModel({ modelPath: file });
const context = await native.createContext({ contextSize: 2_048, sequences: 1, threads: 1 });
const sequence: LlamaContextSequence = context.getSequence();

/** ChatML by hand: special tokens around the turns, never inside the texts. */
function renderPlain(messages: readonly ChatMessage[]): Token[] {
  const turns = messages.flatMap(({ role, content }) => [
    ...native.tokenize(`<|im_start|>${role}\n`, true),
    ...native.tokenize(content),
    ...native.tokenize('<|im_end|>\n', true),
  ]);
  return [...turns, ...native.tokenize('<|im_start|>assistant\n', true)];
}

function request(messages: ChatMessage[], schema: JsonObject | null): GenerationRequest {
  return {
    messages,
    schema,
    temperature: 0,
    seed: 1,
    maxTokens,
    timeoutMs: 60_000,
    // Both run over every token; neither can fire here.
    detectors: { minConfidence: 0, repetition: 64 },
  };
}

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
    await sequence.clearHistory();
    const answer: Token[] = [];
    const options =
      work.grammar === null
        ? {}
        : {
            grammarEvaluationState: new LlamaGrammarEvaluationState({
              model: native,
              grammar: work.grammar,
            }),
          };
    for await (const token of sequence.evaluate(renderPlain(each.messages), options)) {
      answer.push(token);
      if (answer.length >= limit) break;
    }
    // The end of the turn is a generated token too, though it is not yielded.
    tokens += answer.length < limit ? answer.length + 1 : answer.length;
    checkAnswer(work, index, native.detokenize(answer), answer.length);
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
  grammar: await llama.createGrammarForJsonSchema({
    $ref: '#/$defs/answer',
    $defs: { answer: names },
  }),
  answers: [],
};

const freeSpeed = await measure(free);
const constrainedSpeed = await measure(constrained);
await port.close();
await llama.dispose();

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
