/**
 * Runs shell and Python scripts that nobody trusts: skills bring them. There is
 * no isolate around them, so the namespaces of bubblewrap are what holds them,
 * and without these nothing is run.
 *
 * A script has the programs of the host to read, the files of its execution,
 * its input as JSON on standard input, and no network. Its value is what it
 * wrote to standard output. Two executions need not be equal: time, process
 * numbers and the host's programs reach it.
 *
 * Invariants
 *   X1. `execute` never rejects: what a script does is an outcome.
 *   X2. Without bubblewrap every execution is refused, whatever the policy.
 *   X3. Nothing of the script runs before the kernel's own account of the
 *       process names every layer that it was started under.
 *   X4. Whatever happens, everything that the script has started is gone when
 *       its outcome is there.
 *   X5. At most `limits.sandboxConcurrencyMax` run at once.
 */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type ConsoleLine, consoleText } from './console-lines.ts';
import { type CheckedExecution, checkedExecution, type Execution } from './execution.ts';
import { ExecutionPlaces } from './execution-places.ts';
import { ConfinedProcess, type LayersInUse } from './layers/confined-process.ts';
import { type HostLayers, hostLayers } from './layers/host-layers.ts';
import {
  type LayerName,
  type LayerPolicy,
  layerPolicyDefault,
  missingLayers,
  missingLayersMessage,
} from './layers/layer.ts';
import { observedLayers } from './layers/observed-layers.ts';
import { outputManifest } from './output-manifest.ts';
import { OverlayFileSystem } from './overlay-file-system.ts';
import { failedOutcome, type SandboxOutcome, type SandboxUsage } from './sandbox-outcome.ts';
import { packFiles, type ScriptAnswer, takeAnswer } from './script-files.ts';
import { findInterpreter, programName, type ScriptLanguage } from './script-language.ts';
import { fileTooLarge, launcherCommand } from './script-launcher.ts';
import { violationOutcome } from './violation-outcome.ts';
import { type Violation, watchProcess } from './watchdog.ts';

/** One script. Tools it cannot call. */
export interface ScriptExecution extends Execution {
  readonly language: ScriptLanguage;
}

interface ScriptJob extends CheckedExecution {
  readonly language: ScriptLanguage;
}

export interface ScriptExecutorOptions {
  readonly policy?: LayerPolicy | undefined;
  /** What the host has; looked for unless given. */
  readonly host?: HostLayers | undefined;
}

type Ending =
  | { readonly type: 'answer'; readonly answer: ScriptAnswer; readonly status: number | null }
  | { readonly type: 'violation'; readonly violation: Violation }
  | { readonly type: 'aborted' }
  | { readonly type: 'refused'; readonly error: RuntimeError }
  | { readonly type: 'ended'; readonly outOfMemory: boolean; readonly complaint: string };

export class ScriptExecutor {
  readonly #policy: LayerPolicy;
  readonly #host: Promise<HostLayers>;
  readonly #places = new ExecutionPlaces({
    runningMax: limits.sandboxConcurrencyMax,
    waitingMax: limits.sandboxQueueMax,
  });
  readonly #alive = new Set<ConfinedProcess>();
  #closed = false;

  constructor({ policy = layerPolicyDefault, host }: ScriptExecutorOptions = {}) {
    this.#policy = { ...policy, bubblewrap: 'require' }; // (X2)
    this.#host = Promise.resolve(host ?? hostLayers());
  }

  /** Runs one script to its outcome (X1). */
  async execute(execution: ScriptExecution): Promise<SandboxOutcome> {
    const checked = checkedExecution(execution);
    if (typeof checked === 'string') return failedOutcome('SANDBOX_INPUT_INVALID', checked);
    const { language, signal } = execution;
    const job = { ...checked, language };
    if (this.#closed) return failedOutcome('SANDBOX_CRASHED', 'The sandbox is closed.');
    const place = await this.#places.enter(signal);
    if (place === 'aborted') return abortedOutcome();
    if (place === 'full') {
      const most = limits.sandboxQueueMax;
      return failedOutcome('ACTUATOR_BUSY', `${most} scripts already wait; try again later.`);
    }
    try {
      const fileSystem = execution.fileSystem ?? new OverlayFileSystem(job);
      return await this.#run(job, { fileSystem, signal });
    } catch (error) {
      if (error instanceof RuntimeError) return failedOutcome(error.code, error.message);
      const reason = error instanceof Error ? error.message : String(error);
      return failedOutcome('SANDBOX_CRASHED', `The script could not be run (${reason}).`);
    } finally {
      this.#places.leave();
    }
  }

  /** Kills whatever runs and waits until it is gone. Executions in progress end as crashed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#alive].map((process) => {
        process.kill();
        return process.exited;
      }),
    );
  }

  async #run(job: ScriptJob, { fileSystem, signal }: Given): Promise<SandboxOutcome> {
    const host = await this.#host;
    const missing = missingLayers(this.#policy, host.states);
    if (missing.length > 0) {
      const message = missing.includes('bubblewrap')
        ? `A ${programName(job.language)} script is run under bubblewrap or not at all, and it does not work here. ${remedyOf(host)}`
        : missingLayersMessage(missing, host.states);
      return failedOutcome('SANDBOX_LAYER_MISSING', message);
    }
    const interpreter = findInterpreter(job.language);
    if (interpreter === null) {
      const name = programName(job.language);
      return failedOutcome('SANDBOX_INTERPRETER_MISSING', `${name} is not installed here.`);
    }
    const scriptFile = `script.${job.language}`;
    const { source, timeMs } = job;
    const packed = await packFiles(fileSystem, { name: scriptFile, source, timeMs });
    const command = launcherCommand({
      interpreter,
      scriptFile,
      unpacked: packed.tar,
      folders: packed.folders,
      unpackedBytes: packed.bytes,
      seed: job.seed,
      memoryBytes: (job.memoryMb * 1.25 + limits.sandboxMemorySlackMb) * 1024 * 1024,
      tasks: limits.sandboxScriptProcessesMax,
      limits: job.limits,
    });
    const layers = host.inUse('script');
    const process = await ConfinedProcess.start(command, layers);
    this.#alive.add(process);
    try {
      return await serve(process, layers, { job, fileSystem, signal });
    } finally {
      process.kill();
      await process.exited; // (X4)
      this.#alive.delete(process);
    }
  }
}

interface Given {
  readonly fileSystem: OverlayFileSystem;
  readonly signal: AbortSignal | undefined;
}

/** From the started process to the outcome. */
async function serve(
  process: ConfinedProcess,
  layers: LayersInUse,
  { job, fileSystem, signal }: Given & { readonly job: ScriptJob },
): Promise<SandboxOutcome> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const complaint = firstText(process);
  const onAbort = (): void => resolve({ type: 'aborted' });
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const pid = await process.started;
  const isThere = pid !== null && (await hasSpoken(process));
  const seen = isThere ? await observedLayers(pid, process.group?.name ?? null) : [];
  if (!isThere || !areInForce(layers, seen)) {
    signal?.removeEventListener('abort', onAbort);
    process.kill();
    if (signal?.aborted) return abortedOutcome();
    const why = complaint() || 'the kernel does not hold it as it was asked to';
    return failedOutcome('SANDBOX_CRASHED', `The script could not be started: ${why}.`);
  }
  const taken = takeAnswer(process.stdout, fileSystem, job.limits);
  void Promise.all([taken, process.exited]).then(
    ([answer, { code, outOfMemory }]) =>
      resolve(
        outOfMemory
          ? { type: 'ended', outOfMemory, complaint: '' }
          : { type: 'answer', answer, status: code },
      ),
    async (error: unknown) => {
      if (error instanceof RuntimeError) return resolve({ type: 'refused', error });
      process.kill();
      const { outOfMemory } = await process.exited;
      resolve({ type: 'ended', outOfMemory, complaint: complaint() });
    },
  );
  const watch = watchProcess({
    pid,
    descendants: true,
    baselineMb: 0,
    memoryMb: job.memoryMb,
    timeoutMs: job.timeoutMs,
    cpuMs: job.cpuMs,
    onViolation: (violation) => resolve({ type: 'violation', violation }),
  });
  process.stdin.end(`\n${job.input ?? ''}`); // (X3)
  const ending = await promise;
  signal?.removeEventListener('abort', onAbort);
  const { wallMs, cpuMs, memoryMb } = watch.stop();
  const usage = { wallMs, cpuMs: cpuMs ?? 0, memoryMb };
  const outcome = toOutcome(ending, job, usage);
  const files = outcome.ok ? { files: await outputManifest(fileSystem) } : {};
  return { ...outcome, ...files, layers: seen };
}

/** Waits for the launcher's one byte; false when the process ends before it, or takes too long. */
async function hasSpoken(process: ConfinedProcess): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), limits.sandboxStartMsMax);
  const onReadable = (): void => {
    if (process.stdout.read(1) !== null) resolve(true);
  };
  process.stdout.on('readable', onReadable);
  void process.exited.then(() => resolve(false));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    process.stdout.off('readable', onReadable);
  }
}

function areInForce(layers: LayersInUse, seen: readonly LayerName[]): boolean {
  return (
    seen.includes('bubblewrap') &&
    (layers.seccomp === null || seen.includes('seccomp')) &&
    (layers.cgroup === null || seen.includes('cgroup'))
  );
}

/** The beginning of what bubblewrap itself complains of. */
function firstText(process: ConfinedProcess): () => string {
  let text = '';
  process.stderr?.on('data', (chunk: Buffer) => {
    if (text.length < 1_000) text += chunk.toString('utf8');
  });
  return () => (text.split('\n', 1)[0] ?? '').slice(0, 200);
}

function toOutcome(ending: Ending, job: ScriptJob, usage: SandboxUsage): SandboxOutcome {
  switch (ending.type) {
    case 'aborted':
      return failedOutcome('INTENTION_ABORTED', 'The script was stopped on request.', usage);
    case 'refused':
      return failedOutcome(ending.error.code, ending.error.message, usage);
    case 'ended': {
      if (ending.outOfMemory) return violationOutcome('memory', job, usage);
      const why = ending.complaint === '' ? '' : ` (${ending.complaint})`;
      return failedOutcome(
        'SANDBOX_CRASHED',
        `The script's process ended before it answered${why}; run the script again.`,
        usage,
      );
    }
    case 'violation':
      return violationOutcome(ending.violation, job, usage);
    case 'answer':
      return answerOutcome(ending.answer, ending.status, usage);
  }
}

function answerOutcome(
  { output, error }: ScriptAnswer,
  status: number | null,
  usage: SandboxUsage,
): SandboxOutcome {
  const text = output.toString('utf8');
  const lines = [...linesOf(text, 'log'), ...linesOf(error.toString('utf8'), 'error')];
  const printed = { console: consoleText(lines), lines };
  if (output.length > limits.sandboxResultBytesMax) {
    const message = `The script wrote more than ${limits.sandboxResultBytesMax} bytes to standard output.`;
    return { ...failedOutcome('SANDBOX_OUTPUT', message, usage), ...printed };
  }
  if (status === 0) return { ok: true, value: text.toWellFormed(), ...printed, usage, layers: [] };
  if (status === fileTooLarge) {
    const message = 'The script wrote a file that is larger than its limit, fileBytes.';
    return { ...failedOutcome('SANDBOX_FILES', message, usage), ...printed };
  }
  const last = lines.findLast(({ level, text: line }) => level === 'error' && line !== '');
  const why = last === undefined ? '' : `: ${last.text.slice(0, 500)}`;
  const message = `The script ended with status ${status ?? 'of a signal'}${why}`;
  return { ...failedOutcome('SANDBOX_SCRIPT_ERROR', message, usage), ...printed };
}

function linesOf(text: string, level: ConsoleLine['level']): ConsoleLine[] {
  const bounded = text.slice(0, limits.sandboxConsoleBytesMax);
  const lines = bounded.split('\n').slice(0, limits.sandboxConsoleLinesMax);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => ({ level, text: line }));
}

function abortedOutcome(): SandboxOutcome {
  return failedOutcome('INTENTION_ABORTED', 'The script was stopped on request.');
}

function remedyOf({ states }: HostLayers): string {
  const { bubblewrap } = states;
  return bubblewrap.works ? '' : bubblewrap.remedy;
}
