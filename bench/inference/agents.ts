/**
 * Agents that ask one model at once, through `ModelPort` or through
 * node-llama-cpp alone, and the speed of both.
 *
 * Invariants
 *   A1. Both sides get the same questions, agents, sequences, threads and kind of attention,
 *       and one context window for each sequence.
 *   A2. Only one side works at a time.
 *   A3. No question is asked twice while there are others: the port would not
 *       read again what its sequences hold, and plain node-llama-cpp would.
 */
import { openLlamaModel } from '../../src/inference/llama-model.ts';
import type { GenerationRequest } from '../../src/inference/model-port.ts';
import { assert } from '../../src/kernel/assert.ts';
import { type Figure, figure, interleave, ratios } from '../harness.ts';
import { PlainModel } from './plain-model.ts';

/** Two cores leave the port one thread for the model, whatever its size. */
const cores = 2;
const threads = 1;

export interface Workload {
  /** Begins the names of its figures. */
  readonly name: string;
  readonly file: string;
  /** As the port has it. */
  readonly flashAttention: boolean | 'auto';
  /** Ratio to reach. */
  readonly goal: number;
  readonly questions: readonly GenerationRequest[];
  /** How many of them each pass asks at least; never fewer than there are agents. */
  readonly perPass: number;
}

interface Answered {
  readonly text: string;
  readonly tokens: number;
}

type Answer = (question: GenerationRequest, agent: number) => Promise<Answered>;

/** Lets so many agents take the next question, each as soon as it has its answer. */
async function ask(
  questions: readonly GenerationRequest[],
  agents: number,
  answer: Answer,
): Promise<{ perSecond: number; perProcessorSecond: number; answers: readonly Answered[] }> {
  const answers: Answered[] = [];
  let next = 0;
  const started = performance.now();
  const used = process.cpuUsage();
  const work = async (agent: number): Promise<void> => {
    for (let index = next++; index < questions.length; index = next++) {
      const question = questions[index];
      assert(question !== undefined, 'there is a question');
      answers[index] = await answer(question, agent);
    }
  };
  await Promise.all(Array.from({ length: agents }, (_, agent) => work(agent)));
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(used);
  const tokens = answers.reduce((sum, each) => sum + each.tokens, 0);
  return {
    perSecond: tokens / seconds,
    perProcessorSecond: (tokens * 1e6) / (user + system),
    answers,
  };
}

/** Both sides of one model with so many sequences. */
async function openSides({ file, flashAttention }: Workload, agents: number) {
  const port = await openLlamaModel({
    file,
    trusted: true,
    device: 'cpu',
    cores,
    sequences: agents,
  });
  const plain = await PlainModel.open({
    file,
    threads,
    sequences: agents,
    flashAttention,
  });
  const sides: Record<'port' | 'plain', Answer> = {
    async port(question, agent) {
      const { text, usage, halt } = await port.generate(question, {
        onToken: () => undefined,
        queueKey: String(agent),
      });
      assert(halt === null, 'the thresholds of the detectors halt nothing here');
      return { text, tokens: usage.answerTokens };
    },
    plain(question, agent) {
      const sequence = plain.sequences[agent];
      assert(sequence !== undefined, 'each agent has a sequence');
      return plain.generate(question.messages, { sequence, limit: question.maxTokens });
    },
  };
  const close = async (): Promise<void> => {
    await port.close();
    await plain.close();
  };
  return { sides, close };
}

/** What is written in ASCII: random bytes that are no characters are decoded in two ways. */
function plainText(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '');
}

/** Answers of one agent, by question. */
type Alone = Map<GenerationRequest, string>;

/** Passes of one side: each takes the next questions, and compares with the answers of one agent. */
function passes(
  { questions, perPass }: Workload,
  { agents, answer, alone }: { agents: number; answer: Answer; alone: Alone },
) {
  const parted: number[] = [];
  const byProcessor: number[] = [];
  const count = Math.max(perPass, agents);
  let from = 0;
  const pass = async (): Promise<number> => {
    const asked = Array.from({ length: count }, (_, index) => {
      const question = questions[(from + index) % questions.length];
      assert(question !== undefined, 'there are questions');
      return question;
    });
    from += count; // (A3)
    const { perSecond, perProcessorSecond, answers } = await ask(asked, agents, answer);
    byProcessor.push(perProcessorSecond);
    const texts = answers.map(({ text }) => plainText(text));
    if (agents === 1) {
      asked.forEach((question, index) => {
        if (!alone.has(question)) alone.set(question, texts[index] ?? '');
      });
    }
    const known = asked.filter((question) => alone.has(question));
    const others = asked.filter(
      (question, index) => alone.has(question) && alone.get(question) !== texts[index],
    );
    if (known.length > 0) parted.push(others.length / known.length);
    return perSecond;
  };
  return { pass, parted, byProcessor };
}

async function measure(
  workload: Workload,
  agents: number,
  { alone, repetitions }: { alone: Alone; repetitions: number },
): Promise<Figure[]> {
  const { sides, close } = await openSides(workload, agents);
  const port = passes(workload, { agents, answer: sides.port, alone });
  const plain = passes(workload, { agents, answer: sides.plain, alone });
  try {
    await port.pass();
    await plain.pass();
    const speed = await interleave({ port: port.pass, plain: plain.pass }, repetitions); // (A2)
    const id = (what: string) => `${workload.name}, ${agents} at once: ${what}`;
    // The pass that warmed up is left out; those of one turn are compared.
    const measured = (each: { byProcessor: readonly number[] }) => each.byProcessor.slice(1);
    const less = { higherIsBetter: false };
    return [
      figure(id('port / plain'), 'x', ratios(speed.port, speed.plain), { goal: workload.goal }),
      figure(id('port / plain, by processor time'), 'x', ratios(measured(port), measured(plain))),
      figure(id('port'), 'tokens/s', speed.port),
      figure(id('plain'), 'tokens/s', speed.plain),
      figure(id('answers other than alone, port'), 'x', port.parted, less),
      figure(id('answers other than alone, plain'), 'x', plain.parted, less),
    ];
  } finally {
    await close();
  }
}

/** Figures of one model with so many agents, one first. */
export async function measureAgents(
  workload: Workload,
  counts: readonly number[],
  repetitions: number,
): Promise<Figure[]> {
  const alone: Alone = new Map();
  const figures: Figure[] = [];
  for (const agents of counts) {
    figures.push(...(await measure(workload, agents, { alone, repetitions })));
  }
  return figures;
}
