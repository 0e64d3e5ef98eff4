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
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PipeFrameReader, PipeFrameWriter } from '../bus/pipe-frames.ts';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { siblingModule } from '../kernel/module-url.ts';
import {
  answerTopic,
  jobTopic,
  runtimeEnd,
  type SandboxAnswer,
  type SandboxJob,
  sandboxAnswerSchema,
} from './protocol.ts';
import { parseResultText } from './result-text.ts';
import { failedOutcome, type SandboxOutcome, type SandboxUsage } from './sandbox-outcome.ts';
import { type Violation, watchProcess } from './watchdog.ts';

type Done = Extract<SandboxAnswer, { type: 'done' }>;

/** How a started process is: able to take a job, or not, and why. */
export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly unusable: boolean; readonly message: string };

/** The permission model denies writing, sockets, processes and threads to the main thread too. */
const nodeFlags = ['--no-warnings', '--permission', '--allow-addons', '--allow-fs-read=*'];

type Ending =
  | { readonly type: 'answer'; readonly done: Done }
  | { readonly type: 'violation'; readonly violation: Violation }
  | { readonly type: 'aborted' }
  | { readonly type: 'ended' };

export class SandboxProcess {
  /** Resolves once, to whether the process can take a job. Never rejects. */
  readonly readiness: Promise<Readiness>;
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #baselineMb = 0;
  #used = false;
  #begun = false;
  #onDone: (done: Done) => void = () => {};
  #onReadiness: (readiness: Readiness) => void = () => {};

  constructor() {
    this.#child = spawn(
      process.execPath,
      [...nodeFlags, fileURLToPath(siblingModule(import.meta.url, 'child-entry'))],
      {
        // Only the time zone, so that a script formats dates alike on every host.
        env: { TZ: 'UTC' },
        cwd: tmpdir(),
        stdio: ['pipe', 'pipe', 'ignore'],
        // Its own session: Ctrl-C in the terminal is for the runtime alone.
        detached: process.platform !== 'win32',
        windowsHide: true,
      },
    );
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
    this.readiness = this.#awaitReadiness();
    this.#child.stdin.on('error', () => {}); // The end of the process is noticed by `exited`.
    this.#child.stdout.on('error', () => {});
    const reader = new PipeFrameReader(limits.sandboxFrameBytesMax);
    this.#child.stdout.on('data', (chunk: Buffer) => {
      const frames = reader.push(chunk);
      if (frames === null) this.kill();
      else for (const { header, body } of frames) this.#receive(header.topic, body);
    });
    this.#holdEventLoop(false);
  }

  /** Keeps the event loop alive from now on, and waits until the process is ready or fails to be. */
  claim(): Promise<Readiness> {
    this.#holdEventLoop(true);
    return this.readiness;
  }

  /**
   * Runs the one script of this process. Only after `claim` said ready. Null
   * when the process was gone before the script began: another may run it.
   * @param signal aborting it kills the process; the outcome is INTENTION_ABORTED.
   */
  async run(job: SandboxJob, signal?: AbortSignal): Promise<SandboxOutcome | null> {
    assert(!this.#used, 'a sandbox process runs one script only'); // (S1)
    this.#used = true;
    const { promise, resolve } = Promise.withResolvers<Ending>(); // (S3)
    const onAbort = (): void => resolve({ type: 'aborted' });
    this.#onDone = (done) => resolve({ type: 'answer', done });
    void this.exited.then(() => resolve({ type: 'ended' }));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const watch = watchProcess({
      pid: this.#child.pid ?? 0,
      baselineMb: this.#baselineMb,
      memoryMb: job.memoryMb,
      timeoutMs: job.timeoutMs,
      onViolation: (violation) => resolve({ type: 'violation', violation }),
    });
    const writer = new PipeFrameWriter(runtimeEnd, limits.sandboxFrameBytesMax);
    this.#child.stdin.write(writer.encode(jobTopic, job));
    const ending = await promise;
    signal?.removeEventListener('abort', onAbort);
    const observed = watch.stop();
    if (ending.type === 'ended' && !this.#begun) return null;
    const outcome = toOutcome(
      ending,
      job,
      {
        wallMs: observed.wallMs,
        cpuMs: observed.cpuMs ?? 0,
        memoryMb: observed.memoryMb,
      },
      this.#baselineMb,
    );
    setImmediate(() => this.kill()); // (S2)
    return outcome;
  }

  /** Ends the process at once, in whatever it is doing. */
  kill(): void {
    this.#child.kill('SIGKILL');
    this.#child.stdout.destroy();
    this.#child.stdin.destroy();
  }

  /** Kills the process and waits until it is gone. */
  async end(): Promise<void> {
    this.#child.ref();
    this.kill();
    await this.exited;
  }

  #awaitReadiness(): Promise<Readiness> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({ ready: false, unusable: false, message: 'it did not start in time' });
        this.kill();
      }, limits.sandboxStartMsMax);
      timer.unref();
      this.#onReadiness = (readiness) => {
        clearTimeout(timer);
        resolve(readiness);
      };
      void this.exited.then(() =>
        this.#onReadiness({ ready: false, unusable: false, message: 'it ended while starting' }),
      );
    });
  }

  #receive(topic: number, message: unknown): void {
    const parsed = sandboxAnswerSchema.safeParse(message);
    if (topic !== answerTopic || !parsed.success) {
      this.kill();
      return;
    }
    const answer = parsed.data;
    switch (answer.type) {
      case 'ready':
        // A script cannot lower its own bound: the baseline is taken before it runs.
        if (!this.#used) this.#baselineMb = answer.residentMb;
        this.#onReadiness({ ready: true });
        break;
      case 'begun':
        this.#begun = true;
        break;
      case 'unusable':
        this.#onReadiness({ ready: false, unusable: true, message: answer.message });
        break;
      case 'done':
        this.#onDone(answer);
        break;
    }
  }

  /** An idle process must not keep the runtime alive; a running script must. */
  #holdEventLoop(hold: boolean): void {
    const streams = [this.#child.stdin, this.#child.stdout] as unknown as {
      ref?(): void;
      unref?(): void;
    }[];
    if (hold) this.#child.ref();
    else this.#child.unref();
    for (const stream of streams) {
      if (hold) stream.ref?.();
      else stream.unref?.();
    }
  }
}

function toOutcome(
  ending: Ending,
  job: SandboxJob,
  seen: SandboxUsage,
  baselineMb: number,
): SandboxOutcome {
  switch (ending.type) {
    case 'aborted':
      return failedOutcome('INTENTION_ABORTED', 'The script was stopped on request.', seen);
    case 'ended':
      return failedOutcome(
        'SANDBOX_CRASHED',
        'The sandbox process ended before it answered; run the script again.',
        seen,
      );
    case 'violation':
      return ending.violation === 'timeout'
        ? failedOutcome(
            'SANDBOX_TIMEOUT',
            `The script ran longer than ${job.timeoutMs} ms and was killed.`,
            seen,
          )
        : memoryOutcome(job, seen);
    case 'answer':
      return answerOutcome(ending.done, job, {
        wallMs: seen.wallMs,
        cpuMs: ending.done.cpuMs || seen.cpuMs,
        memoryMb: Math.max(seen.memoryMb, ending.done.residentMb - baselineMb, 0),
      });
  }
}

function memoryOutcome(job: SandboxJob, usage: SandboxUsage): SandboxOutcome {
  return failedOutcome(
    'SANDBOX_MEMORY',
    `The script used more than ${job.memoryMb} MiB of memory and was killed.`,
    usage,
  );
}

function answerOutcome(done: Done, job: SandboxJob, usage: SandboxUsage): SandboxOutcome {
  const console = done.console.slice(0, limits.sandboxConsoleBytesMax);
  switch (done.kind) {
    case 'memory':
      return { ...memoryOutcome(job, usage), console };
    case 'error':
      return {
        ...failedOutcome('SANDBOX_SCRIPT_ERROR', done.text.slice(0, 2_200), usage),
        console,
      };
    case 'invalid':
      return { ...invalidOutcome(done.text.slice(0, 2_200), usage), console };
    case 'value': {
      const parsed = parseResultText(done.text);
      return 'problem' in parsed
        ? { ...invalidOutcome(parsed.problem, usage), console }
        : { ok: true, value: parsed.value, console, usage };
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
