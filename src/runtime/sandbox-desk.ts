/** Scripts that somebody runs by hand, in a pool of their own that begins with the first of them. */
import { limits } from '../kernel/limits.ts';
import { SandboxPool } from '../sandbox/sandbox.ts';
import type { SandboxPoolSettings } from './sandbox-config.ts';
import type { SandboxReport, SandboxRequest } from './views.ts';

export class SandboxDesk {
  readonly #settings: SandboxPoolSettings;
  #pool: SandboxPool | null = null;

  constructor(settings: SandboxPoolSettings) {
    this.#settings = settings;
  }

  /** Aborting the signal kills the script, or takes it out of the queue. */
  execute(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxReport> {
    this.#pool ??= new SandboxPool({ size: 1, policy: this.#settings.policy });
    return this.#pool.execute({
      source: request.source,
      timeoutMs: request.timeoutMs ?? limits.sandboxTimeoutMsDefault,
      memoryMb: request.memoryMb ?? limits.sandboxMemoryMbDefault,
      signal,
    });
  }

  async close(): Promise<void> {
    await this.#pool?.close();
  }
}
