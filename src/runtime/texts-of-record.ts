/** The texts that a record names. */
import type { StoredText } from '../journal/blob-record.ts';
import type { JournalReader } from '../journal/journal-reader.ts';
import { namedTexts } from '../journal/named-texts.ts';
import type { ReadableRecord } from '../journal/record.ts';
import { RuntimeError } from '../kernel/errors.ts';

/**
 * As they lie on the disk; each has the hash that the record names.
 * @throws RuntimeError BLOB_MISSING, JOURNAL_CORRUPT
 */
export function textsOf(reader: JournalReader, record: ReadableRecord): StoredText[] {
  return [...namedTexts(record)].map((hash) => {
    const text = reader.storedText(hash, record.run);
    const contentBytesMax = reader.blob(hash, record.run)?.length;
    if (text !== null && contentBytesMax !== undefined) return { ...text, contentBytesMax };
    throw new RuntimeError(
      'BLOB_MISSING',
      `The journal has no blob ${hash}; restore it from a copy.`,
    );
  });
}
