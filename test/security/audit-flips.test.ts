/**
 * One bit of the audit after the other changes: each change is found, and located.
 * AUDIT_FLIPS=all flips a bit in every byte, which takes some minutes.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keysFolder } from '../../src/journal/data-folders.ts';
import { recordDescriptor as at } from '../../src/journal/record-descriptor.ts';
import { scanGroups } from '../../src/journal/record-scan.ts';
import { segmentPath } from '../../src/journal/segment.ts';
import { verifyAudit } from '../../src/runtime/audit-verification.ts';
import { checkpointsOf } from '../../src/runtime/take-checkpoint.ts';
import { seededRandom } from '../crash/seeded-random.ts';
import { addRun, auditedJournal, checkpoint, flip, history } from '../runtime/audited-journal.ts';

const stride = process.env.AUDIT_FLIPS === 'all' ? 1 : 3;
/** A busy machine may take long; how long says nothing. */
const timeout = 1_800_000;

describe('a flipped bit', () => {
  test('in any byte of the audit files and of the keys is found, in that file', { timeout }, () => {
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
      'identity/log.pub',
      'identity/log.key',
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

  test('in any byte of the groups and headers of the journal is found, with its records', {
    timeout,
  }, () => {
    const { data, sizes } = history();
    const path = segmentPath(join(data, 'journal'), 1);
    const records = [...scanGroups(data, { after: 0 })].flat();
    const end = (records.at(-1)?.position.offset ?? 0) + at.headerBytes;
    expect(records).toHaveLength(sizes[2] ?? 0);
    const random = seededRandom(7);
    const whole = Array.from({ length: end }, (_, offset) => offset);
    const places = stride === 1 ? whole : whole.filter(() => random() < 0.04);
    expect(places.length).toBeGreaterThan(300);
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
