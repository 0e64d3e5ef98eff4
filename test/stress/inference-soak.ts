/**
 * Many agents that ask one model in a process of its own, for a while: each has
 * conversations with waits for a tool between their turns, some give up in the middle,
 * the model is replaced while it serves, and its process is killed once.
 *
 * Every answer is the asker's own: it repeats a number that nobody else asks with at that time.
 * The model misreads one now and then, which is another number than anybody's.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatMessage } from '../../src/inference/model-port.ts';
import { ModelSet, type ModelSetSettings } from '../../src/inference/model-set.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { modelProcesses } from '../inference/model-processes.ts';
import { embeddedModelFile, request } from '../inference/requests.ts';

export interface SoakPlan {
  readonly agents: number;
  readonly seconds: number;
  readonly sequences: number;
  readonly stateFolder: string;
  readonly seed: number;
}

export interface SoakReport {
  readonly answers: number;
  /** Answers that are not the asker's, and questions that were answered twice. */
  readonly wrong: readonly string[];
  /** Answers with a number that nobody has asked with. */
  readonly misread: number;
  /** Given up by their agents. */
  readonly aborted: number;
  /** Refused because the process died, and asked again. */
  readonly refused: number;
  readonly swaps: number;
  readonly kills: number;
  /** Agents without any answer. */
  readonly starved: number;
  readonly waitMsMax: number;
  /** Resident memory of both processes in the middle third, and at the end; MiB. */
  readonly memory: { readonly middle: number; readonly last: number };
  readonly restored: number;
  readonly tokensHeld: number;
}

/** Mulberry32, so that a run can be repeated. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function residentMb(pid: number): number {
  try {
    const [, kib = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib) / 1_024;
  } catch {
    return 0;
  }
}

/** Five different digits, which the embedded model copies well. */
const numbers = Array.from({ length: 90_000 }, (_, index) => index + 10_000).filter(
  (number) => new Set(String(number)).size === 5,
);

const system =
  'Tools: [{"name": "calc", "args": ["op", "a", "b"]}] Answer with {"tool": "...", "args": {...}}.';

export async function soak(plan: SoakPlan): Promise<SoakReport> {
  const random = randomOf(plan.seed);
  const settings: ModelSetSettings = {
    default: {
      model: {
        embeddedModelFile,
        cores: 2,
        sequences: plan.sequences,
        process: 'child',
        stateFolder: plan.stateFolder,
        speculation: 'off',
      },
    },
    others: [],
    memoryMb: null,
  };
  const set = new ModelSet(settings);
  await set.open();
  const endAt = performance.now() + plan.seconds * 1_000;
  const counts = {
    answers: 0,
    misread: 0,
    aborted: 0,
    refused: 0,
    swaps: 0,
    kills: 0,
    waitMsMax: 0,
  };
  const wrong: string[] = [];
  const answered = new Map<string, number>();
  const served = new Set<number>();
  /** Numbers of the questions that wait for their answer. */
  const open = new Set<number>();
  const pastEnd = (): boolean => performance.now() > endAt;

  /** One question; null when its agent gave it up. */
  async function ask(messages: ChatMessage[], key: string, last: boolean): Promise<string | null> {
    for (;;) {
      const asked = performance.now();
      const stop = new AbortController();
      const isImpatient = random() < 0.05;
      const timer = isImpatient ? setTimeout(() => stop.abort(), random() * 2_000) : undefined;
      try {
        const outcome = await set.generate(
          request('', { messages, maxTokens: 40, timeoutMs: 120_000 }),
          { queueKey: key, parks: !last, signal: stop.signal },
        );
        counts.waitMsMax = Math.max(counts.waitMsMax, performance.now() - asked);
        return outcome.text;
      } catch (error) {
        if (stop.signal.aborted) {
          counts.aborted += 1;
          return null;
        }
        if (!(error instanceof RuntimeError) || !error.retryable) throw error;
        counts.refused += 1;
        await sleep(50 + random() * 200);
      } finally {
        clearTimeout(timer);
      }
    }
  }

  function check(id: number, question: string, text: string, number: number | null): void {
    counts.answers += 1;
    served.add(id);
    const times = (answered.get(question) ?? 0) + 1;
    answered.set(question, times);
    if (times > 1) wrong.push(`${question} was answered ${times} times`);
    if (number === null || text.includes(String(number))) return;
    const others = text.match(/\d{5}/g) ?? [];
    if (others.some((other) => open.has(Number(other)))) wrong.push(`${question} got ${text}`);
    else counts.misread += 1;
  }

  async function agent(id: number): Promise<void> {
    for (let round = 0; !pastEnd(); round += 1) {
      const number = numbers[(id + round * plan.agents) % numbers.length] ?? 12_345;
      open.add(number);
      const key = `agent ${id}, round ${round}`;
      const messages: ChatMessage[] = [
        { role: 'system', content: system },
        { role: 'user', content: `Please add ${number} and ${(number % 89) + 10}` },
      ];
      const first = await ask(messages, key, false);
      if (first === null) {
        open.delete(number);
        continue;
      }
      check(id, `${key}, first`, first, number);
      open.delete(number);
      await sleep(random() * 1_500); // A tool works.
      if (pastEnd()) return;
      messages.push(
        { role: 'assistant', content: first },
        { role: 'user', content: `Tool result: ${number + 1}` },
      );
      const second = await ask(messages, key, true);
      if (second !== null) check(id, `${key}, second`, second, null);
      await set.forget(key);
    }
  }

  const memory: number[] = [];
  async function disturb(): Promise<void> {
    const { name } = set.info;
    let killed = false;
    for (let step = 0; !pastEnd(); step += 1) {
      await sleep(Math.min(2_000, plan.seconds * 20));
      const pids = [process.pid, ...modelProcesses()];
      memory.push(pids.reduce((sum, pid) => sum + residentMb(pid), 0));
      if (step % 15 === 5) {
        await set.reload(name);
        counts.swaps += 1;
      }
      if (!killed && performance.now() > endAt - plan.seconds * 600) {
        killed = true;
        const [pid] = modelProcesses();
        if (pid !== undefined) {
          process.kill(pid, 'SIGKILL');
          counts.kills += 1;
        }
      }
    }
  }

  const agents = Array.from({ length: plan.agents }, (_, id) => agent(id));
  await Promise.all([...agents, disturb()]);
  const [model] = await set.models();
  await set.close();
  const third = Math.floor(memory.length / 3);
  const middleOf = (values: readonly number[]): number =>
    values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;
  return {
    ...counts,
    wrong,
    starved: plan.agents - served.size,
    memory: {
      middle: middleOf(memory.slice(third, 2 * third)),
      last: middleOf(memory.slice(-third)),
    },
    restored: model?.usage?.restored ?? 0,
    tokensHeld: model?.usage?.tokensHeld ?? 0,
  };
}
