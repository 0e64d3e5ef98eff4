/** The audit of a running system, with a real witness behind a real socket. */
import { cpSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serveWitness } from '../../src/api/witness-server.ts';
import { logPublicPath } from '../../src/identity/log-key.ts';
import { Witness } from '../../src/identity/witness.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { type AuditConfig, auditConfigSchema } from '../../src/runtime/audit-config.ts';
import { appendAuditEvents } from '../../src/runtime/audit-log.ts';
import type { CheckpointReport } from '../../src/runtime/audit-port.ts';
import { AuditService } from '../../src/runtime/audit-service.ts';
import { auditStatus } from '../../src/runtime/audit-status.ts';
import { verifyAudit } from '../../src/runtime/audit-verification.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { takeCheckpoint } from '../../src/runtime/take-checkpoint.ts';
import { openRuntime, testFolder } from './running.ts';

const event = (actor: string) => ({
  type: 'quarantined',
  run: 'r',
  actor,
  code: 'TEST',
  message: 'why',
});

async function served(): Promise<{ witness: Witness; socket: string; configured: AuditConfig }> {
  const folder = testFolder();
  const witness = Witness.create(join(folder, 'witness'), 'test/witness');
  const socket = join(folder, 'w.sock');
  const server = await serveWitness(witness, { socket });
  onTestFinished(() => server.close());
  const { text: publicKey } = witness.verifier;
  return {
    witness,
    socket,
    configured: auditConfigSchema.parse({ witness: { socket, publicKey } }),
  };
}

/** A data directory whose log the witness knows. */
function known(witness: Witness): string {
  const data = join(testFolder(), 'data');
  openDataDirectory(data, 1).release();
  takeCheckpoint({ dataDirectory: data, until: null, nowMs: 1, frontier: null });
  witness.addLog(readFileSync(logPublicPath(data), 'utf8'));
  appendAuditEvents(data, [event('known')]);
  return data;
}

/** What one process is told, which takes a checkpoint and ends. */
async function asked(data: string, audit: AuditConfig): Promise<CheckpointReport> {
  const follower = new JournalFollower(data);
  follower.advance();
  const config = { dataDirectory: data, audit };
  const service = new AuditService({ config, follower, onNotice: () => undefined });
  try {
    return await service.checkpoint();
  } finally {
    await service.stop(false);
    follower.close();
  }
}

describe('the audit of a running system', () => {
  test('has its checkpoints cosigned, each by a proof from the one before', async () => {
    const { witness, configured } = await served();
    const data = known(witness);
    const runtime = await openRuntime(data, { audit: configured });
    for (const actor of ['a', 'b', 'c']) {
      await runtime.security.record(event(actor));
      const report = await runtime.audit.checkpoint();
      expect(report).toMatchObject({ taken: true, witness: { cosigned: true, problem: null } });
      expect(witness.logs()).toMatchObject([{ size: report.size }]);
    }
    expect((await runtime.audit.checkpoint()).taken).toBe(false);
    expect(auditStatus(data, configured).cosigned).toBe(witness.logs()[0]?.size);
    const beside = verifyAudit(data, { path: witness.folder, publicKey: null });
    expect(beside).toMatchObject({ ok: true, faults: [] });
    await runtime.stop();
    const after = verifyAudit(data, { path: witness.folder, publicKey: null });
    expect(after).toMatchObject({ ok: true, uncovered: 0, unsealed: null });
    expect(after.size).toBeGreaterThanOrEqual(beside.size);
    const again = await openRuntime(data, { audit: configured });
    expect((await again.audit.checkpoint()).witness?.cosigned).toBe(true);
  });

  test('goes on without a witness that does not answer, says so, and catches up', async () => {
    const { witness, socket, configured } = await served();
    const data = known(witness);
    const elsewhere = { ...configured, witness: { ...configured.witness, socket: `${socket}-no` } };
    const alone = await asked(data, elsewhere as AuditConfig);
    expect(alone).toMatchObject({
      taken: true,
      witness: { cosigned: false, problem: { code: 'WITNESS_UNREACHABLE' } },
    });
    expect((await asked(data, configured)).witness).toEqual({ cosigned: true, problem: null });
  });

  test('finds out that it was rolled back, and is not started where the witness is required', async () => {
    const { witness, configured } = await served();
    const data = known(witness);
    expect((await asked(data, configured)).witness).toEqual({ cosigned: true, problem: null });
    cpSync(data, `${data}-old`, { recursive: true });
    appendAuditEvents(data, [event('later')]);
    expect((await asked(data, configured)).witness).toEqual({ cosigned: true, problem: null });
    rmSync(data, { recursive: true });
    renameSync(`${data}-old`, data);
    expect((await asked(data, configured)).witness).toMatchObject({
      cosigned: false,
      problem: { code: 'WITNESS_CONFLICT', message: expect.stringContaining('rolled back') },
    });
    const required = { ...configured, witness: { ...configured.witness, require: true } };
    await expect(openRuntime(data, { audit: required as AuditConfig })).rejects.toMatchObject({
      // Refused where the start itself had journaled past what the witness saw.
      code: expect.stringMatching(/^WITNESS_(CONFLICT|REFUSED)$/),
    });
  });

  test('takes what the witness has seen where its answer was lost', async () => {
    const { witness, configured } = await served();
    const data = known(witness);
    const { size, note } = takeCheckpoint({
      dataDirectory: data,
      until: null,
      nowMs: 1,
      frontier: null,
    });
    witness.cosign({ old: 0, proof: [], note: note ?? '' }, 1);
    appendAuditEvents(data, [event('later')]);
    const report = await asked(data, configured);
    expect(report).toMatchObject({ taken: true, witness: { cosigned: true } });
    expect(report.size).toBeGreaterThan(size);
  });

  test('does not keep what another than the configured witness signed', async () => {
    const { witness, configured } = await served();
    const data = known(witness);
    const stranger = Witness.create(join(testFolder(), 'stranger'), 'test/stranger');
    const publicKey = stranger.verifier.text;
    const audit = { ...configured, witness: { ...configured.witness, publicKey } };
    const { witness: answer } = await asked(data, audit as AuditConfig);
    expect(answer?.problem?.code).toBe('WITNESS_SIGNATURE');
    expect(verifyAudit(data)).toMatchObject({ ok: true, newest: { cosigned: [] } });
  });

  test('takes no other service for a witness', async () => {
    const { witness, configured } = await served();
    const data = known(witness);
    const server = createServer((_request, response) => response.end('hello\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const { publicKey } = configured.witness ?? { publicKey: '' };
    const audit = auditConfigSchema.parse({ witness: { url, publicKey } });
    expect((await asked(data, audit)).witness).toMatchObject({ cosigned: false });
    expect(verifyAudit(data).ok).toBe(true);
  });

  test('signs at its end what came after the last checkpoint', async () => {
    const data = join(testFolder(), 'data');
    const runtime = await openRuntime(data);
    await runtime.security.record(event('a'));
    await runtime.stop();
    const found = verifyAudit(data);
    expect(found).toMatchObject({ ok: true, checkpoints: 1, uncovered: 0 });
    expect(found.auditRecords).toBeGreaterThanOrEqual(1);
  });
});

describe('the configuration of the audit', () => {
  const publicKey = 'x/w+00000000+AAAA';
  test.each([
    { witness: { url: 'http://127.0.0.1:1', publicKey } },
    { checkpointSeconds: -1 },
    { export: [{ format: 'ocsf', to: 'relative' }] },
    { export: [{ format: 'ocsf', to: 'syslog:host' }] },
    { export: [{ format: 'csv', to: '/x' }] },
  ])('refuses %j', (config) => {
    expect(() => auditConfigSchema.parse(config)).toThrow();
  });
});
