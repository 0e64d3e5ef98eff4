/**
 * A lease of a slab as one word, so that every change of it is one
 * compare-exchange: a thread that dies between two instructions leaves
 * either the old lease or the new one.
 *
 *   bit 31      16 15  14 13       8 7        2 1      0
 *   ┌─────────────┬──────┬──────────┬──────────┬────────┐
 *   │ serial      │ 0    │ sender   │ holder   │ state  │
 *   └─────────────┴──────┴──────────┴──────────┴────────┘
 *
 *   state   0  free
 *           1  held by `holder`
 *           2  in flight from `sender` to `holder`
 *   serial  counts the transfers of this word, and stays when it becomes free:
 *           a reference that was accepted once is not accepted again.
 */

const stateMask = 0b11;
const held = 1;
const inFlight = 2;
const threadMask = 0x3f;
const holderShift = 2;
const senderShift = 8;
const serialShift = 16;
const serialMask = ~0xffff;
/** One transfer more; the serial starts again at 0 when it overflows the word. */
const serialStep = 1 << serialShift;

export function isFree(word: number): boolean {
  return (word & stateMask) === 0;
}

export function isInFlight(word: number): boolean {
  return (word & stateMask) === inFlight;
}

/** The thread that has the lease, or that it is under way to. */
export function holderOf(word: number): number {
  return (word >> holderShift) & threadMask;
}

/** The thread that sent a lease in flight. */
export function senderOf(word: number): number {
  return (word >> senderShift) & threadMask;
}

export function serialOf(word: number): number {
  return word >>> serialShift;
}

/** The word once nobody has the lease. */
export function freed(word: number): number {
  return word & serialMask;
}

/** The word once `thread` has the lease. */
export function heldBy(thread: number, word: number): number {
  return (word & serialMask) | (thread << holderShift) | held;
}

/** The word once `from` has sent the lease on to `to`. */
export function sentTo(to: number, from: number, word: number): number {
  const serial = (word + serialStep) & serialMask;
  return serial | (from << senderShift) | (to << holderShift) | inFlight;
}

/** Whether `thread` has the lease, or it is under way to it. */
export function belongsTo(thread: number, word: number): boolean {
  return !isFree(word) && holderOf(word) === thread;
}

/** Whether the lease is under way from one thread to the other. */
export function isBetween(
  way: { readonly from: number; readonly to: number },
  word: number,
): boolean {
  return isInFlight(word) && senderOf(word) === way.from && holderOf(word) === way.to;
}
