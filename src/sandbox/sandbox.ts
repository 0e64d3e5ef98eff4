/**
 * Runs scripts that nobody trusts, each in a process of its own.
 *
 * A script is evaluated as a script, and its value is the awaited completion
 * value: what its last expression statement gives. `await` at the top level is
 * allowed (see top-level-await.ts), and a main function (see entry-point.ts).
 * There is no require, process, network, timer or thread; `input` is a global
 * when given; `fs` is a file system in memory, `tools` what is granted;
 * `console` is captured; Math.random is seeded and now is fixed, so that an
 * execution repeats exactly.
 *
 * Invariants
 *   P1. `execute` never rejects: what a script does is an outcome.
 *   P2. A process serves one execution (sandbox-process.ts S1); warm ones wait
 *       so that an execution need not wait for a start.
 *   P3. At most `limits.sandboxConcurrencyMax` run and `limits.sandboxQueueMax`
 *       wait; one more is refused with ACTUATOR_BUSY.
 *   P4. Warm processes are started when nothing runs, or little by little: an
 *       execution under way is not slowed by what only later ones need.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { type CheckedExecution, checkedExecution, type Execution } from './execution.ts';
import { ExecutionPlaces } from './execution-places.ts';
import { type HostLayers, hostLayers } from './layers/host-layers.ts';
import { type LayerPolicy, layerPolicyDefault } from './layers/layer.ts';
import { outputManifest } from './output-manifest.ts';
import { OverlayFileSystem } from './overlay-file-system.ts';
import type { SandboxJob } from './protocol.ts';
import { failedOutcome, type SandboxOutcome } from './sandbox-outcome.ts';
import { type RunOptions, SandboxProcess } from './sandbox-process.ts';
import { prepareSandbox, type SandboxRefusal, type SandboxSetup } from './sandbox-setup.ts';
import { type ToolPort, toolNamesProblem } from './tool-port.ts';

/** One script for an isolate; the global `input` is its input. */
export interface SandboxExecution extends Execution {
  /** JavaScript unless it says otherwise. Types of TypeScript are stripped. */
  readonly language?: 'js' | 'ts' | undefined;
  /** The tools that the script is granted; none by default. */
  readonly tools?: ToolPort | undefined;
}

const noTools: ToolPort = {
  names: [],
  call: () => Promise.reject(new Error('no tool is granted')),
};

/** Starts that may fail in a row before warm processes are no longer started ahead. */
const failedStartsMax = 3;

/** What a pool keeps ready, and what it asks of the host. */
export interface SandboxPoolOptions {
  /** Warm processes that wait for work, 0 to limits.sandboxPoolSizeMax. */
  readonly size: number;
  /** Which layers are required. */
  readonly policy?: LayerPolicy | undefined;
  /** What the host has; looked for unless given. */
  readonly host?: HostLayers | undefined;
}

export class SandboxPool {
  readonly #size: number;
  readonly #setup: Promise<SandboxSetup | SandboxRefusal>;
  readonly #warm: SandboxProcess[] = [];
  readonly #alive = new Set<SandboxProcess>();
  /** Of those that run at once (P3). */
  readonly #places = new ExecutionPlaces({
    runningMax: limits.sandboxConcurrencyMax,
    waitingMax: limits.sandboxQueueMax,
  });
  #failedStarts = 0;
  #closed = false;
  #refillTimer: NodeJS.Timeout | null = null;

  constructor({ size, policy = layerPolicyDefault, host }: SandboxPoolOptions) {
    assert(
      Number.isInteger(size) && size >= 0 && size <= limits.sandboxPoolSizeMax,
      'the pool size is within its bounds',
    );
    this.#size = size;
    this.#setup = Promise.resolve(host ?? hostLayers()).then((found) =>
      prepareSandbox(policy, found),
    );
    this.#refill();
  }

  /** Resolves once as many processes wait for work as shall, or no more can be started. */
  async warmed(): Promise<void> {
    // Idle processes do not keep the program alive; waiting for them does.
    const alive = setInterval(() => {}, limits.sandboxStartMsMax);
    try {
      for (;;) {
        this.#refill();
        const starting = this.#warm.filter(({ isReady }) => !isReady);
        if (starting.length === 0) return;
        await Promise.race(starting.map(({ readiness }) => readiness));
      }
    } finally {
      clearInterval(alive);
    }
  }

  /** Runs one script to its outcome (P1). */
  async execute(execution: SandboxExecution): Promise<SandboxOutcome> {
    const checked = checkedExecution(execution);
    if (typeof checked === 'string') return failedOutcome('SANDBOX_INPUT_INVALID', checked);
    const job = toJob(execution, checked);
    if (typeof job === 'string') return failedOutcome('SANDBOX_INPUT_INVALID', job);
    const { limits: own, cpuMs } = checked;
    const { signal, tools = noTools } = execution;
    const fileSystem = execution.fileSystem ?? new OverlayFileSystem({ limits: own });
    const called = { fileSystem, tools, limits: own };
    if (this.#closed) return failedOutcome('SANDBOX_CRASHED', 'The sandbox is closed.');
    const entry = await this.#places.enter(execution.signal);
    if (entry === 'aborted') return abortedOutcome();
    if (entry === 'full') {
      return failedOutcome(
        'ACTUATOR_BUSY',
        `${limits.sandboxQueueMax} scripts already wait for a sandbox process; try again later.`,
      );
    }
    try {
      const outcome = await this.#run(job, { cpuMs, signal, called });
      return outcome.ok ? { ...outcome, files: await outputManifest(fileSystem) } : outcome;
    } finally {
      this.#leave();
    }
  }

  /** Kills every process and waits until they are gone. Executions in progress end as crashed. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#refillTimer !== null) clearTimeout(this.#refillTimer);
    await Promise.all([...this.#alive].map((sandbox) => sandbox.end()));
  }

  async #run(job: SandboxJob, options: RunOptions): Promise<SandboxOutcome> {
    // A warm process may have died while it waited: the next one, or a cold one, takes the job.
    for (let attempt = 0; attempt <= this.#size; attempt += 1) {
      if (this.#closed) break;
      if (options.signal?.aborted) return abortedOutcome();
      const sandbox = this.#takeWarm() ?? this.#start();
      this.#scheduleRefill();
      const readiness = await sandbox.claim();
      if (readiness.ready) {
        this.#failedStarts = 0;
        const outcome = await sandbox.run(job, options);
        if (outcome !== null) return outcome;
        continue;
      }
      sandbox.kill();
      const { refusal } = readiness;
      if (refusal !== undefined) return failedOutcome(refusal.code, refusal.message);
    }
    return failedOutcome('SANDBOX_CRASHED', 'No sandbox process could be started.');
  }

  /** One that is ready rather than one that is only about to be. */
  #takeWarm(): SandboxProcess | undefined {
    const ready = this.#warm.findIndex(({ isReady }) => isReady);
    return this.#warm.splice(Math.max(ready, 0), 1)[0];
  }

  #leave(): void {
    this.#places.leave();
    if (this.#places.isEmpty) this.#refill(); // (P4)
  }

  /** Refills at once when nothing runs, else in a while (P4). */
  #scheduleRefill(): void {
    if (this.#refillTimer !== null) return;
    this.#refillTimer = setTimeout(() => {
      this.#refillTimer = null;
      this.#refill();
    }, limits.sandboxRefillDelayMs);
    this.#refillTimer.unref();
  }

  #refill(): void {
    while (
      !this.#closed &&
      this.#warm.length < this.#size &&
      this.#warm.filter(({ isReady }) => !isReady).length < limits.sandboxStartsMax &&
      this.#failedStarts < failedStartsMax
    ) {
      this.#warm.push(this.#start());
    }
  }

  #start(): SandboxProcess {
    const sandbox = new SandboxProcess(this.#setup);
    this.#alive.add(sandbox);
    void sandbox.readiness.then((readiness) => {
      if (!readiness.ready) this.#failedStarts += 1;
      if (this.#places.isEmpty) this.#refill();
      else this.#scheduleRefill();
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
function toJob(
  { language = 'js', tools = noTools }: SandboxExecution,
  { cpuMs: _watched, ...checked }: CheckedExecution,
): SandboxJob | string {
  if (language !== 'js' && language !== 'ts') return 'The language is js or ts.';
  const problem = toolNamesProblem(tools.names);
  return problem ?? { ...checked, language, tools: tools.names };
}
