/** Live tokens of runs, for whoever listens; nothing of them is kept. */
import type { RunId } from '../kernel/ids.ts';
import type { TokenNotice } from './inference-worker/protocol.ts';
import type { TokenView } from './views.ts';

export class TokenFeed {
  readonly #listeners = new Set<(token: TokenView) => void>();

  /** Returns what ends it. */
  subscribe(listener: (token: TokenView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish({ label, text, confidence, place }: TokenNotice): void {
    const { run, actor } = label ?? {};
    if (typeof run !== 'string' || typeof actor !== 'string') return;
    const token: TokenView = { run: run as RunId, actor, text, confidence, place };
    for (const listener of this.#listeners) listener(token);
  }
}
