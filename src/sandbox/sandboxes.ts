/**
 * Scripts of every language behind one call: JavaScript and TypeScript in
 * isolates, shell and Python under bubblewrap. Neither is started before a
 * script asks for it, or `prepare` does.
 */
import type { Execution } from './execution.ts';
import { SandboxPool, type SandboxPoolOptions } from './sandbox.ts';
import type { SandboxOutcome } from './sandbox-outcome.ts';
import { ScriptExecutor } from './script-executor.ts';
import { scriptLanguages } from './script-language.ts';
import type { ToolPort } from './tool-port.ts';

/** js and ts are executed alike each time (sandbox.ts); the others are not (script-executor.ts). */
export const languages = ['js', 'ts', ...scriptLanguages] as const;
export type Language = (typeof languages)[number];

export interface AnyExecution extends Execution {
  /** JavaScript unless it says otherwise. */
  readonly language?: Language | undefined;
  /** The tools that a script in an isolate is granted. */
  readonly tools?: ToolPort | undefined;
}

export class Sandboxes {
  readonly #options: SandboxPoolOptions;
  #pool: SandboxPool | null = null;
  #scripts: ScriptExecutor | null = null;
  #closed = false;

  constructor(options: SandboxPoolOptions) {
    this.#options = options;
  }

  /** Starts the processes that wait for scripts in isolates. */
  prepare(): void {
    this.#isolates();
  }

  /** Runs one script to its outcome; never rejects. */
  execute(execution: AnyExecution): Promise<SandboxOutcome> {
    const { language = 'js', ...rest } = execution;
    if (language === 'js' || language === 'ts') {
      return this.#isolates().execute({ ...rest, language });
    }
    this.#scripts ??= new ScriptExecutor(this.#options);
    if (this.#closed) void this.#scripts.close();
    return this.#scripts.execute({ ...rest, language });
  }

  #isolates(): SandboxPool {
    this.#pool ??= new SandboxPool({
      ...this.#options,
      size: this.#closed ? 0 : this.#options.size,
    });
    if (this.#closed) void this.#pool.close();
    return this.#pool;
  }

  /** Kills every process and waits until they are gone. Executions in progress end as crashed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#pool?.close(), this.#scripts?.close()]);
  }
}
