/** Scripts that somebody runs by hand, in a pool of their own that begins with the first of them. */
import { Sandboxes } from '../sandbox/sandboxes.ts';
import type { SandboxPoolSettings } from './sandbox-config.ts';
import { runSandboxRequest, type SandboxReport, type SandboxRequest } from './sandbox-request.ts';

export class SandboxDesk {
  readonly #settings: SandboxPoolSettings;
  #sandboxes: Sandboxes | null = null;

  constructor(settings: SandboxPoolSettings) {
    this.#settings = settings;
  }

  /** Aborting the signal kills the script, or takes it out of the queue. */
  execute(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxReport> {
    this.#sandboxes ??= new Sandboxes({ size: 1, policy: this.#settings.policy });
    return runSandboxRequest(this.#sandboxes, request, signal);
  }

  async close(): Promise<void> {
    await this.#sandboxes?.close();
  }
}
