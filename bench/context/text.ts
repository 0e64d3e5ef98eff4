/** Text that looks like notes and code and compresses no better than these do; the same for a seed. */

/** Numbers from 0 up to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const consonants = 'bcdfghjklmnprstvwz';
const vowels = 'aeiouy';
const wordsMax = 12_000;

export class TextSource {
  readonly #random: () => number;
  readonly #words: readonly string[];

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    this.#words = Array.from({ length: wordsMax }, () => this.#newWord());
  }

  integer(below: number): number {
    return Math.floor(this.#random() * below);
  }

  /** Sentences of about `bytes` bytes. */
  prose(bytes: number): string {
    const lines: string[] = [];
    for (let length = 0; length < bytes; ) {
      const words = Array.from({ length: 6 + this.integer(14) }, () => this.#word());
      const [first = '', ...rest] = words;
      const line = `${[first.slice(0, 1).toUpperCase() + first.slice(1), ...rest].join(' ')}.`;
      lines.push(line);
      length += line.length + 1;
    }
    return lines.join('\n').slice(0, bytes);
  }

  /** Lines of code of about `bytes` bytes. */
  code(bytes: number): string {
    const lines: string[] = [];
    for (let length = 0; length < bytes; ) {
      const line = this.#codeLine();
      lines.push(line);
      length += line.length + 1;
    }
    return lines.join('\n').slice(0, bytes);
  }

  #codeLine(): string {
    const [one, two, three] = [this.#name(), this.#name(), this.#name()];
    const indent = '  '.repeat(1 + this.integer(3));
    switch (this.integer(6)) {
      case 0:
        return `export function ${one}(${two}: ${this.#word()}, ${three}: number): void {`;
      case 1:
        return `${indent}const ${one} = ${two}.${three}(${this.integer(10_000)});`;
      case 2:
        return `${indent}if (${one}.${two} > ${three}) return ${this.#name()};`;
      case 3:
        return `${indent}// ${this.#word()} ${this.#word()} ${this.#word()} ${this.#word()} ${one}.`;
      case 4:
        return `${indent}expect(${one}(${two})).toEqual('${this.#word()} ${this.#word()}');`;
      default:
        return `${indent}await ${one}(${two}, { ${three}: ${this.#name()} });`;
    }
  }

  #name(): string {
    const second = this.#word();
    return `${this.#word()}${second.slice(0, 1).toUpperCase()}${second.slice(1)}`;
  }

  /** Few words are frequent and many are rare, as in any language (Zipf). */
  #word(): string {
    const rank = Math.floor(wordsMax ** this.#random()) - 1;
    return this.#words[rank] ?? 'word';
  }

  #newWord(): string {
    const syllables = 1 + this.integer(3);
    return Array.from(
      { length: syllables },
      () =>
        (consonants[this.integer(consonants.length)] ?? 'n') +
        (vowels[this.integer(vowels.length)] ?? 'e') +
        (this.integer(3) === 0 ? (consonants[this.integer(consonants.length)] ?? 'n') : ''),
    ).join('');
  }
}
