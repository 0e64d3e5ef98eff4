/** What the reader of a snapshot knows already: whose it is. */
import type { ActorId, RunId } from '../kernel/ids.ts';

/** Names of one actor, and what is made of them. */
export class SnapshotNames {
  readonly run: RunId;
  readonly id: ActorId;
  #parent: string | null = null;
  #keys: string | null = null;

  constructor(run: RunId, id: ActorId) {
    this.run = run;
    this.id = id;
  }

  /** Empty for the first actor of a run. */
  get parent(): string {
    this.#parent ??= this.id.slice(0, Math.max(0, this.id.lastIndexOf('/')));
    return this.#parent;
  }

  /** What the keys of its intentions begin with. */
  get keys(): string {
    this.#keys ??= `${this.run}:${this.id}:`;
    return this.#keys;
  }
}
