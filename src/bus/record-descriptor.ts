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
 *   length         what the claim asked for; read by `commit` and `abort` only
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
