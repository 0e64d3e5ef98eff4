/** Actors of one host that have mail, in turn; those that are held keep theirs and wait. */
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { ActorCell } from './actor-cell.ts';

export class RunQueue {
  readonly #cells: ActorCell[] = [];
  readonly #isHeld: (run: RunId, actor: ActorId) => boolean;

  constructor(isHeld: (run: RunId, actor: ActorId) => boolean) {
    this.#isHeld = isHeld;
  }

  get length(): number {
    return this.#cells.length;
  }

  /** Gives the actor a turn, if it has mail, may take it, and does not wait for one already. */
  schedule(cell: ActorCell): void {
    const { run, id } = cell.actor;
    if (cell.scheduled || cell.mail === 0 || this.#isHeld(run, id)) return;
    cell.scheduled = true;
    this.#cells.push(cell);
  }

  /** The next that has its turn; one that is held by now gives it up. */
  next(): ActorCell | undefined {
    for (let cell = this.#cells.shift(); cell !== undefined; cell = this.#cells.shift()) {
      cell.scheduled = false;
      const { run, id } = cell.actor;
      if (!this.#isHeld(run, id)) return cell;
    }
    return undefined;
  }
}
