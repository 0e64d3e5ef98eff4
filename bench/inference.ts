/**
 * Tokens per second of the embedded model with 1, 2, 4 and 8 agents at once,
 * through `ModelPort` with as many sequences (a confidence for every token,
 * detectors on, texts decoded as they come) against plain node-llama-cpp with
 * the same questions, agents and sequences in the same run, on one thread.
 *
 * In a batch values differ in their last bits, and an answer may part from
 * another where two tokens are nearly as likely: how many do is a figure.
 */
import { openLlamaModel } from '../src/inference/llama-model.ts';
import { assert } from '../src/kernel/assert.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';
import { embeddedModelFile, PlainModel } from './inference/plain-model.ts';
import { conversations, request } from './inference/prompts.ts';

const { quick, repetitions } = benchOptions();
const questions = conversations(null, quick ? 12 : 96).map((messages) => request(messages, null));

interface Answered {
  readonly text: string;
  readonly tokens: number;
}

/** Lets so many agents take the next question, each as soon as it has its answer. */
async function ask(
  agents: number,
  answer: (index: number, agent: number) => Promise<Answered>,
): Promise<{ perSecond: number; texts: string[] }> {
  const texts: string[] = [];
  let next = 0;
  let tokens = 0;
  const started = performance.now();
  const work = async (agent: number): Promise<void> => {
    for (let index = next++; index < questions.length; index = next++) {
      const answered = await answer(index, agent);
      tokens += answered.tokens;
      texts[index] = answered.text.trimEnd();
    }
  };
  await Promise.all(Array.from({ length: agents }, (_, agent) => work(agent)));
  return { perSecond: (tokens * 1_000) / (performance.now() - started), texts };
}

function parted(one: readonly string[], other: readonly string[]): number {
  return one.filter((text, index) => text !== other[index]).length / one.length;
}

const alone: string[] = [];

async function measure(agents: number) {
  const port = await openLlamaModel({
    file: embeddedModelFile,
    trusted: true,
    gpu: false,
    cores: 2,
    sequences: agents,
  });
  const plain = await PlainModel.open(agents);
  const shares = { port: [] as number[], plain: [] as number[] };
  const through = async (
    name: 'port' | 'plain',
    answer: (index: number, agent: number) => Promise<Answered>,
  ): Promise<number> => {
    const { perSecond, texts } = await ask(agents, answer);
    if (alone.length === 0) alone.push(...texts);
    shares[name].push(parted(texts, alone));
    return perSecond;
  };
  const ofPort = () =>
    through('port', async (index) => {
      const each = questions[index];
      assert(each !== undefined, 'there is a question');
      const { text, usage } = await port.generate(each, {
        onToken: () => undefined,
        queueKey: String(index),
      });
      return { text, tokens: usage.answerTokens };
    });
  const ofPlain = () =>
    through('plain', (index, agent) => {
      const sequence = plain.sequences[agent];
      assert(sequence !== undefined, 'each agent has a sequence');
      return plain.generate(questions[index]?.messages ?? [], { sequence });
    });
  try {
    await ofPort();
    await ofPlain();
    const samples = await interleave({ port: ofPort, plain: ofPlain }, repetitions);
    return { samples, shares };
  } finally {
    await port.close();
    await plain.close();
  }
}

const figures = [];
for (const agents of [1, 2, 4, 8]) {
  const { samples, shares } = await measure(agents);
  const less = { higherIsBetter: false };
  figures.push(
    figure(`${agents} at once: port / plain`, 'x', ratios(samples.port, samples.plain), {
      goal: 0.8,
    }),
    figure(`${agents} at once: port`, 'tokens/s', samples.port),
    figure(`${agents} at once: plain`, 'tokens/s', samples.plain),
    figure(`${agents} at once: answers other than alone, port`, 'x', shares.port, less),
    figure(`${agents} at once: answers other than alone, plain`, 'x', shares.plain, less),
  );
}
report('inference', figures, ['node-llama-cpp']);
