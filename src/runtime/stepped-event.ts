/**
 * Which event a host is at, in shared memory, so that its death tells which
 * event was fatal: written by the host, read once the host has ended.
 *
 *   Int32  0           bytes 4 …
 *   ┌─────────────────┬──────────────────────────┐
 *   │ length in bytes │ run:sequence:actor, UTF-8│
 *   └─────────────────┴──────────────────────────┘
 */
import type { Actor } from '../actors/actor.ts';

const textBytes = 508;
const textOffset = 4;

export class SteppedEvent {
  readonly memory: SharedArrayBuffer;
  /** Length of the text. */
  readonly #length: Int32Array<SharedArrayBuffer>;
  readonly #text: Buffer;

  constructor(memory = new SharedArrayBuffer(textOffset + textBytes)) {
    this.memory = memory;
    this.#length = new Int32Array(memory, 0, 1);
    this.#text = Buffer.from(memory, textOffset, textBytes);
  }

  /** The host is at the actor's next event; null: at none. */
  set(actor: Pick<Actor, 'run' | 'id' | 'sequence'> | null): void {
    const name = actor === null ? '' : `${actor.run}:${actor.sequence}:${actor.id}`;
    const length = this.#text.write(name, 'utf8');
    Atomics.store(this.#length, 0, length);
  }

  /** What the host was at when it ended, or null. */
  take(): string | null {
    const length = Atomics.exchange(this.#length, 0, 0);
    return length === 0 ? null : this.#text.toString('utf8', 0, length);
  }
}
