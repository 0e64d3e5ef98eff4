import { describe, expect, test } from 'vitest';
import { crc32 } from '../../src/journal/crc32.ts';
import { type FilePort, nodeFilePort } from '../../src/journal/file-port.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { type JournalMode, JournalWriter } from '../../src/journal/journal-writer.ts';
import { recordCrc } from '../../src/journal/record.ts';
import { recordDescriptor as at } from '../../src/journal/record-descriptor.ts';
import { recover } from '../../src/journal/recovery.ts';
import { segmentHeaderBytes, segmentVersion } from '../../src/journal/segment.ts';
import {
  EventChain,
  eventBatch,
  segmentBytesOf,
  smallSegment,
  temporaryFolder,
  thrownBy,
  writeSegment,
} from './journal-fixture.ts';

/** A writer and the number of its syncs. */
function open(folder: string, mode: JournalMode) {
  const counted = { syncs: 0 };
  const files: FilePort = {
    ...nodeFilePort,
    fdatasync: (file) => {
      counted.syncs += 1;
      nodeFilePort.fdatasync(file);
    },
  };
  const writer = JournalWriter.open(folder, { segmentBytes: smallSegment, files, mode });
  counted.syncs = 0;
  return { writer, counted };
}

function durableOffsets(folder: string): number[] {
  const bytes = segmentBytesOf(folder, 1);
  const reader = JournalReader.open(folder);
  const places = reader.advance().map(({ position }) => position.offset);
  reader.close();
  return places.map((offset) => bytes.readUInt32LE(offset + at.durableOffset));
}

/** Flips a bit in the record at an offset. */
function damage(folder: string, offset: number): void {
  const bytes = segmentBytesOf(folder, 1);
  bytes[offset + at.timeOffset] = (bytes[offset + at.timeOffset] ?? 0) ^ 1;
  writeSegment(folder, 1, bytes);
}

describe('a relaxed journal', () => {
  test('does not wait for the disk, and its records say so', () => {
    const folder = temporaryFolder();
    const source = new EventChain();
    const { writer, counted } = open(folder, 'relaxed');
    const first = writer.writeGroup([eventBatch(source, 1)]).committed.offset;
    const second = writer.writeGroup([eventBatch(source, 1)]).committed.offset;
    expect(counted.syncs).toBe(0);
    writer.sync();
    writer.sync();
    expect(counted.syncs).toBe(1);
    writer.writeGroup([eventBatch(source, 1)]);
    expect(counted.syncs).toBe(1);
    const third = writer.committed.offset;
    writer.mark(1);
    expect(counted.syncs).toBe(2);
    writer.close();
    const start = segmentHeaderBytes;
    expect(second).toBeGreaterThan(first);
    // An event and its seal, three times, and the mark with its seal.
    expect(durableOffsets(folder)).toEqual(
      [start, start, second, third].flatMap((offset) => [offset, offset]),
    );
  });

  test('syncs each segment before the next one appears', () => {
    const folder = temporaryFolder();
    const source = new EventChain();
    const { writer, counted } = open(folder, 'relaxed');
    while (writer.committed.segment < 3) writer.writeGroup([eventBatch(source, 10, 200)]);
    // Each roll-over syncs the old segment and the new one's header.
    expect(counted.syncs).toBeGreaterThanOrEqual(4);
    writer.close();
    expect(recover(folder).report.lastSequence).toBe(writer.committed.sequence);
  });

  test('loses what was not synced as a torn tail, and keeps what was', () => {
    const folder = temporaryFolder();
    const source = new EventChain();
    const { writer } = open(folder, 'relaxed');
    const places = [segmentHeaderBytes];
    const write = () => places.push(writer.writeGroup([eventBatch(source, 2)]).committed.offset);
    write();
    writer.sync();
    write();
    write();
    write();
    writer.close();
    const whole = segmentBytesOf(folder, 1);
    // The second group never reached the disk, but later ones did.
    damage(folder, places[1] ?? 0);
    const { report } = recover(folder);
    expect(report.lastSequence).toBe(3);
    expect(report.end.offset).toBe(places[1]);
    expect(report.bytesCut).toBeGreaterThan(0);
    expect(
      segmentBytesOf(folder, 1)
        .subarray(places[1])
        .every((byte) => byte === 0),
    ).toBe(true);
    writeSegment(folder, 1, whole);
    damage(folder, places[0] ?? 0);
    expect(thrownBy(() => recover(folder))).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { segment: 1, offset: segmentHeaderBytes, lastGoodSequence: 0 },
    });
  });

  test('with a record that claims more than there was is corrupt', () => {
    const folder = temporaryFolder();
    const { writer } = open(folder, 'durable');
    const { offset } = writer.writeGroup([eventBatch(new EventChain(), 1)]).committed;
    writer.close();
    const bytes = segmentBytesOf(folder, 1);
    const start = segmentHeaderBytes;
    bytes.writeUInt32LE(offset, start + at.durableOffset);
    const header = { version: segmentVersion, seed: crc32(bytes, 24, 32) };
    bytes.writeUInt32LE(recordCrc(bytes, start, start, header), start + at.crcOffset);
    writeSegment(folder, 1, bytes);
    expect(thrownBy(() => recover(folder))).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { what: 'a record says that more was durable than there was' },
    });
  });

  test('may be continued in the durable mode, which syncs what it finds', () => {
    const folder = temporaryFolder();
    const source = new EventChain();
    const relaxed = open(folder, 'relaxed').writer;
    relaxed.writeGroup([eventBatch(source, 1)]);
    const { offset } = relaxed.writeGroup([eventBatch(source, 1)]).committed;
    relaxed.close();
    const { writer, counted } = open(folder, 'durable');
    writer.writeGroup([eventBatch(source, 1)]);
    expect(counted.syncs).toBe(1);
    writer.close();
    expect(durableOffsets(folder).at(-1)).toBe(offset);
  });
});
