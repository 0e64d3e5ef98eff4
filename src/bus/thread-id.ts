import { assert } from '../kernel/assert.ts';

/** A thread on the bus: a whole number from 0 to 65,535. */
export type ThreadId = number & { readonly __brand: 'ThreadId' };

const threadIdMax = 0xffff;

export function threadId(value: number): ThreadId {
  assert(
    Number.isInteger(value) && value >= 0 && value <= threadIdMax,
    `not a thread id: ${value}`,
  );
  return value as ThreadId;
}
