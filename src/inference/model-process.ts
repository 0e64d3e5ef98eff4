/**
 * One process that serves a model, from its start to its end. It is never
 * started again; child-model.ts starts another one.
 *
 * Invariants
 *   P1. Every generation is answered exactly once: by the process, or by its end.
 *   P2. A close is asked for, and after limits.modelCloseMsMax the process is killed.
 *   P3. What it stored of its sequences goes with it, however it ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromErrorMessage, RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { siblingModule } from '../kernel/module-url.ts';
import type { FromModelProcess, ToModelProcess } from './child-model-protocol.ts';
import { visibleGpu } from './device.ts';
import type {
  GenerateOptions,
  GenerationOutcome,
  GenerationRequest,
  ModelInfo,
  ModelUsage,
} from './model-port.ts';
import type { ModelSettings } from './open-model.ts';
import { abortedError } from './time-limit.ts';

/** What a dying process said last that is kept. */
const lastWordsCharactersMax = 2_048;
/** And the part of it that a message shows. */
const lastLineCharactersMax = 200;

interface OpenCall {
  readonly answer: PromiseWithResolvers<GenerationOutcome>;
  readonly onToken: GenerateOptions['onToken'];
}

export class ModelProcess {
  /** Rejects with the code of a load failure, or INFERENCE_UNAVAILABLE when the process ends first. */
  readonly opened: Promise<ModelInfo>;
  /** Resolves with what ended the process, for people, once it is gone. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #opened = Promise.withResolvers<ModelInfo>();
  readonly #calls = new Map<number, OpenCall>();
  readonly #usage: PromiseWithResolvers<ModelUsage | null>[] = [];
  #lastCall = 0;
  #onEnd: (reason: string) => void = () => undefined;
  #ending: string | null = null;
  #closing = false;
  readonly #stateFolder: string | null;

  /** Starts the process and has it open the model. */
  constructor(settings: ModelSettings) {
    this.opened = this.#opened.promise;
    this.opened.catch(() => undefined);
    const entry = fileURLToPath(siblingModule(import.meta.url, 'child-model-entry'));
    this.#child = spawn(process.execPath, [entry], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
      windowsHide: true,
      env: { ...process.env, ...visibleGpu(settings.device ?? 'auto') },
    });
    const said = keepLastWords(this.#child);
    const ended = Promise.withResolvers<string>();
    this.ended = ended.promise;
    const end = (reason: string): void => {
      this.#end(reason);
      ended.resolve(reason);
    };
    this.#child.on('message', (message) => this.#take(message as FromModelProcess));
    // Neither event comes before the last message that the process had sent.
    this.#child.once('close', (status, signal) => end(describeEnd(status, signal, said())));
    this.#child.once('error', (cause) => end(`it cannot be started: ${cause.message}`));
    this.#stateFolder = ownFolder(settings.stateFolder);
    const own = this.#stateFolder === null ? {} : { stateFolder: this.#stateFolder };
    this.#tell({ type: 'open', settings: { ...settings, ...own } });
  }

  /** @throws RuntimeError as `ModelPort.generate`; INFERENCE_UNAVAILABLE, retryable, when the process ends. */
  async generate(
    request: GenerationRequest,
    { onToken, signal, ...options }: GenerateOptions = {},
  ): Promise<GenerationOutcome> {
    if (signal?.aborted) throw abortedError();
    if (this.#ending !== null) throw processEnded(this.#ending);
    this.#lastCall += 1;
    const call = this.#lastCall;
    const answer = Promise.withResolvers<GenerationOutcome>();
    this.#calls.set(call, { answer, onToken });
    const onAbort = (): void => this.#tell({ type: 'abort', call });
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#tell({ type: 'generate', call, request, tokens: onToken !== undefined, options });
    try {
      return await answer.promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** What its model holds; null once it has ended. */
  async usage(): Promise<ModelUsage | null> {
    if (this.#ending !== null) return null;
    const waiting = Promise.withResolvers<ModelUsage | null>();
    this.#usage.push(waiting);
    this.#tell({ type: 'usage' });
    return waiting.promise;
  }

  forget(queueKey: string): void {
    this.#tell({ type: 'forget', queueKey });
  }

  /** Calls the listener with what ended the process, before any open generation hears of it. */
  onEnd(listener: (reason: string) => void): void {
    if (this.#ending === null) this.#onEnd = listener;
    else listener(this.#ending);
  }

  /** Ends the process, by its own hand if it is in time (P2). */
  async close(): Promise<void> {
    if (!this.#closing) this.#tell({ type: 'close' });
    this.#closing = true;
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), limits.modelCloseMsMax);
    await this.ended;
    clearTimeout(kill);
  }

  #tell(message: ToModelProcess): void {
    // Whoever waits for an answer that cannot come hears of the end instead (P1).
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #take(message: FromModelProcess): void {
    switch (message.type) {
      case 'opened':
        this.#opened.resolve(message.info);
        return;
      case 'refused':
        this.#opened.reject(fromErrorMessage(message.error));
        void this.close();
        return;
      case 'token':
        this.#calls.get(message.call)?.onToken?.(message.token, message.place);
        return;
      case 'usage':
        for (const waiting of this.#usage.splice(0)) waiting.resolve(message.usage);
        return;
      case 'outcome':
        this.#settle(message.call)?.resolve(message.outcome);
        return;
      case 'failed':
        this.#settle(message.call)?.reject(fromErrorMessage(message.error));
        return;
    }
  }

  #settle(call: number): PromiseWithResolvers<GenerationOutcome> | undefined {
    const open = this.#calls.get(call);
    this.#calls.delete(call); // (P1)
    return open?.answer;
  }

  #end(reason: string): void {
    if (this.#ending !== null) return;
    this.#ending = reason;
    this.#onEnd(reason);
    const error = this.#closing ? abortedError() : processEnded(reason);
    this.#opened.reject(error);
    for (const waiting of this.#usage.splice(0)) waiting.resolve(null);
    // A process that was killed has left its files (P3).
    if (this.#stateFolder !== null) rmSync(this.#stateFolder, { recursive: true, force: true });
    for (const call of [...this.#calls.keys()]) this.#settle(call)?.reject(error);
  }
}

function ownFolder(folder: string | undefined): string | null {
  if (folder === undefined) return null;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return mkdtempSync(join(folder, 'process-'));
}

function keepLastWords(child: ChildProcess): () => string {
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-lastWordsCharactersMax);
  });
  return () => words;
}

function describeEnd(status: number | null, signal: string | null, said: string): string {
  const how = signal ?? `status ${status}`;
  const line = said.trim().split('\n').at(-1)?.slice(0, lastLineCharactersMax) ?? '';
  return line === '' ? how : `${how}, "${line}"`;
}

function processEnded(reason: string): RuntimeError {
  return new RuntimeError(
    'INFERENCE_UNAVAILABLE',
    `The process of the model ended (${reason}); it is started again, and the generation can be asked again.`,
    { retryable: true },
  );
}
