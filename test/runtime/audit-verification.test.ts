/** What somebody may do to a journal and its audit, and that it is found, and where. */
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { logKeyPath, logPublicPath } from '../../src/identity/log-key.ts';
import { backUp } from '../../src/journal/backup.ts';
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
import { thrownBy } from '../journal/journal-fixture.ts';
import {
  addEvent,
  addRun,
  auditedJournal,
  checkpoint,
  cosign,
  flip,
  folderOf,
  history,
} from './audited-journal.ts';

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
    expect(faults).toMatchObject([{ file: 'identity/log.pub' }]);
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
