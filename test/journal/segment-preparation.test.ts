import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { journalFolder } from '../../src/journal/data-folders.ts';
import { type FilePort, nodeFilePort } from '../../src/journal/file-port.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import {
  EventChain,
  eventBatch,
  segmentBytesOf,
  smallSegment,
  temporaryFolder,
} from './journal-fixture.ts';

/** Fills three segments over a port and says how many zeros the writer itself wrote into them. */
function fillThree(
  changes: Partial<FilePort>,
  burstGroupBytes = smallSegment,
): { folder: string; zeroWrites: number } {
  const folder = temporaryFolder();
  let zeroWrites = 0;
  const files: FilePort = {
    ...nodeFilePort,
    write: (file, bytes, range) => {
      if (bytes.every((byte) => byte === 0)) zeroWrites += 1;
      return nodeFilePort.write(file, bytes, range);
    },
    ...changes,
  };
  const writer = JournalWriter.open(folder, {
    segmentBytes: smallSegment,
    files,
    burstGroupBytes,
  });
  const source = new EventChain();
  while (writer.committed.segment < 3) writer.writeGroup([eventBatch(source, 10, 200)]);
  const { sequence } = writer.committed;
  writer.close();
  const reader = JournalReader.open(folder, { verifyDigests: true });
  expect(reader.advance()).toHaveLength(sequence);
  reader.close();
  for (const number of [1, 2, 3]) expect(segmentBytesOf(folder, number)).toHaveLength(smallSegment);
  return { folder, zeroWrites };
}

const whole = (file: number, bytes: Buffer) => {
  nodeFilePort.write(file, bytes, { offset: 0, length: bytes.length, position: 0 });
};

describe('the preparation of the next segment', () => {
  test('spares the writer the zeros when they were written in time', () => {
    // Only the first segment has nobody to prepare it.
    expect(fillThree({ writeInBackground: whole }).zeroWrites).toBe(1);
  });

  test('is given up when the zeros are late, or only some of them came', () => {
    expect(fillThree({ writeInBackground: () => undefined }).zeroWrites).toBe(3);
    const some = (file: number, bytes: Buffer) => whole(file, bytes.subarray(0, 4_096));
    expect(fillThree({ writeInBackground: some }).zeroWrites).toBe(3);
  });

  test('is none in a burst, whose segments begin without zeros at their full size', () => {
    const lengthened: number[] = [];
    let prepared = 0;
    const writeInBackground = (file: number, bytes: Buffer) => {
      prepared += 1;
      whole(file, bytes);
    };
    const truncate = (file: number, bytes: number) => {
      lengthened.push(bytes);
      nodeFilePort.truncate(file, bytes);
    };
    expect(fillThree({ writeInBackground, truncate }, 2_000).zeroWrites).toBe(1);
    expect(prepared).toBe(0);
    expect(lengthened).toEqual([smallSegment, smallSegment]);
  });

  test('may fail without harm', () => {
    const fail = () => {
      throw Object.assign(new Error('injected'), { code: 'EIO' });
    };
    expect(fillThree({ writeInBackground: fail }).zeroWrites).toBe(3);
  });

  test('writes its zeros through another descriptor than the writer syncs', () => {
    const events: string[] = [];
    const open = new Map<number, string>();
    const background: number[] = [];
    fillThree({
      open: (path, flags) => {
        const file = nodeFilePort.open(path, flags);
        open.set(file, flags);
        events.push(flags);
        return file;
      },
      close: (file) => {
        expect(open.delete(file)).toBe(true);
        nodeFilePort.close(file);
      },
      fdatasync: (file) => {
        // A sync through it would use up the report of a failure.
        expect(open.get(file)).not.toBe('rs+');
        nodeFilePort.fdatasync(file);
      },
      writeInBackground: (file, bytes) => {
        expect(open.get(file)).toBe('rs+');
        background.push(file);
        whole(file, bytes);
      },
    });
    expect(background.length).toBeGreaterThanOrEqual(2);
    // The writer's is opened first, or a failure in between would be told to nobody.
    for (const [index, flags] of events.entries()) {
      if (flags === 'rs+') expect(events[index - 1]).toBe('wx');
    }
    expect([...open.keys()]).toEqual([]);
  });

  test('is none without a descriptor of its own, and keeps no other one open', () => {
    const open = new Set<number>();
    const { zeroWrites } = fillThree({
      open: (path, flags) => {
        if (flags === 'rs+') throw Object.assign(new Error('injected'), { code: 'EMFILE' });
        const file = nodeFilePort.open(path, flags);
        open.add(file);
        return file;
      },
      close: (file) => {
        open.delete(file);
        nodeFilePort.close(file);
      },
    });
    expect(zeroWrites).toBe(3);
    expect([...open]).toEqual([]);
  });

  test('leaves nothing behind when the writer closes', () => {
    const { folder } = fillThree({ writeInBackground: whole });
    const writer = JournalWriter.open(folder, { segmentBytes: smallSegment });
    const source = new EventChain('run/other');
    writer.writeGroup([eventBatch(source, 100, 200)]);
    writer.close();
    expect(readdirSync(journalFolder(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
