/**
 * The shared memory of a ring as a logical thread sees it: each access of the
 * real ring becomes one step of the thread, so that every other thread can
 * come between any two of them.
 *
 * Words that no thread of a plan ever writes, such as the intents of producer
 * slots that nobody uses, are read at once: whether such a step comes earlier
 * or later makes no difference to anybody.
 */
import { runStateMax, stateField, wordsPerEntry } from '../../src/bus/record-descriptor.ts';
import {
  gapSlotsWord,
  gapsWord,
  headPosition,
  intentWordOf,
  ringLayoutOf,
  sleepWord,
  tailPosition,
} from '../../src/bus/ring-buffer-descriptor.ts';
import { SharedWords } from '../../src/bus/shared-words.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { Port } from './ring-interleavings-course.ts';

interface Place {
  readonly name: string;
  readonly number: number;
}

export class SteppedWords extends SharedWords {
  readonly #port: Port;
  readonly #entriesWord: number;
  readonly #constant: ReadonlySet<number>;
  /** Called at the step that publishes a message, or a run of them. */
  onPublished: () => void = () => undefined;

  /** `producers` are the producer slots that some thread of the plan uses. */
  constructor(memory: SharedArrayBuffer, port: Port, producers: readonly number[]) {
    super(memory, ringLayoutOf(memory).dataOffset);
    this.#port = port;
    this.#entriesWord = ringLayoutOf(memory).entriesWord;
    this.#constant = constantWords(producers);
  }

  override read(word: number): number {
    return this.#port.access('read', this.#place(word), () => super.read(word)) as number;
  }

  override write(word: number, value: number): void {
    this.#port.access('write', this.#place(word, value), () => {
      super.write(word, value);
      return undefined;
    });
  }

  override load(word: number): number {
    if (this.#constant.has(word)) return super.load(word);
    return this.#port.access('load', this.#place(word), () => super.load(word)) as number;
  }

  override store(word: number, value: number): void {
    this.#port.access('store', this.#place(word, value), () => {
      super.store(word, value);
      return undefined;
    });
    if (this.#isState(word) && (value > 0 || value <= runStateMax)) this.onPublished();
  }

  override exchange(word: number, value: number): number {
    const perform = (): number => super.exchange(word, value);
    return this.#port.access('update', this.#place(word, value), perform) as number;
  }

  override add(word: number, value: number): number {
    const perform = (): number => super.add(word, value);
    return this.#port.access('update', this.#place(word, value), perform) as number;
  }

  override wait(word: number, value: number, _timeoutMs: number): void {
    // No timeout: a sleep that only its timeout would end is a lost wake-up.
    this.#port.take({ type: 'wait', word, isEqual: () => super.load(word) === value });
  }

  override notify(word: number): void {
    this.#port.take({ type: 'notify', word });
  }

  override loadPosition(index: number): bigint {
    const place = this.#place(index * 2);
    return this.#port.access('load', place, () => super.loadPosition(index)) as bigint;
  }

  override storePosition(index: number, value: bigint): void {
    this.#port.access('store', this.#place(index * 2, value), () => {
      super.storePosition(index, value);
      return undefined;
    });
  }

  override compareExchangePosition(index: number, expected: bigint, next: bigint): bigint {
    const perform = (): bigint => super.compareExchangePosition(index, expected, next);
    return this.#port.access('update', this.#place(index * 2, next), perform) as bigint;
  }

  #isState(word: number): boolean {
    return word >= this.#entriesWord && (word - this.#entriesWord) % wordsPerEntry === stateField;
  }

  #place(word: number, value?: number | bigint): Place {
    const name = value === undefined ? this.#nameOf(word) : `${this.#nameOf(word)} ${value}`;
    return { name, number: word };
  }

  /** For schedules that people read. */
  #nameOf(word: number): string {
    if (word === tailPosition * 2) return 'tail';
    if (word === headPosition * 2) return 'head';
    if (word === sleepWord) return 'sleep';
    if (word === gapsWord) return 'gaps';
    if (word === gapSlotsWord) return 'gap slots';
    if (word < this.#entriesWord) {
      const producer = intentProducer(word);
      const field = ['low', 'high'][word - intentWordOf(producer)];
      return `intent of ${producer} ${field}`;
    }
    const field = ['state', 'length', 'type'][(word - this.#entriesWord) % 4];
    return `${field} of slot ${Math.floor((word - this.#entriesWord) / 4)}`;
  }
}

function intentProducer(word: number): number {
  const stride = intentWordOf(1) - intentWordOf(0);
  return Math.floor((word - intentWordOf(0)) / stride);
}

function constantWords(producers: readonly number[]): ReadonlySet<number> {
  const words = new Set<number>();
  for (let producer = 0; producer < limits.busThreadsMax; producer += 1) {
    if (producers.includes(producer)) continue;
    words.add(intentWordOf(producer));
    words.add(intentWordOf(producer) + 1);
  }
  return words;
}
