/**
 * One sandbox process as the runtime sees it: started, ready, used once,
 * killed.
 *
 * Invariants
 *   S1. A process runs at most one script and is killed afterwards, whatever
 *       it answered. Its exit status is not read: a script could choose it.
 *   S2. An answer is delivered before the kill.
 *   S3. `run` always resolves: answer, violation of a limit, or end of the
 *       process, whichever comes first; later ones are ignored.
 *   S4. It gets a script only after the kernel's own account of it names every
 *       layer that it was started under.
 */
import { PipeFrameReader, PipeFrameWriter } from '../bus/pipe-frames.ts';
import { assert } from '../kernel/assert.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { consoleLines, consoleText } from './console-lines.ts';
import { HostCalls, type HostCallsOptions } from './host-calls.ts';
import { ConfinedProcess } from './layers/confined-process.ts';
import type { LayerName } from './layers/layer.ts';
import { observedLayers } from './layers/observed-layers.ts';
import { ProcessProbe } from './memory-probe.ts';
import {
  type SandboxAnswer,
  type SandboxCall,
  type SandboxJob,
  sandboxAnswerSchema,
} from './protocol.ts';
import { answerTopic, callAnswerTopic, jobTopic, runtimeEnd } from './protocol-topics.ts';
import { parseResultText } from './result-text.ts';
import { failedOutcome, type SandboxOutcome, type SandboxUsage } from './sandbox-outcome.ts';
import { type SandboxRefusal, type SandboxSetup, sandboxBounds } from './sandbox-setup.ts';
import { type Bounds, violationOutcome } from './violation-outcome.ts';
import { type Violation, watchProcess } from './watchdog.ts';

type Done = Extract<SandboxAnswer, { type: 'done' }>;

/** How a started process is: able to take a job, or not, and why. */
export type Readiness =
  | { readonly ready: true }
  | {
      readonly ready: false;
      /** Present where no other process would be better. */
      readonly refusal?: SandboxRefusal;
    };

/** What is asked of one process besides its job. */
export interface RunOptions {
  /** Processor time at most. */
  readonly cpuMs: number;
  /** Aborting it kills the process; the outcome is INTENTION_ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** What the calls of the script reach. */
  readonly called: Pick<HostCallsOptions, 'fileSystem' | 'tools' | 'limits'>;
}

type Ending =
  | { readonly type: 'answer'; readonly done: Done }
  | { readonly type: 'violation'; readonly violation: Violation }
  | { readonly type: 'aborted' }
  | { readonly type: 'ended'; readonly outOfMemory: boolean };

export class SandboxProcess {
  /** Resolves once, to whether the process can take a job. Never rejects. */
  readonly readiness: Promise<Readiness>;
  /** Resolves when the process is gone, and whether for want of memory. Never rejects. */
  readonly exited: Promise<{ readonly outOfMemory: boolean }>;
  #process: ConfinedProcess | null = null;
  #pid = 0;
  #layers: readonly LayerName[] = [];
  #baselineMb = 0;
  #isReady = false;
  #used = false;
  #begun = false;
  #killed = false;
  #held = false;
  #onDone: (done: Done) => void = () => {};
  #onCall: (call: SandboxCall) => void = () => this.kill();
  #onReadiness: (readiness: Readiness) => void = () => {};

  /** Starts a process once `setup` is there. */
  constructor(setup: Promise<SandboxSetup | SandboxRefusal>) {
    const { promise, resolve } = Promise.withResolvers<Readiness>();
    this.#onReadiness = resolve;
    this.readiness = promise.then((readiness) => {
      this.#isReady = readiness.ready;
      return readiness;
    });
    this.exited = this.#live(setup).finally(() => resolve({ ready: false }));
  }

  /** Whether it could take a job at once, as far as is known. */
  get isReady(): boolean {
    return this.#isReady && !this.#killed;
  }

  /** Keeps the event loop alive from now on, and waits until the process is ready or fails to be. */
  claim(): Promise<Readiness> {
    this.#hold(true);
    return this.readiness;
  }

  /**
   * Runs the one script of this process. Only after `claim` said ready. Null
   * when the process was gone before the script began: another may run it.
   */
  async run(
    job: SandboxJob,
    { cpuMs, signal, called }: RunOptions,
  ): Promise<SandboxOutcome | null> {
    assert(!this.#used, 'a sandbox process runs one script only'); // (S1)
    this.#used = true;
    const { promise, resolve } = Promise.withResolvers<Ending>(); // (S3)
    const onAbort = (): void => resolve({ type: 'aborted' });
    this.#onDone = (done) => resolve({ type: 'answer', done });
    void this.exited.then(({ outOfMemory }) => resolve({ type: 'ended', outOfMemory }));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    // Only the bound of a larger script than usual has to be raised before it begins.
    if (job.memoryMb > limits.sandboxMemoryMbDefault) {
      await this.#process?.group?.bound(sandboxBounds(job.memoryMb)).catch(() => {});
    }
    const watch = watchProcess({
      pid: this.#pid,
      baselineMb: this.#baselineMb,
      memoryMb: job.memoryMb,
      timeoutMs: job.timeoutMs,
      cpuMs,
      onViolation: (violation) => resolve({ type: 'violation', violation }),
    });
    const writer = new PipeFrameWriter(runtimeEnd, limits.sandboxFrameBytesMax);
    const calls = new HostCalls({
      ...called,
      answer: (answer) => this.#process?.stdin.write(writer.encode(callAnswerTopic, answer)),
      onViolation: () => this.kill(),
    });
    this.#onCall = (call) => calls.accept(call);
    this.#process?.stdin.write(writer.encode(jobTopic, job));
    const ending = await promise;
    if (ending.type === 'answer') calls.finish();
    else calls.close();
    signal?.removeEventListener('abort', onAbort);
    const observed = watch.stop();
    if (ending.type === 'ended' && !this.#begun) return null;
    const seen = {
      wallMs: observed.wallMs,
      cpuMs: observed.cpuMs ?? 0,
      memoryMb: observed.memoryMb,
    };
    const outcome = toOutcome(ending, { job, cpuMsMax: cpuMs, baselineMb: this.#baselineMb }, seen);
    setImmediate(() => this.kill()); // (S2)
    return { ...outcome, layers: this.#layers };
  }

  /** Ends the process at once, in whatever it is doing. */
  kill(): void {
    this.#killed = true;
    this.#process?.kill();
  }

  /** Kills the process and waits until it is gone. */
  async end(): Promise<void> {
    this.#hold(true);
    this.kill();
    await this.exited;
  }

  /** From the start of the process to its end. */
  async #live(
    awaitedSetup: Promise<SandboxSetup | SandboxRefusal>,
  ): Promise<{ outOfMemory: boolean }> {
    const setup = await awaitedSetup;
    if ('code' in setup) {
      this.#onReadiness({ ready: false, refusal: setup });
      return { outOfMemory: false };
    }
    if (this.#killed) return { outOfMemory: false };
    let started: ConfinedProcess;
    try {
      started = await ConfinedProcess.start(setup.command, setup.layers);
    } catch {
      return { outOfMemory: false }; // Whoever waits for it hears that it is not ready.
    }
    this.#process = started;
    this.#hold(this.#held);
    if (this.#killed) started.kill();
    const timer = setTimeout(() => this.kill(), limits.sandboxStartMsMax);
    timer.unref();
    void this.readiness.then(() => clearTimeout(timer));
    const reader = new PipeFrameReader(limits.sandboxFrameBytesMax);
    started.stdout.on('data', (chunk: Buffer) => {
      const frames = reader.push(chunk);
      if (frames === null) this.kill();
      else for (const { header, body } of frames) this.#receive(header.topic, body, setup);
    });
    return started.exited;
  }

  #receive(topic: number, message: unknown, setup: SandboxSetup): void {
    const parsed = sandboxAnswerSchema.safeParse(message);
    if (topic !== answerTopic || !parsed.success) {
      this.kill();
      return;
    }
    const answer = parsed.data;
    switch (answer.type) {
      case 'ready':
        // A script cannot lower its own bound: the baseline is taken before it runs.
        if (!this.#used) void this.#becomeReady(setup, answer.residentMb);
        break;
      case 'begun':
        this.#begun = true;
        break;
      case 'unusable':
        this.#onReadiness({ ready: false, refusal: unusable(answer.message) });
        break;
      case 'call':
        this.#onCall(answer);
        break;
      case 'done':
        this.#onDone(answer);
        break;
    }
  }

  /** A process that the kernel does not hold as it was asked to gets no script (S4). */
  async #becomeReady({ layers }: SandboxSetup, ownResidentMb: number): Promise<void> {
    const pid = await this.#process?.started;
    if (pid === null || pid === undefined) return this.kill();
    const group = this.#process?.group?.name ?? null;
    const seen = process.platform === 'linux' ? await observedLayers(pid, group) : [];
    const isHeld =
      (layers.bubblewrap === null || seen.includes('bubblewrap')) &&
      (layers.seccomp === null || seen.includes('seccomp')) &&
      (layers.cgroup === null || seen.includes('cgroup'));
    if (!isHeld) return this.kill();
    const probe = new ProcessProbe(pid);
    this.#baselineMb = probe.residentMb() ?? ownResidentMb;
    probe.close();
    this.#pid = pid;
    this.#layers = [...seen, 'permission'];
    this.#onReadiness({ ready: true });
  }

  /** An idle process must not keep the runtime alive; a running script must. */
  #hold(hold: boolean): void {
    this.#held = hold;
    this.#process?.hold(hold);
  }
}

function unusable(message: string): SandboxRefusal {
  // Loaders list on further lines where they looked.
  const [reason = ''] = message.split('\n', 1);
  return {
    code: 'NATIVE_PACKAGE_MISSING',
    message: `The package isolated-vm does not load on this machine (${reason}); run npm ci again, then claw doctor.`,
  };
}

/** What an outcome is told by. */
interface Allowed {
  readonly job: SandboxJob;
  readonly cpuMsMax: number;
  readonly baselineMb: number;
}

function toOutcome(ending: Ending, allowed: Allowed, seen: SandboxUsage): SandboxOutcome {
  const { job, cpuMsMax, baselineMb } = allowed;
  const bounds = { ...job, cpuMs: cpuMsMax };
  switch (ending.type) {
    case 'aborted':
      return failedOutcome('INTENTION_ABORTED', 'The script was stopped on request.', seen);
    case 'ended':
      if (ending.outOfMemory) return violationOutcome('memory', bounds, seen);
      return failedOutcome(
        'SANDBOX_CRASHED',
        'The sandbox process ended before it answered; run the script again.',
        seen,
      );
    case 'violation':
      return violationOutcome(ending.violation, bounds, seen);
    case 'answer':
      return answerOutcome(ending.done, bounds, {
        wallMs: seen.wallMs,
        cpuMs: ending.done.cpuMs || seen.cpuMs,
        memoryMb: Math.max(seen.memoryMb, ending.done.residentMb - baselineMb, 0),
      });
  }
}

const boundCodes = {
  calls: 'SANDBOX_CALLS',
  files: 'SANDBOX_FILES',
  message: 'SANDBOX_MESSAGE',
  output: 'SANDBOX_OUTPUT',
} as const satisfies Record<string, ErrorCode>;

function answerOutcome(done: Done, bounds: Bounds, usage: SandboxUsage): SandboxOutcome {
  const lines = consoleLines(done.console);
  const printed = { console: consoleText(lines), lines };
  switch (done.kind) {
    case 'memory':
      return { ...violationOutcome('memory', bounds, usage), ...printed };
    case 'error':
      return {
        ...failedOutcome('SANDBOX_SCRIPT_ERROR', done.text.slice(0, 2_200), usage),
        ...printed,
      };
    case 'calls':
    case 'files':
    case 'message':
    case 'output':
      return {
        ...failedOutcome(boundCodes[done.kind], done.text.slice(0, 2_200), usage),
        ...printed,
      };
    case 'invalid':
      return { ...invalidOutcome(done.text.slice(0, 2_200), usage), ...printed };
    case 'value': {
      const parsed = parseResultText(done.text);
      return 'problem' in parsed
        ? { ...invalidOutcome(parsed.problem, usage), ...printed }
        : { ok: true, value: parsed.value, ...printed, usage, layers: [] };
    }
  }
}

function invalidOutcome(problem: string, usage: SandboxUsage): SandboxOutcome {
  return failedOutcome(
    'SANDBOX_RESULT_INVALID',
    `The value of the script is not plain JSON data: ${problem}.`,
    usage,
  );
}
