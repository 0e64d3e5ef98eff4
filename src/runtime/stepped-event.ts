/**
 * Which event a host is at, in shared memory, so that its death tells which
 * event was fatal: written by the host, read once the host has ended. And beside
 * it whether the host is to end, which it sees between two turns.
 *
 *   Int32  0           Int32  1   bytes 8 …
 *   ┌─────────────────┬──────────┬──────────────────────────┐
 *   │ length in bytes │ is to end│ run:sequence:actor, UTF-8│
 *   └─────────────────┴──────────┴──────────────────────────┘
 */
import type { Actor } from '../actors/actor.ts';

const textBytes = 504;
const textOffset = 8;

export class SteppedEvent {
  readonly memory: SharedArrayBuffer;
  /** Length of the text; whether to end. */
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #text: Buffer;

  constructor(memory = new SharedArrayBuffer(textOffset + textBytes)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, 2);
    this.#text = Buffer.from(memory, textOffset, textBytes);
  }

  /** The host is at the actor's next event; null: at none. */
  set(actor: Pick<Actor, 'run' | 'id' | 'sequence'> | null): void {
    const name = actor === null ? '' : `${actor.run}:${actor.sequence}:${actor.id}`;
    const length = this.#text.write(name, 'utf8');
    Atomics.store(this.#words, 0, length);
  }

  get isToEnd(): boolean {
    return Atomics.load(this.#words, 1) === 1;
  }

  set isToEnd(value: boolean) {
    Atomics.store(this.#words, 1, value ? 1 : 0);
  }

  /** What the host was at when it ended, or null. */
  take(): string | null {
    const length = Atomics.exchange(this.#words, 0, 0);
    return length === 0 ? null : this.#text.toString('utf8', 0, length);
  }
}
