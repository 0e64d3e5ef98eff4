/** A journal that says something else: valid in every byte, but not what happened. */
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { keysFolder } from '../../src/journal/data-folders.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { recordDigest, type StoredRecord } from '../../src/journal/record.ts';
import { encryptedBody } from '../../src/journal/run-store.ts';
import { encodeBatch } from '../journal/journal-fixture.ts';

/** Changes the body of a record in place, or leaves it alone. */
export type Change = (body: Record<string, unknown>, record: StoredRecord) => void;

/** Copies a journal into another data directory with changed bodies or without some records, all chains and seals made anew. */
export function rewriteJournal(
  from: string,
  to: string,
  change: Change,
  keep: (record: StoredRecord) => boolean = () => true,
  segmentBytes = 2 * 1024 * 1024,
): void {
  // What was sealed stays so.
  const identity = join(from, 'identity');
  if (existsSync(identity)) cpSync(identity, join(to, 'identity'), { recursive: true });
  if (existsSync(keysFolder(from))) cpSync(keysFolder(from), keysFolder(to), { recursive: true });
  const reader = JournalReader.open(from);
  const writer = JournalWriter.open(to, { segmentBytes });
  const previous = new Map<string, Buffer>();
  for (const stored of reader.advance()) {
    if (stored.type === 'seal' || stored.type === 'mark') continue;
    if (!keep(stored)) continue;
    let { body } = stored;
    if (stored.type !== 'blob') {
      const parsed = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
      change(parsed, stored);
      body = Buffer.from(JSON.stringify(parsed));
    }
    const actor = `${stored.run}:${stored.actor}`;
    const isEvent = stored.type === 'event';
    const previousDigest = isEvent ? (previous.get(actor) ?? null) : stored.previousDigest;
    // As it was: with the keys of its run, or without.
    const cipher = stored.stored && stored.run ? reader.keys.find(stored.run) : null;
    const kept = stored.type === 'blob' ? { body } : encryptedBody(cipher, body);
    const record = { ...stored, ...kept, previousDigest };
    if (isEvent) previous.set(actor, recordDigest(record));
    const { refused } = writer.writeGroup([encodeBatch([record])]);
    if (refused[0] !== undefined) throw refused[0];
  }
  reader.close();
  writer.close();
}
