/**
 * Templates of snapshots for all threads: each is written once into the grid,
 * has a number, and counts the sleeping snapshots that are made with it. One
 * that nobody uses makes room for another, and for snapshots.
 *
 * ```
 *  entry  0        4            8                 12
 *         +--------+------------+-----------------+--------+
 *         | users  | generation | place in the    | unused |
 *         |        |            | grid            |        |
 *         +--------+------------+-----------------+--------+
 *
 *  users: 0 free, -1 while one thread writes or frees it, else 1 + the number of its users
 * ```
 *
 * Invariants
 *   S1. An entry changes only under -1, which one thread has swapped in: from 0
 *       to write it, from 1 to free it. So one that has a user stays.
 *   S2. A generation is never had twice, so a thread knows whether what it has
 *       compiled is still the template of that number.
 */
import { assert } from '../kernel/assert.ts';
import type { SnapshotGrid } from './snapshot-grid.ts';
import { SnapshotTemplate, type TemplateJson } from './snapshot-template.ts';

const entryWords = 4;
export const templateEntryBytes = 4 * entryWords;
const busy = -1;
const unused = 1;
/** The tag of a slab that holds a template. */
const templateTag = 0;

/** A template as one thread has it. */
export interface KnownTemplate {
  readonly number: number;
  readonly generation: number;
  readonly template: SnapshotTemplate;
}

export class SharedTemplates {
  readonly #words: Int32Array;
  readonly #entries: number;
  readonly #grid: SnapshotGrid;
  readonly #known: (KnownTemplate | undefined)[] = [];
  #hand = 0;

  /** The range is zeroed when the first thread opens it; it begins at a multiple of 4. */
  constructor(
    memory: SharedArrayBuffer,
    range: { readonly offsetBytes: number; readonly entries: number },
    grid: SnapshotGrid,
  ) {
    this.#words = new Int32Array(memory, range.offsetBytes, range.entries * entryWords);
    this.#entries = range.entries;
    this.#grid = grid;
  }

  /** Templates that there are, used or not. */
  get count(): number {
    let count = 0;
    for (let number = 0; number < this.#entries; number += 1) {
      if (Atomics.load(this.#words, number * entryWords) > 0) count += 1;
    }
    return count;
  }

  /** Makes a template known, with one user, the caller; null when there is no room. */
  publish(json: TemplateJson): KnownTemplate | null {
    const number = this.#claimEntry() ?? (this.reclaim() > 0 ? this.#claimEntry() : null);
    if (number === null) return null;
    const word = number * entryWords;
    const generation = (Atomics.load(this.#words, word + 1) + 1) | 0; // (S2)
    const bytes = Buffer.from(JSON.stringify(json));
    const place = this.#grid.store(bytes, templateTag, { low: number, high: generation });
    if (place === 0) {
      Atomics.store(this.#words, word, 0);
      return null;
    }
    Atomics.store(this.#words, word + 1, generation);
    Atomics.store(this.#words, word + 2, place);
    Atomics.store(this.#words, word, unused + 1);
    const known = { number, generation, template: new SnapshotTemplate(json) };
    this.#known[number] = known;
    return known;
  }

  /** Becomes one more user; false when the template is no longer there. */
  acquire({ number, generation }: KnownTemplate): boolean {
    const word = number * entryWords;
    for (;;) {
      const users = Atomics.load(this.#words, word);
      if (users < unused) return false;
      if (Atomics.compareExchange(this.#words, word, users, users + 1) !== users) continue;
      if (Atomics.load(this.#words, word + 1) === generation) return true;
      this.release(number);
      return false;
    }
  }

  release(number: number): void {
    const users = Atomics.sub(this.#words, number * entryWords, 1);
    assert(users > unused, 'who releases a template is one of its users');
  }

  /** The template of a snapshot, which is its user; null when its bytes are damaged. */
  read(number: number): KnownTemplate | null {
    const word = number * entryWords;
    const generation = Atomics.load(this.#words, word + 1);
    const known = this.#known[number];
    if (known !== undefined && known.generation === generation) return known;
    const place = Atomics.load(this.#words, word + 2);
    const grid = this.#grid;
    if (!grid.open(place, { low: number, high: generation })) return null;
    const text = grid.bytes.toString('utf8', grid.at, grid.at + grid.length);
    const template = new SnapshotTemplate(JSON.parse(text) as TemplateJson);
    const read = { number, generation, template };
    this.#known[number] = read;
    return read;
  }

  /** Frees what nobody uses; how many. */
  reclaim(): number {
    let freed = 0;
    for (let number = 0; number < this.#entries; number += 1) {
      const word = number * entryWords;
      if (Atomics.compareExchange(this.#words, word, unused, busy) !== unused) continue; // (S1)
      this.#grid.free(Atomics.load(this.#words, word + 2));
      Atomics.store(this.#words, word, 0);
      freed += 1;
    }
    return freed;
  }

  /** Forgets all of them, with their users. Only while no thread uses one. */
  clear(): void {
    for (let number = 0; number < this.#entries; number += 1) {
      Atomics.store(this.#words, number * entryWords, 0);
    }
  }

  #claimEntry(): number | null {
    for (let probe = 0; probe < this.#entries; probe += 1) {
      const number = (this.#hand + probe) % this.#entries;
      if (Atomics.compareExchange(this.#words, number * entryWords, 0, busy) === 0) {
        this.#hand = (number + 1) % this.#entries;
        return number;
      }
    }
    return null;
  }
}
