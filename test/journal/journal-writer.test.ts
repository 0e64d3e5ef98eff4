import { statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { blobRecord } from '../../src/journal/blob-record.ts';
import { listSegments } from '../../src/journal/compaction.ts';
import { journalFolder } from '../../src/journal/data-folders.ts';
import { type FilePort, nodeFilePort } from '../../src/journal/file-port.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { segmentPath } from '../../src/journal/segment.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { newRunId, type RunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import {
  EventChain,
  encodeBatch,
  eventBatch,
  segmentBytesOf,
  smallSegment,
  temporaryFolder,
  testRun,
  thrownBy,
} from './journal-fixture.ts';
import { runPython } from './python.ts';

function readAll(folder: string) {
  const reader = JournalReader.open(folder, { verifyDigests: true });
  try {
    return reader.advance();
  } finally {
    reader.close();
  }
}

function openSmall(folder: string, files: FilePort = nodeFilePort): JournalWriter {
  return JournalWriter.open(folder, { segmentBytes: smallSegment, files });
}

describe('the journal writer', () => {
  test('writes batches that a reader finds in order, sealed', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    const first = [source.next('{"n":1}'), source.next('{"n":2}')];
    writer.writeGroup([encodeBatch(first)]);
    const { committed, refused } = writer.writeGroup([eventBatch(source, 1)]);
    expect(refused).toEqual([]);
    const records = readAll(folder);
    expect(records.map(({ type }) => type)).toEqual(['event', 'event', 'seal', 'event', 'seal']);
    expect(records.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
    expect(records[0]).toMatchObject(first[0] ?? {});
    expect(committed.sequence).toBe(5);
    writer.close();
  });

  test('goes on after a restart where it stopped', () => {
    const folder = temporaryFolder();
    const source = new EventChain();
    for (let start = 0; start < 3; start += 1) {
      const writer = openSmall(folder);
      expect(writer.recovered.lastSequence).toBe(start * 3);
      writer.writeGroup([eventBatch(source, 2)]);
      writer.close();
    }
    expect(readAll(folder)).toHaveLength(9);
  });

  test('refuses an event that does not continue its actor, whole batch and nothing else', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    const one = source.next('{}', 5);
    const two = source.next('{}', 5);
    const three = source.next('{}', 5);
    writer.writeGroup([encodeBatch([one])]);
    const other = new EventChain('run/other').next();
    const wrong = [
      [one],
      [three],
      [other, three],
      [{ ...two, epoch: 4 }],
      [{ ...two, previousDigest: null }],
      [{ ...two, previousDigest: Buffer.alloc(32) }],
      [{ ...two, run: null }],
      [{ ...two, actor: null }],
    ];
    const { refused, committed } = writer.writeGroup(wrong.map(encodeBatch));
    expect(refused.map(({ code }) => code)).toEqual(wrong.map(() => 'JOURNAL_REFUSED'));
    expect(committed.sequence).toBe(2);
    expect(writer.writeGroup([encodeBatch([other, two, three])]).refused).toEqual([]);
    expect(readAll(folder).filter(({ type }) => type === 'event')).toHaveLength(4);
    writer.close();
  });

  test('refuses bytes that are no records', () => {
    const writer = openSmall(temporaryFolder());
    const good = eventBatch(new EventChain(), 1);
    const cases = [
      Buffer.alloc(0),
      Buffer.alloc(64),
      good.subarray(0, good.length - 8),
      Buffer.concat([good, Buffer.alloc(8)]),
      Buffer.alloc(smallSegment),
    ];
    expect(writer.writeGroup(cases).refused).toHaveLength(cases.length);
    expect(writer.committed.sequence).toBe(0);
    writer.close();
  });

  test('takes late events of a run that ended, and forgets it after many more have', () => {
    const folder = temporaryFolder();
    const source = new EventChain();
    const first = source.next();
    const ended = (run: RunId) =>
      encodeBatch([{ ...first, type: 'run-ended' as const, actor: null, run }]);
    const writer = openSmall(folder);
    writer.writeGroup([encodeBatch([first]), ended(testRun)]);
    expect(writer.writeGroup([encodeBatch([source.next()])]).refused).toEqual([]);
    for (let count = 1; count < limits.openRunsMax; count += 1) {
      writer.writeGroup([ended(newRunId())]);
    }
    expect(writer.writeGroup([encodeBatch([source.next()])]).refused).toEqual([]);
    const late = source.next();
    writer.writeGroup([ended(newRunId())]);
    expect(writer.writeGroup([encodeBatch([late])]).refused).toHaveLength(1);
    writer.close();
    // Recovery comes to the same judgement.
    const again = openSmall(folder);
    expect(again.writeGroup([encodeBatch([late])]).refused).toHaveLength(1);
    again.close();
  });

  test('stores a blob once, also after a restart', () => {
    const folder = temporaryFolder();
    const content = Buffer.from('a text that comes twice');
    const blob = blobRecord(null, sha256(content), content, 1);
    const source = new EventChain();
    for (let start = 0; start < 2; start += 1) {
      const writer = openSmall(folder);
      writer.writeGroup([encodeBatch([blob, source.next()]), encodeBatch([blob, source.next()])]);
      writer.close();
    }
    const records = readAll(folder);
    expect(records.filter(({ type }) => type === 'blob')).toHaveLength(1);
    expect(records.filter(({ type }) => type === 'event')).toHaveLength(4);
  });

  test('rolls over to new segments without losing or tearing a group', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    let events = 0;
    while (writer.committed.segment < 4) {
      writer.writeGroup([eventBatch(source, 7, 300)]);
      events += 7;
    }
    writer.close();
    expect(listSegments(nodeFilePort, journalFolder(folder))).toEqual([1, 2, 3, 4]);
    const records = readAll(folder).filter(({ type }) => type === 'event');
    expect(records.map(({ actorSequence }) => actorSequence)).toEqual(
      Array.from({ length: events }, (_, index) => index + 1),
    );
    for (const number of [1, 2, 3, 4]) {
      expect(segmentBytesOf(folder, number)).toHaveLength(smallSegment);
    }
  });

  test('splits what does not fit into one group', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    const source = new EventChain();
    const batches = Array.from({ length: 40 }, () => eventBatch(source, 10, 200));
    expect(writer.writeGroup(batches).refused).toEqual([]);
    expect(readAll(folder).filter(({ type }) => type === 'event')).toHaveLength(400);
    writer.close();
  });

  test('marks that everything before is durable', () => {
    const folder = temporaryFolder();
    const writer = openSmall(folder);
    writer.writeGroup([eventBatch(new EventChain(), 1)]);
    writer.mark(77);
    expect(readAll(folder).at(-2)).toMatchObject({ type: 'mark', timeMs: 77, run: null });
    writer.close();
  });

  test('leaves no zeros behind its last record when it is trimmed, and goes on from there', () => {
    const folder = temporaryFolder();
    const path = segmentPath(journalFolder(folder), 1);
    const source = new EventChain();
    const first = openSmall(folder);
    first.writeGroup([eventBatch(source, 2)]);
    const { offset } = first.mark(1);
    first.trim();
    first.close();
    expect(statSync(path).size).toBe(offset);
    expect(readAll(folder)).toHaveLength(5);
    expect(verifyJournal(folder)).toMatchObject({ faults: [], torn: null });
    const { status, lines } = runPython('scripts/journal_reader.py', [folder]);
    expect([status, lines.at(-1)]).toMatchObject([0, { type: 'end', lastSequence: 5, torn: 0 }]);

    const second = openSmall(folder);
    expect(second.recovered).toMatchObject({ lastSequence: 5, bytesCut: 0 });
    expect(statSync(path).size).toBe(smallSegment);
    second.writeGroup([eventBatch(source, 1)]);
    second.close();
    expect(readAll(folder)).toHaveLength(7);
  });

  test('is not trimmed while the disk lags behind, and takes a refusal for no failure', () => {
    const folder = temporaryFolder();
    const path = segmentPath(journalFolder(folder), 1);
    const source = new EventChain();
    let refuses = false;
    const files: FilePort = {
      ...nodeFilePort,
      truncate: (file, bytes) => {
        if (refuses) throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
        nodeFilePort.truncate(file, bytes);
      },
    };
    const writer = JournalWriter.open(folder, {
      segmentBytes: smallSegment,
      files,
      mode: 'relaxed',
    });
    writer.writeGroup([eventBatch(source, 1)]);
    writer.trim();
    expect(statSync(path).size).toBe(smallSegment);
    writer.sync();
    refuses = true;
    writer.trim();
    expect(statSync(path).size).toBe(smallSegment);
    writer.writeGroup([eventBatch(source, 1)]);
    writer.close();
    expect(readAll(folder)).toHaveLength(4);
  });

  test('completes a write that the system did in pieces', () => {
    const folder = temporaryFolder();
    const pieces: FilePort = {
      ...nodeFilePort,
      write: (file, bytes, range) =>
        nodeFilePort.write(file, bytes, { ...range, length: Math.min(range.length, 1_000) }),
    };
    const writer = openSmall(folder, pieces);
    writer.writeGroup([eventBatch(new EventChain(), 20, 200)]);
    writer.close();
    expect(readAll(folder)).toHaveLength(21);
  });

  const faults = [
    { name: 'a full disk', fault: 'ENOSPC', in: 'write', code: 'DISK_FULL' },
    { name: 'a failing write', fault: 'EIO', in: 'write', code: 'JOURNAL_FAILED' },
    { name: 'a failing fdatasync', fault: 'EIO', in: 'fdatasync', code: 'JOURNAL_FAILED' },
  ] as const;
  test.each(faults)('stops for good at $name and tries nothing again', (expected) => {
    const folder = temporaryFolder();
    let broken = false;
    let calls = 0;
    const failing = <Arguments extends unknown[], Result>(real: (...rest: Arguments) => Result) => {
      return (...rest: Arguments): Result => {
        if (!broken) return real(...rest);
        calls += 1;
        throw Object.assign(new Error('injected'), { code: expected.fault });
      };
    };
    const files = { ...nodeFilePort, [expected.in]: failing(nodeFilePort[expected.in] as never) };
    const writer = openSmall(folder, files);
    const source = new EventChain();
    const before = writer.writeGroup([eventBatch(source, 3)]).committed;
    broken = true;
    expect(thrownBy(() => writer.writeGroup([eventBatch(source, 1)])).code).toBe(expected.code);
    expect(calls).toBe(1);
    broken = false;
    expect(thrownBy(() => writer.writeGroup([eventBatch(source, 1)])).code).toBe(expected.code);
    expect(thrownBy(() => writer.commit()).code).toBe(expected.code);
    expect(writer.committed).toEqual(before);
    writer.close();
    // What was acknowledged is there; the failed group may be, for its bytes may have arrived.
    const again = openSmall(folder);
    expect(again.recovered.lastSequence).toBeGreaterThanOrEqual(before.sequence);
    again.close();
  });

  test('stops with a clear error when a new segment finds no space', () => {
    const folder = temporaryFolder();
    let full = false;
    const files: FilePort = {
      ...nodeFilePort,
      open: (path, flags) => {
        if (full && flags === 'wx') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        return nodeFilePort.open(path, flags);
      },
    };
    const writer = openSmall(folder, files);
    const source = new EventChain();
    full = true;
    const fill = () => {
      for (;;) writer.writeGroup([eventBatch(source, 10, 500)]);
    };
    expect(thrownBy(fill).code).toBe('DISK_FULL');
    const { sequence } = writer.committed;
    writer.close();
    expect(readAll(folder)).toHaveLength(sequence);
    expect(readAll(folder).at(-1)?.run ?? testRun).toBe(testRun);
  });
});
