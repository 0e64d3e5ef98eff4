/** The reader in Python, which shares nothing with the runtime but the description of the format. */

import { describe, expect, test } from 'vitest';
import { blobNameOf } from '../../src/journal/blob-record.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import type { ReadableRecord } from '../../src/journal/record.ts';
import type { RunKeys } from '../../src/journal/run-keys.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { fixtureFolder, fixtureNames } from './fixtures.ts';
import {
  contentOf,
  encodeBatch,
  plainText,
  segmentBytesOf,
  temporaryFolder,
  writeSegment,
} from './journal-fixture.ts';
import { markedJournal } from './marked-journal.ts';
import { runPython } from './python.ts';

const script = 'scripts/journal_reader.py';

function shown(record: ReadableRecord, keys: RunKeys): unknown {
  const { sequence, type, run, actor, actorSequence, epoch, cause, timeMs } = record;
  return {
    ...{ sequence, type, run, actor, actorSequence, epoch, cause, timeMs },
    digest: record.digest.toString('hex'),
    previousDigest: record.previousDigest?.toString('hex') ?? null,
    ...(type === 'blob'
      ? { text: { name: blobNameOf(record), holds: nameOf(record, keys) === blobNameOf(record) } }
      : { body: type === 'run-keys' ? null : record.body.toString('utf8') }),
  };
}

/** What the text is to be called, by its content. */
function nameOf(record: ReadableRecord, keys: RunKeys): string {
  const hash = sha256(contentOf(record, keys));
  return record.run === null ? hash : (keys.find(record.run)?.nameOf(hash) ?? '');
}

describe('the second reader', () => {
  test.each(fixtureNames)('reads every record of %s as the first one does', (name) => {
    const reader = JournalReader.open(fixtureFolder(name), { verifyDigests: true });
    const records = reader.advance();
    reader.close();
    const { status, lines } = runPython(script, [fixtureFolder(name)]);
    expect(lines.slice(0, -1)).toEqual(records.map((record) => shown(record, reader.keys)));
    const last = records.at(-1);
    const seal = last?.digest.toString('hex');
    expect(lines.at(-1)).toEqual({ type: 'end', lastSequence: last?.sequence, seal, torn: 0 });
    expect(status).toBe(0);
  });

  test('says which text does not have its hash', () => {
    const folder = temporaryFolder();
    const writer = JournalWriter.open(folder, { segmentBytes: 16 * 1024 });
    const text = Buffer.from('truth. '.repeat(200));
    const { body, ...sound } = plainText(sha256(text), text, 1);
    const noFrame = { ...sound, body: Buffer.concat([Buffer.alloc(32, 7), body.subarray(0, -9)]) };
    writer.writeGroup([encodeBatch([{ ...sound, body }, noFrame])]);
    writer.writeGroup([encodeBatch([plainText(sha256('truth'), Buffer.from('lie'), 1)])]);
    writer.close();
    const { status, lines } = runPython(script, [folder]);
    expect(status).toBe(5);
    const texts = lines.filter((line) => (line as { type: string }).type === 'blob');
    expect(texts.map((line) => (line as { text: { holds: boolean } }).text.holds)).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('names damage, and tells it from a torn tail', () => {
    const { folder, groups, lastSequence } = markedJournal({ groups: 5, segmentBytes: 16 * 1024 });
    const whole = segmentBytesOf(folder, 1);
    const damage = (offset: number): unknown => {
      const bytes = Buffer.from(whole);
      bytes[offset] = (bytes[offset] ?? 0) ^ 1;
      writeSegment(folder, 1, bytes);
      return runPython(script, [folder]).lines.at(-1);
    };
    const [, second] = groups;
    expect(damage((second?.offset ?? 0) + 70)).toMatchObject({
      type: 'corrupt',
      segment: 1,
      offset: second?.offset,
      lastGoodSequence: (second?.sequence ?? 0) - 1,
    });
    // The mark itself is proven by nothing.
    const mark = groups.at(-1)?.end ?? 0;
    expect(damage(mark + 70)).toMatchObject({ type: 'end', lastSequence: lastSequence - 2 });
    expect(damage(20)).toMatchObject({ type: 'corrupt', what: 'its header is damaged' });
  });
});
