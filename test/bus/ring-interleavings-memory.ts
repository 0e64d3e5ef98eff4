/**
 * The shared memory of an exploration: put back before each branch, and known
 * by a number that two equal memories share.
 *
 * Invariants
 *   M1. Words that no step has changed yet have their first value, so a number
 *       stays right when more words are found to change.
 */
export class ExploredMemory {
  readonly #bytes: Buffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #start: Int32Array;
  /** Words that some schedule has changed, ascending (M1). */
  #changed: number[] = [];
  /** One for each depth of a schedule. */
  readonly #saved: Buffer[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(memory: SharedArrayBuffer) {
    this.#bytes = Buffer.from(memory);
    this.#words = new Int32Array(memory);
    this.#start = new Int32Array(this.#words);
  }

  save(depth: number): void {
    const saved = this.#saved[depth] ?? Buffer.alloc(this.#bytes.length);
    this.#saved[depth] = saved;
    this.#bytes.copy(saved);
  }

  restore(depth: number): void {
    this.#saved[depth]?.copy(this.#bytes);
  }

  /** Must be called after a step that may have changed a word for the first time. */
  findChanges(): void {
    for (let word = 0; word < this.#start.length; word += 1) {
      if (this.#words[word] === this.#start[word] || this.#changed.includes(word)) continue;
      this.#changed = [...this.#changed, word].sort((left, right) => left - right);
    }
  }

  /** Equal for equal memories only. */
  number(): number {
    let text = '';
    for (const word of this.#changed) {
      const value = this.#words[word] ?? 0;
      if (value !== this.#start[word]) text += `${word}=${value},`;
    }
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(text, number);
    return number;
  }
}
