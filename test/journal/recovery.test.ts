/**
 * Goal: after any crash what was acknowledged is there, and damage to it is
 * named, never cut away.
 *
 * Method: take a real journal, then cut it, zero it or flip its bits at every
 * place that matters, and recover each variant.
 */
import { copyFileSync, cpSync, mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../src/journal/crc32c.ts';
import { journalFolder } from '../../src/journal/data-folders.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { type CommittedEnd, JournalWriter } from '../../src/journal/journal-writer.ts';
import { alignRecord } from '../../src/journal/record-descriptor.ts';
import { recover } from '../../src/journal/recovery.ts';
import { segmentPath, segmentVersion } from '../../src/journal/segment.ts';
import {
  EventChain,
  encodeBatch,
  eventBatch,
  segmentBytesOf,
  temporaryFolder,
  thrownBy,
  writeSegment,
} from './journal-fixture.ts';

const segmentBytes = 16 * 1024;

/** A journal of `groups` groups in one segment, with where each group ends. */
function journal(groups: number): { folder: string; ends: CommittedEnd[]; bytes: Buffer } {
  const folder = temporaryFolder();
  const writer = JournalWriter.open(folder, { segmentBytes });
  const source = new EventChain();
  const ends = Array.from(
    { length: groups },
    () => writer.writeGroup([eventBatch(source, 2)]).committed,
  );
  writer.close();
  return { folder, ends, bytes: segmentBytesOf(folder, 1) };
}

function offsetOf(end: CommittedEnd | undefined): number {
  return end?.offset ?? Number.NaN;
}

describe('recovery', () => {
  test('of nothing is an empty journal', () => {
    expect(recover(temporaryFolder()).report).toEqual({
      segments: 0,
      lastSequence: 0,
      bytesCut: 0,
      end: { segment: 0, offset: 0 },
    });
  });

  test('cuts the last group torn at any byte, and keeps everything before it', () => {
    const { folder, ends, bytes } = journal(2);
    const [first, last] = ends.map(offsetOf) as [number, number];
    for (let kept = first; kept < last; kept += 1) {
      const torn = Buffer.from(bytes);
      torn.fill(0, kept);
      // The last bytes of the group may be zero anyway.
      if (torn.equals(bytes)) continue;
      writeSegment(folder, 1, torn);
      const { report } = recover(folder);
      expect(report.lastSequence).toBe(3);
      expect(report.end).toEqual({ segment: 1, offset: first });
      expect(
        segmentBytesOf(folder, 1)
          .subarray(first)
          .every((byte) => byte === 0),
      ).toBe(true);
    }
  });

  test('cuts a last group whose sectors arrived out of order', () => {
    const { folder, ends, bytes } = journal(2);
    const [first, last] = ends.map(offsetOf) as [number, number];
    for (let hole = first; hole < last; hole += 32) {
      const torn = Buffer.from(bytes);
      torn.fill(0, hole, hole + 32);
      if (torn.equals(bytes)) continue;
      writeSegment(folder, 1, torn);
      expect(recover(folder).report.lastSequence).toBe(3);
    }
  });

  test('is idempotent, and the journal goes on after it', () => {
    const { folder, ends, bytes } = journal(2);
    const torn = Buffer.from(bytes);
    torn.fill(0, offsetOf(ends[1]) - 40);
    writeSegment(folder, 1, torn);
    const once = recover(folder);
    expect(once.report.bytesCut).toBeGreaterThan(0);
    const twice = recover(folder);
    expect(twice.report).toEqual({ ...once.report, bytesCut: 0 });
    expect(twice.seal).toEqual(once.seal);
    const writer = JournalWriter.open(folder, { segmentBytes });
    const source = new EventChain();
    source.next(`{"n":0,"x":"${'x'.repeat(16)}"}`);
    source.next(`{"n":1,"x":"${'x'.repeat(16)}"}`);
    expect(writer.writeGroup([eventBatch(source, 1)]).refused).toEqual([]);
    writer.close();
    expect(recover(folder).report.lastSequence).toBe(5);
  });

  test('gives a shortened file its size back', () => {
    const { folder, ends, bytes } = journal(2);
    writeSegment(folder, 1, bytes.subarray(0, offsetOf(ends[0]) + 50));
    expect(recover(folder).report.lastSequence).toBe(3);
    expect(segmentBytesOf(folder, 1)).toHaveLength(segmentBytes);
  });

  test('finds every flipped bit below the last group and says where', () => {
    const { folder, ends, bytes } = journal(6);
    const damageable = offsetOf(ends[4]);
    let flips = 0;
    for (let offset = 0; offset < damageable; offset += 1) {
      // Unused bytes of the segment header are covered by its CRC as well.
      const bit = 1 << (offset % 8);
      bytes[offset] = (bytes[offset] ?? 0) ^ bit;
      writeSegment(folder, 1, bytes);
      const error = thrownBy(() => recover(folder));
      bytes[offset] = (bytes[offset] ?? 0) ^ bit;
      expect(error.code).toBe('JOURNAL_CORRUPT');
      const named = error.details.offset as number;
      expect(named).toBeLessThanOrEqual(offset);
      expect(offset - named).toBeLessThan(400);
      flips += 1;
    }
    expect(flips).toBeGreaterThan(2_000);
  });

  test('takes a flipped bit in the last group for a torn tail, unless a mark follows', () => {
    const { folder, ends, bytes } = journal(2);
    const place = offsetOf(ends[0]) + 200;
    const flipped = Buffer.from(bytes);
    flipped[place] = (flipped[place] ?? 0) ^ 1;
    writeSegment(folder, 1, flipped);
    expect(recover(folder).report.lastSequence).toBe(3);

    writeSegment(folder, 1, bytes);
    const writer = JournalWriter.open(folder, { segmentBytes });
    writer.mark(1);
    writer.close();
    const marked = segmentBytesOf(folder, 1);
    marked[place] = (marked[place] ?? 0) ^ 1;
    writeSegment(folder, 1, marked);
    expect(thrownBy(() => recover(folder)).code).toBe('JOURNAL_CORRUPT');
  });

  test('takes a group that crashes have mixed from two for a torn tail, unless it was proven', () => {
    const folder = temporaryFolder();
    JournalWriter.open(folder, { segmentBytes }).close();
    const empty = segmentBytesOf(folder, 1);
    const written = (letter: string): { bytes: Buffer; end: number } => {
      writeSegment(folder, 1, empty);
      const writer = JournalWriter.open(folder, { segmentBytes });
      const source = new EventChain();
      const batch = encodeBatch([source.next(letter.repeat(90)), source.next(letter.repeat(90))]);
      const end = writer.writeGroup([batch]).committed.offset;
      writer.mark(1);
      writer.close();
      return { bytes: segmentBytesOf(folder, 1), end };
    };
    const [older, newer] = [written('a'), written('b')];
    const second = 128 + alignRecord(newer.bytes.readUInt32LE(128));
    const mixed = Buffer.from(newer.bytes);
    older.bytes.copy(mixed, second, second, second + alignRecord(older.bytes.readUInt32LE(second)));
    writeSegment(folder, 1, mixed);
    expect(thrownBy(() => recover(folder))).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { lastGoodSequence: 0, what: 'a seal does not match its group' },
    });
    mixed.fill(0, newer.end);
    writeSegment(folder, 1, mixed);
    expect(JournalReader.open(folder).advance()).toEqual([]);
    expect(recover(folder).report).toMatchObject({ lastSequence: 0, end: { offset: 128 } });
    expect(segmentBytesOf(folder, 1).equals(empty)).toBe(true);
  });

  test('what was cut never comes back, even behind the same group written at its place again', () => {
    const folder = temporaryFolder();
    const source = new EventChain();
    const [first, torn, stale] = [1, 1, 3].map((count) => eventBatch(source, count)) as [
      Buffer,
      Buffer,
      Buffer,
    ];
    const before = JournalWriter.open(folder, { segmentBytes, mode: 'relaxed' });
    const start = before.writeGroup([first]).committed.offset;
    before.sync();
    const { offset, sequence } = before.writeGroup([torn]).committed;
    before.writeGroup([stale]);
    before.close();
    // The power goes before the sync: of the two groups the disk has all but the first sector.
    const bytes = segmentBytesOf(folder, 1);
    const whole = bytes.subarray(start, offset).toString('hex');
    bytes.fill(0, start, start + 64);
    writeSegment(folder, 1, bytes);

    const after = JournalWriter.open(folder, { segmentBytes, mode: 'relaxed' });
    expect(after.recovered.end.offset).toBe(start);
    after.writeGroup([torn]);
    after.close();
    // To the byte what lay there, so that the stale group behind it would continue it.
    expect(segmentBytesOf(folder, 1).subarray(start, offset).toString('hex')).toBe(whole);
    const reader = JournalReader.open(folder);
    expect(reader.advance().at(-1)?.sequence).toBe(sequence);
    reader.close();
    expect(recover(folder).report).toMatchObject({ lastSequence: sequence, bytesCut: 0 });
  });

  test('names segment, offset and last good sequence', () => {
    const { folder, ends, bytes } = journal(3);
    const place = offsetOf(ends[0]);
    bytes.fill(0, place, place + 200);
    writeSegment(folder, 1, bytes);
    const error = thrownBy(() => recover(folder));
    expect(error).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { segment: 1, offset: place, lastGoodSequence: 3 },
    });
  });

  test('is not fooled by a blob that holds a copy of records', () => {
    const { bytes, ends } = journal(3);
    const other = temporaryFolder();
    const writer = JournalWriter.open(other, { segmentBytes });
    const source = new EventChain();
    writer.writeGroup([encodeBatch([source.next()])]);
    const start = writer.committed.offset;
    // The copy lies at a multiple of eight and claims that later bytes were durable.
    const copy = bytes.subarray(offsetOf(ends[1]), offsetOf(ends[2]));
    const end = writer.writeGroup([encodeBatch([{ ...source.next(), body: copy }])]).committed;
    writer.close();
    const torn = segmentBytesOf(other, 1);
    torn.fill(0, end.offset - 140);
    writeSegment(other, 1, torn);
    expect(recover(other).report.end.offset).toBe(start);
  });

  test('finds a missing segment, and one put in the place of another', () => {
    const folder = temporaryFolder();
    const writer = JournalWriter.open(folder, { segmentBytes });
    const source = new EventChain();
    while (writer.committed.segment < 4) writer.writeGroup([eventBatch(source, 5, 300)]);
    writer.close();
    for (const missing of [1, 2, 3]) {
      const copy = temporaryFolder();
      cpSync(folder, copy, { recursive: true });
      unlinkSync(segmentPath(journalFolder(copy), missing));
      expect(thrownBy(() => recover(copy)).code).toBe('JOURNAL_CORRUPT');
    }
    copyFileSync(segmentPath(journalFolder(folder), 2), segmentPath(journalFolder(folder), 3));
    expect(thrownBy(() => recover(folder))).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { segment: 3 },
    });
  });

  test('finds damage in an earlier segment although no later group is in it', () => {
    const folder = temporaryFolder();
    const writer = JournalWriter.open(folder, { segmentBytes });
    const source = new EventChain();
    let last = writer.committed;
    while (writer.committed.segment < 2) {
      last = writer.committed;
      writer.writeGroup([eventBatch(source, 5, 300)]);
    }
    writer.close();
    const bytes = segmentBytesOf(folder, 1);
    bytes.fill(0, last.offset - 100);
    writeSegment(folder, 1, bytes);
    expect(thrownBy(() => recover(folder))).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { segment: 1 },
    });
  });

  test('removes a segment that a crash left unfinished', () => {
    const { folder } = journal(1);
    writeFileSync(`${segmentPath(journalFolder(folder), 2)}.tmp`, 'half');
    const writer = JournalWriter.open(folder, { segmentBytes });
    expect(writer.recovered.segments).toBe(1);
    const source = new EventChain('run/new');
    while (writer.committed.segment < 2) writer.writeGroup([eventBatch(source, 5, 300)]);
    writer.close();
  });

  test('refuses a journal of a newer format before it looks for damage', () => {
    const { folder, bytes } = journal(1);
    bytes.writeUInt32LE(segmentVersion + 1, 12);
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, 128), 12), 8);
    writeSegment(folder, 1, bytes);
    expect(thrownBy(() => recover(folder)).code).toBe('DATA_VERSION_NEWER');
    expect(thrownBy(() => JournalReader.open(folder).advance()).code).toBe('DATA_VERSION_NEWER');
  });

  test('ignores files that are no segments', () => {
    const { folder } = journal(1);
    mkdirSync(join(journalFolder(folder), 'notes'));
    writeFileSync(join(journalFolder(folder), 'readme.txt'), 'hello');
    expect(recover(folder).report.lastSequence).toBe(3);
  });
});
