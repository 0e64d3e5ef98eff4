/**
 * Runs scripts that nobody trusts, each in a process of its own.
 *
 * A script is evaluated as a script, and its value is the awaited completion
 * value: what its last expression statement gives. `await` at the top level is
 * allowed (see top-level-await.ts). There is no require, process, file,
 * network, timer or thread; `input` is a global when given; `console` is
 * captured; Math.random is seeded and now is fixed, so that an execution
 * repeats exactly.
 *
 * Invariants
 *   P1. `execute` never rejects: what a script does is an outcome.
 *   P2. A process serves one execution (sandbox-process.ts S1); warm ones wait
 *       so that an execution need not wait for a start.
 *   P3. At most `limits.sandboxConcurrencyMax` run and `limits.sandboxQueueMax`
 *       wait; one more is refused with ACTUATOR_BUSY.
 */
import { assert } from '../kernel/assert.ts';
import { findNonJson, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { SandboxJob } from './protocol.ts';
import { failedOutcome, type SandboxOutcome } from './sandbox-outcome.ts';
import { SandboxProcess } from './sandbox-process.ts';

/** One script and its limits. What is not given has a default in `limits`. */
export interface SandboxExecution {
  readonly source: string;
  /** 1 to limits.sandboxTimeoutMsMax; counts from when a process takes the script. */
  readonly timeoutMs?: number | undefined;
  /** 8 to limits.sandboxMemoryMbMax. */
  readonly memoryMb?: number | undefined;
  /** The global `input` of the script. */
  readonly input?: Json | undefined;
  /** Seed of Math.random, an unsigned 32-bit integer; 0 by default. */
  readonly seed?: number | undefined;
  /** What the script takes for now, milliseconds since the epoch; 0 by default. */
  readonly timeMs?: number | undefined;
  /** Aborting it kills the script or ends its waiting; the outcome is INTENTION_ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/** What came of asking for a place among the running. */
type Entry = 'entered' | 'full' | 'aborted';

const sandboxMemoryMbMin = 8;
/** Starts that may fail in a row before warm processes are no longer started ahead. */
const failedStartsMax = 3;

export class SandboxPool {
  readonly #size: number;
  readonly #warm: SandboxProcess[] = [];
  readonly #alive = new Set<SandboxProcess>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #failedStarts = 0;
  #closed = false;

  /** @param options.size warm processes that wait for work, 0 or more. */
  constructor(options: { readonly size: number }) {
    assert(Number.isInteger(options.size) && options.size >= 0, 'the pool size is a whole number');
    this.#size = options.size;
    this.#refill();
  }

  /** Runs one script to its outcome (P1). */
  async execute(execution: SandboxExecution): Promise<SandboxOutcome> {
    const job = toJob(execution);
    if (typeof job === 'string') return failedOutcome('SANDBOX_INPUT_INVALID', job);
    if (this.#closed) return failedOutcome('SANDBOX_CRASHED', 'The sandbox is closed.');
    const entry = await this.#enter(execution.signal);
    if (entry === 'aborted') return abortedOutcome();
    if (entry === 'full') {
      return failedOutcome(
        'ACTUATOR_BUSY',
        `${limits.sandboxQueueMax} scripts already wait for a sandbox process; try again later.`,
      );
    }
    try {
      return await this.#run(job, execution.signal);
    } finally {
      this.#leave();
    }
  }

  /** Kills every process and waits until they are gone. Executions in progress end as crashed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#alive].map((sandbox) => sandbox.end()));
  }

  async #run(job: SandboxJob, signal: AbortSignal | undefined): Promise<SandboxOutcome> {
    // A warm process may have died while it waited: the next one, or a cold one, takes the job.
    for (let attempt = 0; attempt <= this.#size; attempt += 1) {
      if (this.#closed) break;
      if (signal?.aborted) return abortedOutcome();
      const sandbox = this.#warm.shift() ?? this.#start();
      this.#refill();
      const readiness = await sandbox.claim();
      if (readiness.ready) {
        this.#failedStarts = 0;
        const outcome = await sandbox.run(job, signal);
        if (outcome !== null) return outcome;
        continue;
      }
      sandbox.kill();
      if (readiness.unusable) {
        return failedOutcome(
          'NATIVE_PACKAGE_MISSING',
          `The package isolated-vm does not load on this machine (${firstLine(readiness.message)}); run npm ci again, then claw doctor.`,
        );
      }
    }
    return failedOutcome('SANDBOX_CRASHED', 'No sandbox process could be started.');
  }

  /** Takes a place among the running, waiting for it if need be (P3). */
  async #enter(signal: AbortSignal | undefined): Promise<Entry> {
    if (signal?.aborted) return 'aborted';
    if (this.#running < limits.sandboxConcurrencyMax) {
      this.#running += 1;
      return 'entered';
    }
    if (this.#waiting.length >= limits.sandboxQueueMax) return 'full';
    const { promise, resolve } = Promise.withResolvers<Entry>();
    const onPlace = (): void => resolve('entered');
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(onPlace);
      if (index < 0) return; // The place is taken, and whoever has it gives it back.
      this.#waiting.splice(index, 1);
      resolve('aborted');
    };
    this.#waiting.push(onPlace);
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    // The place passes on to the next in line.
    if (next === undefined) this.#running -= 1;
    else next();
  }

  #refill(): void {
    while (
      !this.#closed &&
      this.#warm.length < this.#size &&
      this.#failedStarts < failedStartsMax
    ) {
      this.#warm.push(this.#start());
    }
  }

  #start(): SandboxProcess {
    const sandbox = new SandboxProcess();
    this.#alive.add(sandbox);
    void sandbox.readiness.then((readiness) => {
      if (!readiness.ready) this.#failedStarts += 1;
    });
    void sandbox.exited.then(() => {
      this.#alive.delete(sandbox);
      const index = this.#warm.indexOf(sandbox);
      if (index < 0) return;
      this.#warm.splice(index, 1);
      this.#refill();
    });
    return sandbox;
  }
}

function abortedOutcome(): SandboxOutcome {
  return failedOutcome('INTENTION_ABORTED', 'The script was stopped on request.');
}

/** The job in an execution, or what is wrong with it in one sentence. */
function toJob(execution: SandboxExecution): SandboxJob | string {
  const {
    source,
    timeoutMs = limits.sandboxTimeoutMsDefault,
    memoryMb = limits.sandboxMemoryMbDefault,
    seed = 0,
    timeMs = 0,
  } = execution;
  if (typeof source !== 'string') return 'The script is not text.';
  if (Buffer.byteLength(source, 'utf8') > limits.sandboxScriptBytesMax) {
    return `The script is larger than ${limits.sandboxScriptBytesMax} bytes; make it smaller.`;
  }
  if (!isWhole(timeoutMs, 1, limits.sandboxTimeoutMsMax)) {
    return `The time limit is a whole number of ms from 1 to ${limits.sandboxTimeoutMsMax}.`;
  }
  if (!isWhole(memoryMb, sandboxMemoryMbMin, limits.sandboxMemoryMbMax)) {
    return `The memory limit is a whole number of MiB from ${sandboxMemoryMbMin} to ${limits.sandboxMemoryMbMax}.`;
  }
  if (!isWhole(seed, 0, 0xffff_ffff)) return 'The seed is a whole number from 0 to 4294967295.';
  if (!isWhole(timeMs, -8.64e15, 8.64e15)) return 'The time is not a whole number of ms of a date.';
  if (execution.input === undefined) {
    return { source, timeoutMs, memoryMb, seed, timeMs, input: null };
  }
  if (findNonJson(execution.input) !== null) return 'The input of the script is not plain JSON.';
  const input = JSON.stringify(execution.input);
  if (Buffer.byteLength(input, 'utf8') > limits.sandboxInputBytesMax) {
    return `The input of the script is larger than ${limits.sandboxInputBytesMax} bytes of JSON.`;
  }
  return { source, timeoutMs, memoryMb, seed, timeMs, input };
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** Loaders list on further lines where they looked. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
