import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blobRecord } from '../../src/journal/blob-record.ts';
import { storeBlobs } from '../../src/journal/blob-store.ts';
import { blobPath } from '../../src/journal/data-folders.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import type { AppendRecord } from '../../src/journal/record.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { fixtureFolder, fixtureNames } from './fixtures.ts';
import {
  EventChain,
  encodeBatch,
  eventBatch,
  segmentBytesOf,
  smallSegment,
  temporaryFolder,
  testRun,
  writeSegment,
} from './journal-fixture.ts';
import { journalSegment, journalsSegments, markedJournal } from './marked-journal.ts';

function flip(folder: string, segment: number, offset: number): void {
  const bytes = segmentBytesOf(folder, segment);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x10;
  writeSegment(folder, segment, bytes);
}

describe('a verification', () => {
  test('of a directory without a journal finds it sound and empty', () => {
    const found = verifyJournal(temporaryFolder());
    expect(found).toMatchObject({ ok: true, segments: 0, groups: 0, lastSequence: 0, torn: null });
  });

  test.each(fixtureNames)('of the recorded %s finds it sound', (name) => {
    const found = verifyJournal(fixtureFolder(name));
    expect(found).toMatchObject({ ok: true, faults: [], blobFaults: [], runsAffected: [] });
    expect(found.records).toMatchObject({ 'run-started': 1, 'run-ended': 1 });
    expect(found.seal).toMatch(/^[0-9a-f]{64}$/);
    expect(found.torn).toBeNull();
  });

  test('names each damage with its range, and reads on behind it', () => {
    const { folder, groups, lastSequence } = markedJournal({ groups: 30, segmentBytes: 16 * 1024 });
    expect(verifyJournal(folder)).toMatchObject({ ok: true, lastSequence });
    const damaged = [groups[2], groups[3], groups[10]].map((group) => {
      if (group === undefined) throw new Error('the group exists');
      flip(folder, group.segment, group.offset + 70);
      return group;
    });
    const found = verifyJournal(folder);
    expect(found.ok).toBe(false);
    expect(found.lastSequence).toBe(lastSequence);
    const [first, , third] = damaged;
    const places = [
      {
        segment: first?.segment ?? 0,
        offset: first?.offset ?? 0,
        lastGoodSequence: (first?.sequence ?? 0) - 1,
        next: place(groups[4]),
      },
      {
        segment: third?.segment ?? 0,
        offset: third?.offset ?? 0,
        lastGoodSequence: (third?.sequence ?? 0) - 1,
        next: place(groups[11]),
      },
    ];
    expect(found.faults).toMatchObject(places);
    expect(found.runsAffected).toEqual([testRun]);
  });

  test('finds damage that hides behind a next segment without a header', () => {
    const { folder, groups } = markedJournal({ groups: 60, segmentBytes: 16 * 1024 });
    const hidden = groups.find(({ segment }) => segment === 2);
    flip(folder, 2, (hidden?.offset ?? 0) + 70);
    flip(folder, 3, 20);
    expect(verifyJournal(folder).faults).toMatchObject([
      { segment: 2, offset: hidden?.offset, next: { segment: 2, offset: hidden?.end } },
      { segment: 3, offset: 0, what: 'its header is damaged', next: null },
    ]);
  });

  test('goes on in the next segment where one has lost its header', () => {
    const { folder, groups, lastSequence } = markedJournal({ groups: 60, segmentBytes: 16 * 1024 });
    expect(journalsSegments(groups)).toBeGreaterThanOrEqual(3);
    flip(folder, 2, 20);
    const found = verifyJournal(folder);
    const before = groups.findLast(({ segment }) => segment === 1);
    const behind = groups.find(({ segment }) => segment === 3);
    expect(found.faults).toMatchObject([
      { segment: 2, offset: 0, what: 'its header is damaged', next: place(behind) },
    ]);
    expect(found.faults[0]?.lastGoodSequence).toBe((before?.sequence ?? 0) + 2);
    expect(found.lastSequence).toBe(lastSequence);
  });

  test('misses a segment that is gone, in the middle and at the beginning', () => {
    for (const gone of [1, 2]) {
      const { folder, groups } = markedJournal({ groups: 60, segmentBytes: 16 * 1024 });
      rmSync(journalSegment(folder, gone));
      const found = verifyJournal(folder);
      const behind = groups.find(({ segment }) => segment === gone + 1);
      expect(found.faults).toMatchObject([
        { segment: gone, offset: 0, what: 'its file is missing', next: place(behind) },
      ]);
    }
  });

  test('takes what is not sealed for a torn tail, and says how long it is', () => {
    const folder = temporaryFolder();
    const writer = JournalWriter.open(folder, { segmentBytes: smallSegment });
    const source = new EventChain();
    writer.writeGroup([eventBatch(source, 2)]);
    const { offset } = writer.committed;
    writer.writeGroup([eventBatch(source, 2)]);
    writer.close();
    flip(folder, 1, offset + 70);
    const found = verifyJournal(folder);
    expect(found).toMatchObject({ ok: true, lastSequence: 3, torn: { segment: 1, offset } });
    expect(found.torn?.bytes).toBeGreaterThan(500);
  });

  test('finds texts that are missing or others, and the runs that name them', () => {
    const folder = temporaryFolder();
    const large = Buffer.from('a long text. '.repeat(9_000));
    const source = new EventChain();
    const naming = (content: Buffer | string) =>
      source.next(`{"text":{"$blob":"${sha256(content)}"}}`);
    const records: AppendRecord[] = [
      ...storeBlobs(folder, null, new Map([[sha256(large), large]]), 1),
      blobRecord(null, sha256('here'), Buffer.from('here'), 1),
      naming(large),
      naming('here'),
      source.next('{"$$blob":"no reference"}'),
    ];
    const writer = JournalWriter.open(folder, { segmentBytes: smallSegment });
    writer.writeGroup([encodeBatch(records)]);
    expect(verifyJournal(folder)).toMatchObject({ ok: true, blobFiles: 1, runsAffected: [] });
    writer.writeGroup([encodeBatch([naming('nowhere')])]);
    writer.close();
    const missing = { hash: sha256('nowhere'), what: 'it is missing' };
    expect(verifyJournal(folder)).toMatchObject({
      ok: false,
      faults: [],
      blobFaults: [missing],
      runsAffected: [testRun],
    });
    writeFileSync(`${blobPath(folder, null, sha256(large))}.zst`, 'no zstd');
    const wrong = blobPath(folder, null, sha256('nowhere'));
    mkdirSync(dirname(wrong), { recursive: true });
    writeFileSync(wrong, 'another text');
    const what = 'its content has another hash';
    expect(verifyJournal(folder).blobFaults).toEqual(
      expect.arrayContaining([
        { hash: sha256(large), what },
        { hash: sha256('nowhere'), what },
      ]),
    );
  });

  test('misses a document that a run names by its hash alone, and nothing that has no hash', () => {
    const folder = temporaryFolder();
    const started = (documents: unknown): AppendRecord => ({
      type: 'run-started',
      run: testRun,
      actor: null,
      actorSequence: 0,
      epoch: 0,
      timeMs: 1,
      cause: null,
      previousDigest: null,
      body: Buffer.from(JSON.stringify({ documents })),
    });
    const named = (text: string) => ({ name: 'mail.txt', sha256: sha256(text), part: null });
    const writer = JournalWriter.open(folder, { segmentBytes: smallSegment });
    const here = blobRecord(null, sha256('here'), Buffer.from('here'), 1);
    writer.writeGroup([encodeBatch([here, started([named('here')])])]);
    expect(verifyJournal(folder)).toMatchObject({ ok: true, runsAffected: [] });
    writer.writeGroup([encodeBatch([started([named('here'), named('nowhere')])])]);
    writer.writeGroup([encodeBatch([started([{ sha256: 'no hash' }])])]);
    writer.close();
    expect(verifyJournal(folder)).toMatchObject({
      ok: false,
      blobFaults: [{ hash: sha256('nowhere'), what: 'it is missing' }],
      runsAffected: [testRun],
    });
  });
});

function place(group: { segment: number; offset: number; sequence: number } | undefined) {
  return {
    segment: group?.segment ?? 0,
    offset: group?.offset ?? 0,
    sequence: group?.sequence ?? 0,
  };
}
