import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backUp } from '../../src/journal/backup.ts';
import { storeBlobs } from '../../src/journal/blob-store.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import {
  EventChain,
  eventBatch,
  smallSegment,
  temporaryFolder,
  thrownBy,
} from './journal-fixture.ts';

/** A data directory that is being written, and how to write on. */
function living() {
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  openDataDirectory(data, 1).release();
  const writer = JournalWriter.open(data, { segmentBytes: smallSegment });
  const chain = new EventChain();
  const write = (groups: number): void => {
    for (let count = 0; count < groups; count += 1) {
      writer.writeGroup([eventBatch(chain, 4, 1_000)]);
    }
  };
  return { data, copy: join(folder, 'copy'), writer, write };
}

function sealsOf(data: string): string[] {
  const reader = JournalReader.open(data, { verifyDigests: true });
  const records = reader.advance();
  reader.close();
  return records.filter(({ type }) => type === 'seal').map(({ digest }) => digest.toString('hex'));
}

const nothingDone = { copied: 0, copiedBytes: 0, removed: 0 };

describe('a backup', () => {
  test('ends at the last seal of a journal that is written on, and can be opened for writing', () => {
    const { data, copy, writer, write } = living();
    write(40);
    const report = backUp(data, copy, 7);
    write(1);
    const { lastSequence } = verifyJournal(copy);
    expect(report).toMatchObject({ folder: copy, lastSequence, seal: sealsOf(copy).at(-1) });
    expect(sealsOf(data).slice(0, -1)).toEqual(sealsOf(copy));
    writer.close();
    openDataDirectory(copy, 1).release();
    const second = JournalWriter.open(copy, { segmentBytes: smallSegment });
    expect(second.recovered).toMatchObject({ lastSequence, bytesCut: 0 });
    second.close();
    expect(JSON.parse(readFileSync(join(copy, 'backup.json'), 'utf8'))).toEqual({
      whole: true,
      atMs: 7,
      lastSequence,
      seal: report.seal,
    });
  });

  test('of a journal with half a group behind its last seal leaves that out', () => {
    const { data, copy, writer, write } = living();
    write(3);
    const { segment, offset } = writer.committed;
    const name = `journal/000000000${segment}.segment`;
    const bytes = readFileSync(join(data, name));
    bytes.copy(bytes, offset, 128, 128 + 700);
    writeFileSync(join(data, name), bytes);
    backUp(data, copy, 1);
    expect(verifyJournal(data).torn).not.toBeNull();
    expect(verifyJournal(copy)).toMatchObject({ ok: true, torn: null });
    expect(statSync(join(copy, name)).size).toBe(offset);
    writer.close();
  });

  test('repeated copies only what is new, and forgets what is gone', () => {
    const { data, copy, writer, write } = living();
    mkdirSync(join(data, 'workspaces/run/deep'), { recursive: true });
    writeFileSync(join(data, 'workspaces/run/deep/a.md'), 'a');
    writeFileSync(join(data, 'keys.json'), '{}');
    symlinkSync('deep/a.md', join(data, 'workspaces/run/link'));
    const text = Buffer.alloc(100_000, 'text');
    storeBlobs(data, null, new Map([[sha256(text), text]]), 1);
    const [part = ''] = readdirSync(join(data, 'blobs'));
    writeFileSync(join(data, 'blobs', part, 'half.tmp'), 'half');
    write(40);
    const segments = verifyJournal(data).segments;
    // Segments, one text, three files of other kinds, VERSION and the link.
    const first = backUp(data, copy, 1);
    expect(first.files).toMatchObject({ copied: segments + 5, kept: 0, removed: 0 });
    expect(readFileSync(join(copy, 'workspaces/run/deep/a.md'), 'utf8')).toBe('a');
    expect(readlinkSync(join(copy, 'workspaces/run/link'))).toBe('deep/a.md');
    expect(readdirSync(join(copy, 'blobs', part))).toEqual([`${sha256(text)}.zst`]);
    expect(backUp(data, copy, 2).files).toEqual({ ...nothingDone, kept: segments + 5 });

    write(30);
    writeFileSync(join(data, 'keys.json'), '{');
    rmSync(join(data, 'workspaces/run'), { recursive: true });
    unlinkSync(join(data, 'blobs', part, `${sha256(text)}.zst`));
    const later = verifyJournal(data).segments;
    expect(later).toBeGreaterThan(segments);
    const third = backUp(data, copy, 3);
    // The last segment of before has grown, and one file has shrunk.
    expect(third.files).toMatchObject({ copied: later - segments + 2, removed: 2 });
    expect(readFileSync(join(copy, 'keys.json'), 'utf8')).toBe('{');
    expect(existsSync(join(copy, 'workspaces/run'))).toBe(false);
    expect(sealsOf(copy)).toEqual(sealsOf(data));
    writer.close();
  });

  test('that was interrupted at any file is no data directory yet, and is completed', () => {
    const { data, copy, writer, write } = living();
    write(40);
    backUp(data, copy, 1);
    const whole = join(copy, '../whole');
    cpSync(copy, whole, { recursive: true });
    const segments = verifyJournal(data).segments;
    expect(segments).toBeGreaterThan(2);
    for (let last = 0; last < segments; last += 1) {
      rmSync(copy, { recursive: true });
      cpSync(whole, copy, { recursive: true });
      rmSync(join(copy, 'VERSION'));
      writeFileSync(join(copy, 'backup.json'), '{"whole":false}');
      for (let gone = last + 1; gone <= segments; gone += 1) {
        rmSync(join(copy, `journal/000000000${gone}.segment`));
      }
      writeFileSync(join(copy, `journal/000000000${last + 1}.segment.backup.tmp`), 'half');
      expect(thrownBy(() => openDataDirectory(copy, 1)).code).toBe('DATA_DIRECTORY_UNUSABLE');
      expect(backUp(data, copy, 2).files.kept).toBe(last);
      expect(sealsOf(copy)).toEqual(sealsOf(data));
    }
    writer.close();
  });

  test('is repaired where its own disk has lost a bit', () => {
    const { data, copy, writer, write } = living();
    write(40);
    backUp(data, copy, 1);
    const path = join(copy, 'journal/0000000001.segment');
    const bytes = readFileSync(path);
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    expect(verifyJournal(copy).ok).toBe(false);
    expect(backUp(data, copy, 2).files.copied).toBe(1);
    expect(verifyJournal(copy).ok).toBe(true);
    writer.close();
  });

  test('does not touch what is no backup of this data directory, or has gone on', () => {
    const { data, copy, writer, write } = living();
    write(3);
    const refused = (folder: string): void => {
      expect(thrownBy(() => backUp(data, folder, 1)).code).toBe('BACKUP_REFUSED');
    };
    refused(data);
    refused(join(data, 'inside'));
    refused(join(data, '..'));
    mkdirSync(copy);
    writeFileSync(join(copy, 'mine.txt'), 'mine');
    refused(copy);
    expect(readdirSync(copy)).toEqual(['mine.txt']);
    rmSync(join(copy, 'mine.txt'));

    backUp(data, copy, 1);
    const other = JournalWriter.open(copy, { segmentBytes: smallSegment });
    other.mark(1);
    other.close();
    const before = readFileSync(join(copy, 'journal/0000000001.segment'));
    write(1);
    refused(copy);
    expect(readFileSync(join(copy, 'journal/0000000001.segment')).equals(before)).toBe(true);
    expect(thrownBy(() => backUp(join(data, 'nowhere'), copy, 1)).code).toBe('BACKUP_REFUSED');
    writer.close();
  });

  test('is refused while somebody runs on the copy', () => {
    const { data, copy, writer } = living();
    backUp(data, copy, 1);
    const owner = openDataDirectory(copy, 1);
    expect(thrownBy(() => backUp(data, copy, 2)).code).toBe('DATA_DIRECTORY_LOCKED');
    owner.release();
    writer.close();
  });

  test('of a damaged journal is refused, and leaves the earlier one', () => {
    const { data, copy, writer, write } = living();
    write(40);
    backUp(data, copy, 1);
    const path = join(data, 'journal/0000000001.segment');
    const bytes = readFileSync(path);
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    expect(thrownBy(() => backUp(data, copy, 2)).code).toBe('JOURNAL_CORRUPT');
    expect(verifyJournal(copy).ok).toBe(true);
    writer.close();
  });

  test('that lacks a text says so', () => {
    const { data, copy, writer } = living();
    const text = Buffer.alloc(100_000, 'text');
    const chain = new EventChain();
    storeBlobs(data, null, new Map([[sha256(text), text]]), 1);
    writer.writeGroup([eventBatch(chain, 1)]);
    writer.close();
    const [part = ''] = readdirSync(join(data, 'blobs'));
    writeFileSync(join(data, 'blobs', part, `${sha256(text)}.zst`), 'another text');
    expect(thrownBy(() => backUp(data, copy, 1)).code).toBe('BACKUP_NOT_WHOLE');
    expect(existsSync(join(copy, 'VERSION'))).toBe(false);
  });
});
