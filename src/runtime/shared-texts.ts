/**
 * Texts that many snapshots have in common, once in shared memory: a pipeline's
 * definition, the keys of an object. A text keeps its number for as long as the
 * memory exists; when the memory is full, no new text gets one.
 *
 * ```
 *  0        4                 4 + 4 * entries
 *  +--------+-----------------+---------------------------+
 *  | used   | places of texts | length u32, UTF-8, ...    |
 *  +--------+-----------------+---------------------------+
 * ```
 *
 * Invariants
 *   T1. The bytes of a text are written before its place is published by
 *       compare-and-swap, and never again.
 *   T2. A text is taken in when two owners have had it: what only one of them
 *       has, as a document, never fills the memory.
 */
import { assert } from '../kernel/assert.ts';

const alignment = 4;
const bytesPerEntry = 64;
const probesMax = 16;
const seenSlots = 1_024;
const textCharactersMin = 4;
const textCharactersMax = 65_536;

interface Seen {
  readonly text: string;
  readonly owner: string;
}

/** Fowler-Noll-Vo over the whole text, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

export class SharedTexts {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #entries: number;
  readonly #numbers = new Map<string, number>();
  readonly #texts = new Map<number, string>();
  readonly #seen: (Seen | null)[] = new Array<Seen | null>(seenSlots).fill(null);

  /** The range is zeroed when the first thread opens it; it begins at a multiple of 4. */
  constructor(memory: SharedArrayBuffer, offsetBytes: number, lengthBytes: number) {
    this.#words = new Int32Array(memory, offsetBytes, lengthBytes / 4);
    this.#bytes = Buffer.from(memory, offsetBytes, lengthBytes);
    this.#entries = 2 ** Math.floor(Math.log2(lengthBytes / bytesPerEntry));
  }

  /** Bytes that texts take. */
  get usedBytes(): number {
    return Math.min(Atomics.load(this.#words, 0), this.#bytes.length - this.#begin);
  }

  /**
   * Number of a text; null when it has none and gets none (T2).
   * @param owner Who has the text.
   */
  numberOf(text: string, owner: string): number | null {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    if (text.length < textCharactersMin || text.length > textCharactersMax) return null;
    const hash = hashOf(text);
    const slot = hash & (seenSlots - 1);
    const seen = this.#seen[slot];
    if (seen?.text !== text) {
      this.#seen[slot] = { text, owner };
      return null;
    }
    if (seen.owner === owner) return null;
    return this.#take(text, hash);
  }

  /** The text with this number. */
  textOf(number: number): string {
    const known = this.#texts.get(number);
    if (known !== undefined) return known;
    const start = number + 4;
    const lengthBytes = this.#words[number / 4];
    assert(lengthBytes !== undefined && start + lengthBytes <= this.#bytes.length, 'a known text');
    const text = this.#bytes.toString('utf8', start, start + lengthBytes);
    this.#texts.set(number, text);
    return text;
  }

  get #begin(): number {
    return 4 + 4 * this.#entries;
  }

  #take(text: string, hash: number): number | null {
    if (!text.isWellFormed()) return null;
    let written: number | null = null;
    for (let probe = 0; probe < probesMax; probe += 1) {
      const word = 1 + ((hash + probe) & (this.#entries - 1));
      let place = Atomics.load(this.#words, word);
      if (place === 0) {
        written ??= this.#write(text);
        if (written === null) return null;
        place = Atomics.compareExchange(this.#words, word, 0, written); // (T1)
        if (place === 0) place = written;
      }
      if (this.textOf(place) !== text) continue;
      this.#numbers.set(text, place);
      return place;
    }
    return null;
  }

  #write(text: string): number | null {
    const lengthBytes = Buffer.byteLength(text);
    const room = 4 + Math.ceil(lengthBytes / alignment) * alignment;
    const limit = this.#bytes.length - this.#begin;
    const used = Atomics.load(this.#words, 0);
    // Looked at first, so that the count cannot run away once it is full.
    if (used + room > limit) return null;
    const at = Atomics.add(this.#words, 0, room);
    if (at + room > limit) return null;
    const place = this.#begin + at;
    this.#words[place / 4] = lengthBytes;
    this.#bytes.write(text, place + 4, 'utf8');
    return place;
  }
}
