/**
 * The entry of a record: what the ring knows about the message that begins in
 * a slot. Entries of slots in the middle of a message stay untouched.
 *
 *   byte 0            4                8             12            16
 *   ┌────────────────┬────────────────┬─────────────┬─────────────┐
 *   │ state    int32 │ length   int32 │ type  int32 │ unused      │
 *   └────────────────┴────────────────┴─────────────┴─────────────┘
 *
 *   state  0       nothing published here
 *          n > 0   a message of n − 1 bytes
 *          n < 0   padding: −n slots to skip
 *          n ≤ −2^30   a run of −n − 2^30 slots, full of records without states
 *   length         bytes that the claim asked for; in a run also n < 0: −n slots
 *                  of padding
 */

export const recordEntryBytes = 16;

/** Words of one entry in an Int32Array. */
export const wordsPerEntry = recordEntryBytes / 4;

/** Offsets inside an entry, in words. */
export const stateField = 0;
export const lengthField = 1;
export const typeField = 2;

/** The state of a slot where nothing is published. */
export const unpublished = 0;

/** The largest state of a run; no padding has as many slots. */
export const runStateMax = -(2 ** 30);

export function runState(slots: number): number {
  return runStateMax - slots;
}

export function runSlotsOf(state: number): number {
  return runStateMax - state;
}
