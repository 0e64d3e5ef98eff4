/**
 * Objects of the objects figures: an event as a run really produces it, in
 * variants that differ in a number, so that a receiver notices a message that
 * is lost, repeated or overtaken. Every object is checked for its number, and
 * one in some hundred for all that it holds: comparing each would take longer
 * than sending it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/** Of all events of a recorded run of the example: their median, and their 95th percentile. */
export const eventSizes = ['p50', 'p95'] as const;
export type EventSize = (typeof eventSizes)[number];

function eventOf(size: EventSize): Readonly<Record<string, unknown>> {
  const file = new URL(`../../test/fixtures/bus/event-${size}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** A power of two. */
const variants = 64;
const messagesPerComparison = 509;

type Numbered = Readonly<Record<string, unknown>> & { readonly number: number };

export class ObjectPayload {
  readonly #objects: readonly Numbered[];
  #received = 0;

  constructor(size: EventSize) {
    const event = eventOf(size);
    this.#objects = Array.from({ length: variants }, (_, number) => ({
      // Objects of their own, as if each had been made for its message.
      ...structuredClone(event),
      number,
    }));
  }

  get received(): number {
    return this.#received;
  }

  /** What the sender sends as its message `number`. */
  objectOf(number: number): Numbered {
    const object = this.#objects[number & (variants - 1)];
    assert(object !== undefined);
    return object;
  }

  /** @throws Error when `value` is not the next object. */
  check(value: unknown): void {
    const expected = this.objectOf(this.#received);
    if ((value as Numbered).number !== expected.number) {
      throw new Error(`object ${this.#received} is lost, repeated or overtaken`);
    }
    if (this.#received % messagesPerComparison === 0) assert.deepEqual(value, expected);
    this.#received += 1;
  }
}
