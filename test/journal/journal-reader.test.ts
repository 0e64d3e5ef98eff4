import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blobRecord } from '../../src/journal/blob-record.ts';
import { storeBlobs } from '../../src/journal/blob-store.ts';
import { blobPath, journalFolder } from '../../src/journal/data-folders.ts';
import { type FilePort, nodeFilePort } from '../../src/journal/file-port.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { recordDescriptor } from '../../src/journal/record-descriptor.ts';
import { segmentPath } from '../../src/journal/segment.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import {
  EventChain,
  encodeBatch,
  eventBatch,
  segmentBytesOf,
  smallSegment,
  temporaryFolder,
  thrownBy,
  writeSegment,
} from './journal-fixture.ts';

const openSmall = (folder: string) => JournalWriter.open(folder, { segmentBytes: smallSegment });

describe('the journal reader', () => {
  test('reads a directory without a journal as empty, and finds the journal once it is there', () => {
    const folder = temporaryFolder();
    const reader = JournalReader.open(folder);
    expect(reader.advance()).toEqual([]);
    const writer = openSmall(folder);
    writer.writeGroup([eventBatch(new EventChain(), 1)]);
    expect(reader.advance()).toHaveLength(2);
    writer.close();
    reader.close();
  });

  test('reads records again in few reads, and never keeps what is not written yet', () => {
    const folder = temporaryFolder();
    const writer = JournalWriter.open(folder, { segmentBytes: 1024 * 1024 });
    const source = new EventChain();
    let reads = 0;
    let bytesRead = 0;
    const files: FilePort = {
      ...nodeFilePort,
      read: (file, bytes, range) => {
        reads += 1;
        bytesRead += range.length;
        return nodeFilePort.read(file, bytes, range);
      },
    };
    const reader = JournalReader.open(folder, { files });
    const known = [];
    for (let group = 0; group < 3; group += 1) {
      writer.writeGroup([eventBatch(source, 20, 2_000)]);
      known.push(...reader.advance());
      for (const record of known) expect(reader.read(record.position)).toEqual(record);
    }
    const large = eventBatch(source, 1, 200_000);
    expect(large.length).toBeGreaterThan(200_000);
    writer.writeGroup([large]);
    known.push(...reader.advance());
    reads = 0;
    for (const record of known) reader.read(record.position);
    expect(reads).toBeLessThan(12);
    // Whoever jumps reads little.
    bytesRead = 0;
    for (const record of [known[0], known[50]]) if (record) reader.read(record.position);
    expect(bytesRead).toBeLessThan(10_000);
    for (const record of known.toReversed()) expect(reader.read(record.position)).toEqual(record);
    const past = { segment: 1, offset: writer.committed.offset };
    expect(thrownBy(() => reader.read(past)).code).toBe('JOURNAL_CORRUPT');
    writer.close();
    reader.close();
  });

  test('takes a damaged group for the future only as long as nothing follows it', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    writer.writeGroup([eventBatch(source, 2)]);
    const { offset } = writer.committed;
    writer.writeGroup([eventBatch(source, 2)]);
    const damage = (): void => {
      const bytes = segmentBytesOf(folder, 1);
      bytes[offset + 200] = (bytes[offset + 200] ?? 0) ^ 1;
      writeSegment(folder, 1, bytes);
    };
    damage();
    const reader = JournalReader.open(folder);
    expect(reader.advance()).toHaveLength(3);
    damage(); // Undone, so that the writer may go on.
    writer.writeGroup([eventBatch(source, 2)]);
    damage();
    expect(thrownBy(() => reader.advance())).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { segment: 1, lastGoodSequence: 3 },
    });
    writer.close();
    reader.close();
  });

  test('follows a live writer over segments, each record once and in order', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const reader = JournalReader.open(folder, { verifyDigests: true });
    const source = new EventChain();
    const seen: number[] = [];
    let round = 0;
    while (writer.committed.segment < 4) {
      writer.writeGroup([eventBatch(source, 1 + (round % 5), 200)]);
      if (round % 3 === 0) seen.push(...reader.advance().map(({ sequence }) => sequence));
      round += 1;
    }
    seen.push(...reader.advance().map(({ sequence }) => sequence));
    expect(reader.advance()).toEqual([]);
    expect(seen).toEqual(
      Array.from({ length: writer.committed.sequence }, (_, index) => index + 1),
    );
    expect(reader.position).toEqual({
      segment: writer.committed.segment,
      offset: writer.committed.offset,
    });
    writer.close();
    reader.close();
  });

  test('reads an end again when the writer rolled over in between', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    writer.writeGroup([eventBatch(source, 1)]);
    const second = segmentPath(journalFolder(folder), 2);
    const files: FilePort = {
      ...nodeFilePort,
      open: (path, flags) => {
        // The reader has just seen the end of segment 1 and now looks for segment 2.
        while (path === second && writer.committed.segment < 2) {
          writer.writeGroup([eventBatch(source, 20, 300)]);
        }
        return nodeFilePort.open(path, flags);
      },
    };
    const reader = JournalReader.open(folder, { files });
    expect(reader.advance()).toHaveLength(writer.committed.sequence);
    writer.close();
    reader.close();
  });

  test('stops at the durable position it was given', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    const first = writer.writeGroup([eventBatch(source, 2)]).committed;
    writer.writeGroup([eventBatch(source, 2)]);
    const reader = JournalReader.open(folder);
    expect(reader.advance(first)).toHaveLength(3);
    expect(reader.advance(first)).toEqual([]);
    expect(reader.advance()).toHaveLength(3);
    writer.close();
    reader.close();
  });

  test('follows a live writer from one durable position to the next, reading nothing twice', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    let bytesRead = 0;
    const files: FilePort = {
      ...nodeFilePort,
      read: (file, bytes, range) => {
        const read = nodeFilePort.read(file, bytes, range);
        bytesRead += read;
        return read;
      },
    };
    const reader = JournalReader.open(folder, { files });
    const source = new EventChain();
    const seen: number[] = [];
    while (writer.committed.segment < 3) {
      const { committed } = writer.writeGroup([eventBatch(source, 3, 100)]);
      seen.push(...reader.advance(committed).map(({ sequence }) => sequence));
    }
    expect(seen).toEqual(
      Array.from({ length: writer.committed.sequence }, (_, index) => index + 1),
    );
    // The rest of a segment is read once more when the next one appears.
    expect(bytesRead).toBeLessThan(2 * 2 * smallSegment + writer.committed.offset);
    writer.close();
    reader.close();
  });

  test('reads a journal without a group up to its durable position, which is empty', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const reader = JournalReader.open(folder);
    expect(reader.advance(writer.committed)).toEqual([]);
    writer.close();
    reader.close();
  });

  test('shows nothing of a group whose seal is not there yet, then all of it', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    const { offset } = writer.writeGroup([eventBatch(source, 1)]).committed;
    const end = writer.writeGroup([eventBatch(source, 3)]).committed;
    writer.close();
    const whole = segmentBytesOf(folder, 1);
    const reader = JournalReader.open(folder);
    for (const missing of [end.offset - 8, end.offset - recordDescriptor.headerBytes, offset + 8]) {
      const half = Buffer.from(whole);
      half.fill(0, missing);
      writeSegment(folder, 1, half);
      reader.advance();
      expect(reader.position.offset).toBe(offset);
      expect(thrownBy(() => reader.advance(end)).code).toBe('JOURNAL_CORRUPT');
    }
    writeSegment(folder, 1, whole);
    expect(reader.advance(end)).toHaveLength(4);
    reader.close();
  });

  test('reads one record again, and notices when it changed', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    writer.writeGroup([eventBatch(new EventChain(), 3)]);
    writer.close();
    const reader = JournalReader.open(folder);
    const records = reader.advance();
    for (const record of records) expect(reader.read(record.position)).toEqual(record);
    reader.close();
    const [, second] = records;
    const position = second?.position ?? { segment: 1, offset: 0 };
    const bytes = segmentBytesOf(folder, 1);
    bytes[position.offset + 170] = (bytes[position.offset + 170] ?? 0) ^ 4;
    writeSegment(folder, 1, bytes);
    const again = JournalReader.open(folder);
    expect(again.advance()).toEqual([]);
    expect(thrownBy(() => again.read(position))).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: position,
    });
    again.close();
  });

  test('finds blobs in records and in files, and refuses one with another content', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const small = Buffer.from('small');
    const large = Buffer.alloc(100_000, 'large');
    const middle = Buffer.alloc(10_000, 'middle');
    const noise = randomBytes(100_000);
    const stored = storeBlobs(
      folder,
      null,
      new Map([
        [sha256(small), small],
        [sha256(large), large],
        [sha256(middle), middle],
        [sha256(noise), noise],
      ]),
      1,
    );
    expect(stored).toHaveLength(2);
    const lie = blobRecord(null, sha256('truth'), Buffer.from('lie'), 1);
    writer.writeGroup([encodeBatch([...stored, lie, new EventChain().next()])]);
    writer.close();
    const reader = JournalReader.open(folder);
    expect(reader.blob(sha256(small), null)).toBeNull();
    reader.advance();
    expect(reader.blob(sha256(small), null)).toEqual(small);
    for (const content of [large, middle, noise]) {
      expect(reader.blob(sha256(content), null)).toEqual(content);
    }
    expect(reader.blob(sha256('nothing'), null)).toBeNull();
    expect(thrownBy(() => reader.blob(sha256('truth'), null)).code).toBe('JOURNAL_CORRUPT');
    const path = blobPath(folder, null, sha256('other'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'changed');
    expect(thrownBy(() => reader.blob(sha256('other'), null)).code).toBe('JOURNAL_CORRUPT');
    writeFileSync(`${path}.zst`, 'no frame of zstd');
    expect(thrownBy(() => reader.blob(sha256('other'), null)).code).toBe('JOURNAL_CORRUPT');
    reader.close();
  });
});
