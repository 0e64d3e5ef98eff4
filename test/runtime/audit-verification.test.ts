/** What somebody may do to a journal and its audit, and that it is found, and where. */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { logKeyPath, logPublicPath } from '../../src/identity/log-key.ts';
import { backUp } from '../../src/journal/backup.ts';
import { keysFolder } from '../../src/journal/data-folders.ts';
import { LeafFile, leavesPath, trimAudit } from '../../src/journal/leaf-file.ts';
import { recordCrc } from '../../src/journal/record.ts';
import { recordChecksum } from '../../src/journal/record-checksum.ts';
import { recordDescriptor as at } from '../../src/journal/record-descriptor.ts';
import { recordLeaf } from '../../src/journal/record-leaf.ts';
import { scanGroups } from '../../src/journal/record-scan.ts';
import { SealHasher } from '../../src/journal/seal.ts';
import { segmentPath } from '../../src/journal/segment.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { sha256Bytes } from '../../src/kernel/hash.ts';
import { verifyAudit } from '../../src/runtime/audit-verification.ts';
import { compactJournal } from '../../src/runtime/compact-journal.ts';
import { checkpointsOf } from '../../src/runtime/take-checkpoint.ts';
import { seededRandom } from '../crash/seeded-random.ts';
import { thrownBy } from '../journal/journal-fixture.ts';
import {
  type AuditedJournal,
  addEvent,
  addRun,
  auditedJournal,
  checkpoint,
  cosign,
} from './audited-journal.ts';

/** AUDIT_FLIPS=all flips a bit in every byte, which takes some minutes. */
const stride = process.env.AUDIT_FLIPS === 'all' ? 1 : 3;

/** Two checkpoints that a witness cosigned, one that it did not see, and records behind. */
function history(): AuditedJournal & { readonly sizes: readonly number[] } {
  const journal = auditedJournal();
  const { data } = journal;
  addRun(data, ['a short text', 'x'.repeat(300)]);
  addEvent(data, 'a');
  checkpoint(data);
  const first = cosign(journal);
  addEvent(data, 'b');
  addRun(data, ['another']);
  checkpoint(data);
  const second = cosign(journal);
  addEvent(data, 'c');
  const third = checkpoint(data).size;
  return { ...journal, sizes: [first, second, third] };
}

const folderOf = ({ witness }: AuditedJournal) => ({ path: witness.folder, publicKey: null });

function flip(path: string, offset: number, bit: number): () => void {
  const before = readFileSync(path);
  const changed = Buffer.from(before);
  changed[offset] = (changed[offset] ?? 0) ^ (1 << bit);
  writeFileSync(path, changed);
  return () => writeFileSync(path, before);
}

describe('an audit that nobody touched', () => {
  test('is sound, with a witness and without', () => {
    const journal = history();
    const [, second, third = 0] = journal.sizes;
    const found = verifyAudit(journal.data);
    expect(found).toMatchObject({
      ok: true,
      faults: [],
      size: third,
      leaves: third,
      auditRecords: 3,
      uncovered: 0,
      unsealed: null,
      newest: { size: third, cosigned: [] },
    });
    addEvent(journal.data, 'd');
    const seen = verifyAudit(journal.data, folderOf(journal));
    expect(seen).toMatchObject({ ok: true, witness: { name: 'test/witness', size: second } });
    expect(seen.uncovered).toBeGreaterThan(0);
  });

  test('has a root for each size that does not depend on how often it was taken', () => {
    const journal = history();
    const once = verifyAudit(journal.data);
    rmSync(leavesPath(journal.data));
    const rebuilt = checkpoint(journal.data);
    expect(rebuilt).toMatchObject({ size: once.size, root: once.root, taken: false });
    expect(verifyAudit(journal.data)).toMatchObject({ ok: true, leaves: once.size });
  });

  test('of a directory without a journal is sound and empty', () => {
    const { data } = auditedJournal();
    rmSync(join(data, 'audit'), { recursive: true });
    rmSync(logKeyPath(data));
    rmSync(logPublicPath(data));
    expect(verifyAudit(data)).toMatchObject({
      ok: true,
      origin: null,
      newest: null,
      checkpoints: 0,
    });
  });
});

describe('a flipped bit', () => {
  test('in any byte of the audit files and of the keys is found, in that file', () => {
    const journal = history();
    const { data } = journal;
    const stored = checkpointsOf(data);
    const runs = readdirSync(keysFolder(data)).filter((name) => !name.startsWith('log.'));
    expect(runs).toHaveLength(2);
    const files = [
      'audit/leaves',
      'audit/witnesses',
      'audit/run-keys',
      ...readdirSync(stored.folder).map((name) => `audit/checkpoints/${name}`),
      'keys/log.pub',
      'keys/log.key',
      ...runs.map((run) => `keys/${run}`),
    ];
    let flips = 0;
    for (const file of files) {
      const bytes = readFileSync(join(data, file)).length;
      for (let offset = flips % stride; offset < bytes; offset += stride) {
        const undo = flip(join(data, file), offset, offset % 8);
        const { ok, faults } = verifyAudit(data);
        undo();
        flips += 1;
        expect(ok, `${file}, offset ${offset}`).toBe(false);
        const named = faults.find((fault) => fault.file === file);
        expect(named, `${file}, offset ${offset}: ${JSON.stringify(faults)}`).toBeDefined();
        if (file === 'audit/leaves') {
          const record = Math.floor(offset / 32) + 1;
          expect(named).toMatchObject({ records: { from: record, to: record } });
        }
      }
    }
    expect(verifyAudit(data).ok).toBe(true);
    expect(flips).toBeGreaterThan(2_000 / stride);
  });

  test('in any byte of the groups and headers of the journal is found, with its records', () => {
    const { data, sizes } = history();
    const path = segmentPath(join(data, 'journal'), 1);
    const records = [...scanGroups(data, { after: 0 })].flat();
    const end = (records.at(-1)?.position.offset ?? 0) + at.headerBytes;
    expect(records).toHaveLength(sizes[2] ?? 0);
    const random = seededRandom(7);
    const whole = Array.from({ length: end }, (_, offset) => offset);
    const places = stride === 1 ? whole : whole.filter(() => random() < 0.1);
    expect(places.length).toBeGreaterThan(800);
    for (const offset of places) {
      const undo = flip(path, offset, offset % 8);
      const { ok, faults } = verifyAudit(data);
      undo();
      expect(ok, `offset ${offset}`).toBe(false);
      const fault = faults.find(({ file }) => file === 'journal/0000000001.segment') ?? faults[0];
      const { from = 0, to = 0 } = fault?.records ?? {};
      const group = records.filter(({ position }) => position.offset <= offset).at(-1);
      const hit = offset < 128 ? 1 : (group?.sequence ?? 0);
      expect(from, `offset ${offset}`).toBeLessThanOrEqual(hit);
      expect(to, `offset ${offset}`).toBeGreaterThanOrEqual(hit);
    }
  });

  test('behind the last seal is told, and is nothing: the next start zeroes it', () => {
    const { data } = history();
    const path = segmentPath(join(data, 'journal'), 1);
    const bytes = readFileSync(path);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(Math.max(0, 60_000 - bytes.length))]));
    for (const offset of [end + 8, end + 800, 59_000]) {
      const undo = flip(path, offset, 3);
      const { ok, unsealed, root } = verifyAudit(data);
      undo();
      expect({ ok, unsealed }).toMatchObject({ ok: true, unsealed: { segment: 1 } });
      const last = (unsealed?.offset ?? 0) + (unsealed?.bytes ?? 0) - 1;
      expect(last).toBe(offset);
      expect(root).toBe(verifyAudit(data).root);
    }
  });

  test('behind the last group of an earlier segment is found', () => {
    const { data } = auditedJournal();
    addRun(data);
    for (let run = 0; run < 6; run += 1)
      addRun(
        data,
        ['x', 'y', 'z'].map((text) => text.repeat(400 + run)),
      );
    for (let run = 0; run < 4; run += 1) addRun(data);
    checkpoint(data);
    const segments = readdirSync(join(data, 'journal')).filter((name) => name.endsWith('.segment'));
    expect(segments.length).toBeGreaterThan(1);
    const path = segmentPath(join(data, 'journal'), 1);
    const offset = readFileSync(path).length - 9;
    const undo = flip(path, offset, 1);
    expect(verifyAudit(data).faults).toMatchObject([
      { file: 'journal/0000000001.segment', offset, what: expect.stringContaining('not zero') },
    ]);
    undo();
    expect(verifyAudit(data).ok).toBe(true);
  });
});

/** Changes an audit record and makes everything in the journal fit it again, as only a knowing hand does. */
function rewrite(data: string, wanted: string, replacement: string): number {
  const path = segmentPath(join(data, 'journal'), 1);
  const bytes = readFileSync(path);
  const header = { version: bytes.readUInt32LE(12), seed: saltSeed(bytes) };
  const hasher = new SealHasher();
  let seal: Buffer = Buffer.alloc(32);
  let changed = 0;
  for (const group of [...scanGroups(data, { after: 0 })]) {
    const starts = group.map(({ position }) => position.offset);
    for (const [index, record] of group.entries()) {
      const offset = starts[index] ?? 0;
      const length = bytes.readUInt32LE(offset);
      if (record.type === 'audit' && record.body.includes(wanted)) {
        const body = Buffer.from(record.body.toString('utf8').replace(wanted, replacement));
        body.copy(bytes, offset + at.headerBytes);
        const digest = sha256Bytes(bytes.subarray(offset + at.digestedOffset, offset + length));
        digest.copy(bytes, offset + at.digestOffset);
        changed = record.sequence;
      }
      if (record.type === 'seal') {
        const next = hasher.seal(seal, bytes, starts.slice(0, -1));
        seal.copy(bytes, offset + at.previousDigestOffset);
        next.copy(bytes, offset + at.digestOffset);
        seal = next;
      }
      bytes.writeUInt32LE(recordCrc(bytes, offset, offset, header), offset + at.crcOffset);
    }
  }
  writeFileSync(path, bytes);
  return changed;
}

function saltSeed(header: Buffer): number {
  return recordChecksum(header.readUInt32LE(12))(header, 24, 32);
}

function rewriteLeaves(data: string): void {
  rmSync(leavesPath(data));
  const leaves = LeafFile.append(data);
  leaves.add([...scanGroups(data, { after: 0 })].flat().map(recordLeaf));
  leaves.close();
}

describe('a rewritten journal', () => {
  test('whose digests, seals and checksums all hold again is found at the record', () => {
    const { data } = history();
    const record = rewrite(data, '"a"', '"z"');
    expect(verifyJournal(data)).toMatchObject({ ok: true, faults: [] });
    const { faults } = verifyAudit(data);
    expect(faults[0]).toMatchObject({
      file: 'journal/0000000001.segment',
      records: { from: record },
      what: expect.stringContaining('not the one that was counted'),
    });
  });

  test('with rewritten leaves is found between two checkpoints', () => {
    const { data, sizes } = history();
    rewrite(data, '"b"', '"z"');
    rewriteLeaves(data);
    const [first = 0, second = 0] = sizes;
    expect(verifyAudit(data).faults).toMatchObject([
      {
        file: expect.stringContaining(`${second}.note`),
        records: { from: first + 1, to: second },
        what: 'this is the first checkpoint that the records do not fit',
      },
    ]);
  });

  test('with new leaves, keys and checkpoints is found by the witness alone', () => {
    const journal = history();
    const { data, sizes } = journal;
    const [first = 0, second = 0] = sizes;
    rewrite(data, '"b"', '"z"');
    rewriteLeaves(data);
    // The runtime's own key is on the host, so whoever owns the host signs what he likes.
    rmSync(checkpointsOf(data).folder, { recursive: true });
    checkpoint(data);
    expect(verifyAudit(data).ok).toBe(true);
    const { ok, faults } = verifyAudit(data, folderOf(journal));
    expect(ok).toBe(false);
    expect(faults).toMatchObject([
      {
        records: { from: first + 1, to: second },
        what: expect.stringContaining('another history'),
      },
    ]);
    addEvent(data, 'later');
    checkpoint(data);
    expect(thrownBy(() => cosign(journal)).code).toBe('WITNESS_REFUSED');
  });

  test('of a log with another key is not the log that the witness knows', () => {
    const journal = history();
    const { data } = journal;
    for (const path of [logKeyPath(data), logPublicPath(data), checkpointsOf(data).folder]) {
      rmSync(path, { recursive: true });
    }
    checkpoint(data);
    const { faults } = verifyAudit(data, folderOf(journal));
    expect(faults).toMatchObject([{ file: 'keys/log.pub' }]);
    addEvent(data, 'later');
    checkpoint(data);
    expect(thrownBy(() => cosign(journal)).code).toBe('WITNESS_LOG_UNKNOWN');
  });
});

describe('a log that went back', () => {
  test('to an older copy of the whole data directory is sound, and found by the witness', () => {
    const journal = auditedJournal();
    const { data } = journal;
    addRun(data, ['one']);
    checkpoint(data);
    const first = cosign(journal);
    cpSync(data, `${data}-old`, { recursive: true });
    addRun(data, ['two']);
    checkpoint(data);
    const second = cosign(journal);
    rmSync(data, { recursive: true });
    renameSync(`${data}-old`, data);
    expect(verifyAudit(data)).toMatchObject({ ok: true, size: first });
    const { ok, faults } = verifyAudit(data, folderOf(journal));
    expect(ok).toBe(false);
    expect(faults).toMatchObject([
      { records: { from: first + 1, to: second }, what: expect.stringContaining('rolled back') },
    ]);
    // It goes on by another history, past what the witness saw, and finds no signature for it.
    for (let more = 0; more < 12; more += 1) addEvent(data, `e${more}`);
    addRun(data, ['three']);
    expect(checkpoint(data).size).toBeGreaterThan(second);
    expect(verifyAudit(data, folderOf(journal)).faults).toMatchObject([
      {
        records: { from: first + 1, to: second },
        what: expect.stringContaining('another history'),
      },
    ]);
    expect(thrownBy(() => cosign(journal)).code).toBe('WITNESS_REFUSED');
  });

  test('by a journal alone that was cut is found without a witness, and signs nothing', () => {
    const { data, sizes } = history();
    const path = segmentPath(join(data, 'journal'), 1);
    const bytes = readFileSync(path);
    const last = [...scanGroups(data, { after: 0 })].at(-1)?.[0];
    bytes.fill(0, last?.position.offset ?? 0);
    writeFileSync(path, bytes);
    const { faults } = verifyAudit(data);
    expect(faults).toMatchObject([
      { records: { from: last?.sequence, to: sizes[2] }, what: expect.stringContaining('cut') },
    ]);
    expect(thrownBy(() => checkpoint(data)).code).toBe('AUDIT_LOG_DAMAGED');
  });
});

describe('a backup', () => {
  test('that an audit had overtaken says nothing of what it does not have', () => {
    const { data, sizes } = history();
    const copy = `${data}-copy`;
    backUp(data, copy, 1);
    expect(verifyAudit(copy)).toMatchObject({ ok: true, size: sizes[2] });
    trimAudit(copy, (sizes[1] ?? 0) + 1);
    expect(checkpointsOf(copy).sizes()).toEqual(sizes.slice(0, 2));
    expect(verifyAudit(copy)).toMatchObject({ ok: true, leaves: (sizes[1] ?? 0) + 1 });
  });
});

describe('a compacted journal', () => {
  test('is still the one of its checkpoints, by the leaves that were kept', async () => {
    const journal = auditedJournal();
    const { data } = journal;
    for (let run = 0; run < 4; run += 1) addRun(data);
    checkpoint(data);
    const size = cosign(journal);
    addRun(data);
    const before = verifyAudit(data);
    const { done } = await compactJournal(data, { sequence: size }, { nowMs: 1 });
    expect(done).toBe(true);
    const after = verifyAudit(data, folderOf(journal));
    expect(after).toMatchObject({ ok: true, faults: [], checkpoints: expect.any(Number) });
    expect(after.leaves).toBeGreaterThanOrEqual(before.size);
    checkpoint(data);
    expect(cosign(journal)).toBeGreaterThan(size);
    const undo = flip(leavesPath(data), 40, 1);
    const [fault] = verifyAudit(data).faults;
    undo();
    expect(fault?.records).toMatchObject({ from: 1 });
  });
});
