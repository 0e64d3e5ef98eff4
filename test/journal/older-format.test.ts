import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { fixtureFolder, fixtureNames, recordedFacts } from './fixtures.ts';
import {
  EventChain,
  encodeBatch,
  segmentBytesOf,
  smallSegment,
  temporaryFolder,
  thrownBy,
  writeSegment,
} from './journal-fixture.ts';

const name = 'inbox-format-1';

function copyOfOlder(recorded = name): string {
  const folder = temporaryFolder();
  cpSync(fixtureFolder(recorded), folder, { recursive: true });
  return folder;
}

const present = '3';
const olderNames = fixtureNames.filter(
  (each) => readFileSync(`${fixtureFolder(each)}/VERSION`, 'utf8').trim() !== present,
);

describe.each(olderNames)('the data directory of %s', (recorded) => {
  const expected = recordedFacts(recorded);
  const original = fixtureFolder(recorded);

  test('is continued in a segment of the present format, and not rewritten', () => {
    const folder = copyOfOlder(recorded);
    const before = readdirSync(join(original, 'journal'));
    openDataDirectory(folder, 1).release();
    expect(readFileSync(join(folder, 'VERSION'), 'utf8')).toBe('3\n');
    const writer = JournalWriter.open(folder, { segmentBytes: smallSegment });
    expect(writer.recovered).toMatchObject({ lastSequence: expected.lastSequence, bytesCut: 0 });
    const { committed } = writer.writeGroup([encodeBatch([new EventChain().next()])]);
    expect(committed).toMatchObject({
      segment: before.length + 1,
      sequence: expected.lastSequence + 2,
    });
    writer.close();
    for (const segment of before) {
      const bytes = readFileSync(join(folder, 'journal', segment));
      expect(bytes.equals(readFileSync(join(original, 'journal', segment)))).toBe(true);
    }
    const reader = JournalReader.open(folder, { verifyDigests: true });
    const sequences = reader.advance().map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    expect(sequences).toHaveLength(expected.lastSequence + 2);
    reader.close();
    // A second start finds one segment of the present format and adds none.
    const again = JournalWriter.open(folder, { segmentBytes: smallSegment });
    expect(again.committed).toEqual(committed);
    again.close();
  });
});

describe('a journal of format 1', () => {
  test('that is damaged below its last group is corrupt, by what format 1 says', () => {
    const folder = copyOfOlder();
    const bytes = segmentBytesOf(folder, 2);
    const place = 40_000;
    expect(bytes[place]).not.toBe(0);
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    writeSegment(folder, 2, bytes);
    const { code, details } = thrownBy(() => JournalWriter.open(folder));
    expect(code).toBe('JOURNAL_CORRUPT');
    expect(details).toMatchObject({ segment: 2 });
  });
});
