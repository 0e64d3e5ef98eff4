/**
 * Limit: copies a second between shared memories that are warm, with nothing
 * around them but the payload's own stamp and check. The copies go round
 * several targets, as messages in flight do.
 */
import { Ledger, markOf, stamp } from './payload.ts';

export class MemoryLimit {
  readonly #source: Int32Array;
  readonly #targets: readonly Int32Array[];
  readonly #lengthBytes: number;

  /** @param targets how many messages would be in flight. */
  constructor(lengthBytes: number, targets: number) {
    this.#lengthBytes = lengthBytes;
    this.#source = new Int32Array(new SharedArrayBuffer(lengthBytes)).fill(1);
    this.#targets = Array.from({ length: targets }, () =>
      new Int32Array(new SharedArrayBuffer(lengthBytes)).fill(1),
    );
  }

  /** Copies a second over `messages` copies. */
  rate(messages: number): number {
    const count = this.#lengthBytes / 4;
    const ledger = new Ledger(1);
    const from = Buffer.from(this.#source.buffer);
    const buffers = this.#targets.map((words) => Buffer.from(words.buffer));
    const startedMs = performance.now();
    for (let number = 0; number < messages; number += 1) {
      const at = number % buffers.length;
      stamp({ words: this.#source, first: 0, count }, markOf(0, number));
      from.copy(buffers[at] ?? from);
      ledger.check(this.#targets[at] ?? this.#source, 0, count);
    }
    return messages / ((performance.now() - startedMs) / 1_000);
  }
}
