/** A record as it was before it was encrypted. */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { ReadableRecord, StoredRecord } from './record.ts';
import { RunCipher } from './run-cipher.ts';
import type { RunKeys } from './run-keys.ts';

const nothing = Buffer.alloc(0);

/**
 * The record with its body decrypted; that of a text stays as it is stored. Keys that an
 * archive brings along are taken for those of its run.
 */
export function readable(record: StoredRecord, keys: RunKeys): ReadableRecord {
  const { type, run, encrypted } = record;
  if (type === 'run-keys' && run !== null) {
    keys.remember(run, RunCipher.tryFromBytes(record.body));
  }
  if (encrypted !== true || type === 'blob') return record;
  assert(run !== null, 'only a run has keys');
  const { encrypted: _stored, ...rest } = record;
  const body = tryDecrypt(keys.find(run), record.body);
  if (body === null) return { ...rest, body: nothing, unreadable: true, stored: record };
  return { ...rest, body, stored: record };
}

/** Its CRC holds, so what does not fit are the keys: that concerns one run, not the journal. */
function tryDecrypt(cipher: RunCipher | null, body: Buffer): Buffer | null {
  try {
    return cipher?.decrypt(body) ?? null;
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return null;
  }
}
