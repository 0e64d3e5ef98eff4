/** A record as it was before it was encrypted. */
import { assert } from '../kernel/assert.ts';
import type { ReadableRecord, StoredRecord } from './record.ts';
import { RunCipher } from './run-cipher.ts';
import type { RunKeys } from './run-keys.ts';

const nothing = Buffer.alloc(0);

/**
 * The record with its body decrypted; that of a text stays as it is stored. Keys that an
 * archive brings along are taken for those of its run.
 * @throws RuntimeError JOURNAL_CORRUPT when the keys of the run are not those of the body.
 */
export function readable(record: StoredRecord, keys: RunKeys): ReadableRecord {
  const { type, run, encrypted } = record;
  if (type === 'run-keys' && run !== null) {
    const cipher = RunCipher.fromBytes(record.body);
    keys.remember(cipher.run, cipher);
  }
  if (encrypted !== true || type === 'blob') return record;
  assert(run !== null, 'only a run has keys');
  const cipher = keys.find(run);
  const { encrypted: _stored, ...rest } = record;
  if (cipher === null) return { ...rest, body: nothing, erased: true, stored: record };
  return { ...rest, body: cipher.decrypt(record.body), stored: record };
}
