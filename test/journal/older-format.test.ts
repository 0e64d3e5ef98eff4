import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { fixtureFolder, recordedFacts } from './fixtures.ts';
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
const older = fixtureFolder(name);

function copyOfOlder(): string {
  const folder = temporaryFolder();
  cpSync(older, folder, { recursive: true });
  return folder;
}

const expected = recordedFacts(name);

describe('a journal of format 1', () => {
  test('is continued in a segment of the present format, and not rewritten', () => {
    const folder = copyOfOlder();
    const writer = JournalWriter.open(folder, { segmentBytes: smallSegment });
    expect(writer.recovered).toMatchObject({ lastSequence: expected.lastSequence, bytesCut: 0 });
    const { committed } = writer.writeGroup([encodeBatch([new EventChain().next()])]);
    expect(committed).toMatchObject({ segment: 3, sequence: expected.lastSequence + 2 });
    writer.close();
    for (const number of [1, 2]) {
      expect(segmentBytesOf(folder, number)).toEqual(segmentBytesOf(older, number));
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
