/** `claw audit` and `claw witness` as somebody types them, over a real data directory. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { addEvent, addRun, auditedJournal, checkpoint } from '../runtime/audited-journal.ts';
import { run, start } from './harness.ts';

/** A data directory without a server, a folder for files, and a way to run commands there. */
function setting() {
  const { data } = auditedJournal();
  addRun(data, ['a document']);
  addEvent(data, 'a');
  const cwd = temporaryFolder();
  const claw = async (...words: string[]) => {
    const { status, stdout, stderr } = await run([...words, '--json'], {
      cwd,
      environment: { OPENCLAW_HOME: data },
    });
    return { status, answer: stdout === '' ? null : JSON.parse(stdout), stderr };
  };
  return { data, cwd, claw, pub: join(data, 'identity', 'log.pub') };
}

describe('claw audit', () => {
  test('signs, verifies, and names damage with exit status 5', async () => {
    const { data, claw } = setting();
    expect(await claw('audit', 'checkpoint')).toMatchObject({ status: 0, answer: { taken: true } });
    const sound = await claw('audit', 'verify');
    expect(sound).toMatchObject({ status: 0, answer: { ok: true, auditRecords: 1, uncovered: 0 } });
    const path = join(data, 'audit', 'leaves');
    const bytes = readFileSync(path);
    bytes[70] = (bytes[70] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const damaged = await claw('audit', 'verify');
    expect(damaged).toMatchObject({
      status: 5,
      answer: { ok: false, faults: [{ file: 'audit/leaves', offset: 64, records: { from: 3 } }] },
    });
    const text = await run(['audit', 'verify'], { environment: { OPENCLAW_HOME: data } });
    expect(text.stdout).toContain('damaged      audit/leaves, offset 64 (record 3)');
  });

  test('proves a record to somebody who has the public key alone', async () => {
    const { cwd, claw, pub } = setting();
    await claw('audit', 'checkpoint');
    const { answer: runs } = await claw('runs');
    const id = runs.runs[0].id;
    const proven = await claw('audit', 'prove', '--event', `${id}:2`, '--out', 'proof');
    expect(proven.status).toBe(0);
    writeFileSync(join(cwd, 'log.pub'), readFileSync(pub));
    const elsewhere = { cwd, environment: { OPENCLAW_HOME: join(cwd, 'nothing') } };
    const words = ['audit', 'check', 'proof', '--key', 'log.pub', '--json'];
    const checked = await run(words, elsewhere);
    expect(checked.status).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      holds: true,
      sequence: proven.answer.record,
      type: 'event',
    });
    const proof = readFileSync(join(cwd, 'proof'), 'utf8');
    const forged = proof.replace(`index ${proven.answer.record - 1}`, 'index 0');
    writeFileSync(join(cwd, 'proof'), forged);
    const refused = await run(words, elsewhere);
    expect(refused.status).toBe(5);
    expect(refused.stdout + refused.stderr).toContain('AUDIT_PROOF_REFUSED');
    for (let record = 1; record <= 5; record += 1) {
      await claw('audit', 'prove', '--record', String(record), '--out', 'each');
      expect((await claw('audit', 'check', 'each')).answer).toMatchObject({ sequence: record });
    }
    const beyond = await claw('audit', 'prove', '--record', '999999');
    expect(beyond).toMatchObject({
      status: 2,
      answer: { error: { code: 'AUDIT_RECORD_NOT_FOUND' } },
    });
  });

  test('shows that one checkpoint continues another', async () => {
    const { data, claw } = setting();
    await claw('audit', 'checkpoint', '--out', 'old');
    addEvent(data, 'b');
    await claw('audit', 'checkpoint', '--out', 'new');
    const grown = await claw('audit', 'consistency', 'old', 'new');
    expect(grown).toMatchObject({ status: 0, answer: { holds: true } });
    expect(grown.answer.to).toBeGreaterThan(grown.answer.from);
    expect(await claw('audit', 'consistency', 'old', 'no-file')).toMatchObject({ status: 2 });
  });

  test('exports to a file, from a record on', async () => {
    const { cwd, claw } = setting();
    const all = await claw('audit', 'export', '--format', 'cloudevents', '--to', 'out.jsonl');
    const lines = readFileSync(join(cwd, 'out.jsonl'), 'utf8').split('\n').slice(0, -1);
    expect(all).toMatchObject({ status: 0, answer: { lines: lines.length } });
    expect(lines.map((line) => JSON.parse(line).type)).toContain('openclaw.audit.quarantined');
    const none = ['--format', 'ocsf', '--to', 'more', '--from', String(all.answer.last + 1)];
    expect((await claw('audit', 'export', ...none)).answer).toMatchObject({ lines: 0 });
    expect((await claw('audit', 'export', '--format', 'ocsf', '--to', 'syslog:x')).status).toBe(2);
  });

  test('begins a new log where the old one cannot go on', async () => {
    const { claw } = setting();
    await claw('audit', 'checkpoint');
    const before = (await claw('audit', 'verify')).answer;
    const restarted = await claw('audit', 'restart');
    expect(restarted.answer).toMatchObject({
      before: { origin: before.origin, size: before.size },
    });
    const after = await claw('audit', 'verify');
    expect(after).toMatchObject({ status: 0, answer: { ok: true, checkpoints: 1 } });
    expect(after.answer.origin).not.toBe(before.origin);
    expect(readFileSync(join(restarted.answer.kept, 'log.pub'), 'utf8')).toContain(before.origin);
  });
});

describe('claw witness', () => {
  test('cosigns files, for a disk that is carried there and back', async () => {
    const { data, claw, pub } = setting();
    await claw('audit', 'checkpoint');
    const made = await claw('witness', 'init', 'w', '--name', 'test/w');
    expect(made.answer.publicKey).toContain('test/w+');
    expect(await claw('witness', 'add', 'w', pub)).toMatchObject({ answer: { size: 0 } });
    await claw('audit', 'request', '--out', 'request');
    expect((await claw('witness', 'cosign', 'w', 'request')).status).toBe(0);
    const kept = await claw(
      'audit',
      'cosigned',
      'request.cosigned',
      '--witness-key',
      'w/witness.pub',
    );
    expect(kept.status).toBe(0);
    const size = kept.answer.size;
    expect((await claw('witness', 'show', 'w')).answer.logs).toMatchObject([{ size }]);
    expect(await claw('audit', 'verify', '--witness', 'w')).toMatchObject({
      status: 0,
      answer: { witness: { name: 'test/w', size }, newest: { cosigned: ['test/w'] } },
    });
    const note = ['--witness', 'request.cosigned', '--witness-key', 'w/witness.pub'];
    expect((await claw('audit', 'verify', ...note)).answer).toMatchObject({ witness: { size } });

    addEvent(data, 'b');
    await claw('audit', 'checkpoint');
    await claw('audit', 'request', '--out', 'again');
    const stale = await claw('witness', 'cosign', 'w', 'again');
    expect(stale).toMatchObject({ status: 5, answer: { error: { code: 'WITNESS_CONFLICT' } } });
    await claw('audit', 'request', '--old', String(size), '--out', 'again');
    expect((await claw('witness', 'cosign', 'w', 'again')).status).toBe(0);
  });

  test('serves a configured runtime, which goes on when it is gone', async () => {
    const { data, cwd, claw, pub } = setting();
    await claw('witness', 'init', 'w');
    await claw('witness', 'add', 'w', pub);
    const socket = join(cwd, 'w.sock');
    const served = start(['witness', 'serve', 'w', '--socket', socket, '--json'], { cwd });
    await expect.poll(served.stdout).toContain('address');
    const { publicKey } = JSON.parse(served.stdout());
    const config = join(cwd, 'config.yaml');
    writeFileSync(config, `audit: { witness: { socket: ${socket}, publicKey: '${publicKey}' } }\n`);
    const taken = await claw('audit', 'checkpoint', '--config', config);
    expect(taken).toMatchObject({ status: 0, answer: { witness: { cosigned: true } } });
    served.signal();
    expect((await served.ended).status).toBe(0);
    addEvent(data, 'b');
    const alone = await claw('audit', 'checkpoint', '--config', config);
    expect(alone).toMatchObject({
      status: 4,
      answer: { taken: true, witness: { problem: { code: 'WITNESS_UNREACHABLE' } } },
    });
    const verified = await claw('audit', 'verify', '--witness', 'w', '--config', config);
    expect(verified).toMatchObject({ status: 0, answer: { ok: true } });
    expect(verified.answer.uncovered).toBe(0);
    checkpoint(data);
  });
});
