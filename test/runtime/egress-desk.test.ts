/**
 * Goal: no request goes to the network without a use of a grant, none takes a
 * use twice or shares one, and who waits is let go by people or by time.
 * Method: both desks over one fold in memory, whose journal the test holds up.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { PermitQuestion } from '../../src/actuators/http.ts';
import type { AuditEvent } from '../../src/identity/audit-event.ts';
import { grantId } from '../../src/identity/egress-grant.ts';
import { approvalId, type EgressRequest } from '../../src/identity/egress-request.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { type ActorSequence, actorId, intentionKey, newRunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { EgressDesk } from '../../src/runtime/egress-desk.ts';
import { OperatorDesk } from '../../src/runtime/operator-desk.ts';
import { newSecurityState } from '../../src/runtime/security-state.ts';
import { enrolment, grantOf, signed, statement } from '../identity/operators.ts';

const [ann, bob] = [generateKeyPair(), generateKeyPair()];
const request: EgressRequest = {
  subject: { agent: 'reader', pipeline: 'desk' },
  method: 'GET',
  scheme: 'https',
  host: 'api.example.com',
  port: 443,
  path: '/v1/items',
  bodyBytes: 0,
};
const run = newRunId();
let lastSequence = 0;

function question(changes: Partial<PermitQuestion> = {}): PermitQuestion {
  lastSequence += 1;
  const sequence = lastSequence as ActorSequence;
  const key = intentionKey({ run, actor: actorId('run/a'), sequence, index: 0 });
  return { request, run, key, hop: 0, ...changes };
}

async function desks(options: { waitMs?: number; keys?: number } = {}) {
  const { waitMs = 1_000, keys = 1 } = options;
  const dataDirectory = mkdtempSync(join(tmpdir(), 'openclaw-desk-'));
  onTestFinished(() => rmSync(dataDirectory, { recursive: true, force: true }));
  vi.useFakeTimers({ now: 10 });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const state = newSecurityState();
  const events: AuditEvent[] = [];
  const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => 0 };
  let held = Promise.resolve();
  const record = async (event: AuditEvent) => {
    events.push(event);
    await held;
    state.apply(event, { sequence: events.length, timeMs: clock.nowMs() });
    egress.audited(event);
  };
  const parts = { folds: state.folds, clock, record };
  const operators = new OperatorDesk({ ...parts, dataDirectory });
  const egress = new EgressDesk({ ...parts, waitMs });
  const proof = () => {
    const path = operators.keys().enrolmentProof;
    return path === null ? null : readFileSync(path, 'utf8');
  };
  if (keys > 0) await operators.changeKeys(enrolment('ann', ann), proof());
  if (keys > 1) {
    await operators.changeKeys(enrolment('bob', bob, [ann]), null);
    await operators.changeKeys(statement({ type: 'threshold', threshold: 2 }, [ann]), null);
  }
  return {
    state,
    events,
    operators,
    egress,
    proof,
    types: () => events.map(({ type }) => type),
    /** The journal takes nothing until the returned function is called. */
    hold: () => {
      const gate = Promise.withResolvers<void>();
      held = gate.promise;
      return gate.resolve;
    },
  };
}

const notGranted = expect.objectContaining({ code: 'EGRESS_NOT_GRANTED' });
/** Lets whatever is under way go on. */
const settle = () => vi.advanceTimersByTimeAsync(0);

describe('a request that a grant covers', () => {
  test('is allowed once its use is journaled, as often as the grant says', async () => {
    const { operators, egress, hold, types } = await desks({ waitMs: 0 });
    const { id } = await operators.issueGrant(signed(grantOf({ maxUses: 2, bytesMax: 77 }), ann));
    const release = hold();
    let allowed = false;
    const first = egress.permit(question()).then((permit) => {
      allowed = true;
      return permit;
    });
    await settle();
    expect([allowed, types().at(-1)]).toEqual([false, 'grant-used']);
    // The second use is charged although the first is not journaled yet; there is no third.
    const second = egress.permit(question());
    const third = egress.permit(question());
    const refused = expect(third).rejects.toEqual(notGranted);
    release();
    expect(await first).toEqual({ grant: id, bytesMax: 77, credentials: [] });
    await Promise.all([second, refused]);
    expect(operators.grants()).toMatchObject([{ used: 2, problem: 'It is used up.' }]);
  });

  test('tried again is charged once, also when the grant is used up by then', async () => {
    const { operators, egress } = await desks({ waitMs: 0 });
    await operators.issueGrant(signed(grantOf({ maxUses: 1 }), ann));
    const asked = question();
    const permit = await egress.permit(asked);
    expect(await egress.permit(asked)).toEqual(permit);
    await expect(egress.permit({ ...asked, hop: 1 })).rejects.toEqual(notGranted);
    expect(operators.grants()).toMatchObject([{ used: 1 }]);
  });

  test('uses the grant that expires first', async () => {
    const { operators, egress } = await desks();
    await operators.issueGrant(signed(grantOf({ expires: 9_000 }), ann));
    const { id } = await operators.issueGrant(signed(grantOf({ expires: 8_000 }), ann));
    expect((await egress.permit(question())).grant).toBe(id);
  });

  test.each<[string, (desk: Awaited<ReturnType<typeof desks>>, id: string) => Promise<unknown>]>([
    ['revoked', ({ operators }, id) => operators.revokeGrant(id.slice(0, 8), 'no more')],
    ['expired', async () => vi.setSystemTime(3_600_000)],
    [
      'signed by a revoked key',
      async ({ operators }) => {
        await operators.changeKeys(enrolment('bob', bob, [ann]), null);
        const lost = statement({ type: 'revoke', name: 'ann', reason: 'lost' }, [bob]);
        await operators.changeKeys(lost, null);
      },
    ],
  ])('is not when the grant is %s', async (_how, change) => {
    const desk = await desks({ waitMs: 0 });
    const { id } = await desk.operators.issueGrant(signed(grantOf(), ann));
    await change(desk, id);
    await expect(desk.egress.permit(question())).rejects.toEqual(notGranted);
  });
});

describe('a request that no grant covers', () => {
  test('is refused at once where nobody is to be waited for, and that is journaled', async () => {
    const { egress, events } = await desks({ waitMs: 0 });
    await expect(egress.permit(question())).rejects.toEqual(notGranted);
    expect(events.at(-1)).toMatchObject({ type: 'egress-refused', actor: 'run/a', request });
  });

  test('waits as one with its equals, and all go on when it is approved', async () => {
    const { operators, egress, types } = await desks();
    const asked = [question(), question()].map((each) => egress.permit(each));
    await settle();
    const id = approvalId(request);
    expect(operators.approvals()).toMatchObject([{ id, request, expires: 1_010 }]);
    const grant = grantOf({ pathPrefix: '/v1/items' });
    expect(await operators.approve(id, signed(grant, ann))).toEqual({
      approval: id,
      state: 'granted',
      signatures: { have: 1, need: 1 },
      grant: grantId(grant),
    });
    await Promise.all(asked);
    expect(operators.approvals()).toEqual([]);
    expect(types().filter((type) => type.startsWith('approval-'))).toEqual([
      'approval-requested',
      'approval-granted',
    ]);
  });

  test('of two, one goes on where the grant has one use, and the other waits', async () => {
    const { operators, egress } = await desks();
    const [first, second] = [question(), question()].map((each) => egress.permit(each));
    await settle();
    await operators.approve(approvalId(request), signed(grantOf({ maxUses: 1 }), ann));
    await first;
    await settle();
    expect(operators.approvals()).toMatchObject([{ id: approvalId(request), expires: 1_010 }]);
    const late = expect(second).rejects.toEqual(notGranted);
    await vi.advanceTimersByTimeAsync(1_000);
    await late;
  });

  test('gathers signatures until there are enough', async () => {
    const { operators, egress } = await desks({ keys: 2 });
    const asked = egress.permit(question());
    await settle();
    const [id, grant] = [approvalId(request), grantOf()];
    const once = await operators.approve(id, signed(grant, ann));
    expect(once).toMatchObject({ state: 'signed', signatures: { have: 1, need: 2 } });
    const twice = await operators.approve(id, signed(grant, ann));
    expect(twice).toMatchObject({ state: 'signed', signatures: { have: 1, need: 2 } });
    // Another document begins anew.
    const other = await operators.approve(id, signed(grantOf({ maxUses: 1 }), bob));
    expect(other).toMatchObject({ state: 'signed', signatures: { have: 1, need: 2 } });
    await operators.approve(id, signed(grant, ann));
    expect(operators.approvals()[0]?.draft?.grant).toEqual(grant);
    expect(await operators.approve(id, signed(grant, bob))).toMatchObject({ state: 'granted' });
    await asked;
  });

  test('is refused when it is denied, and when the time is over', async () => {
    const { operators, egress, types } = await desks();
    const denied = expect(egress.permit(question())).rejects.toMatchObject({
      code: 'EGRESS_DENIED',
    });
    await settle();
    expect(await operators.deny(approvalId(request))).toMatchObject({ state: 'denied' });
    await denied;
    const late = expect(egress.permit(question())).rejects.toEqual(notGranted);
    await vi.advanceTimersByTimeAsync(999);
    expect(operators.approvals()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    await late;
    expect(operators.approvals()).toEqual([]);
    expect(types().filter((type) => type === 'egress-refused')).toHaveLength(2);
  });

  test('waits no more once its intention is over, and charges nothing', async () => {
    const { operators, egress } = await desks();
    const asked = question();
    const withdrawn = expect(egress.permit(asked)).rejects.toEqual(notGranted);
    await settle();
    egress.withdraw(asked.key);
    await withdrawn;
    await settle();
    expect(operators.approvals()).toEqual([]);
    await operators.issueGrant(signed(grantOf(), ann));
    expect(operators.grants()).toMatchObject([{ used: 0 }]);
  });

  test('goes on by a grant that nobody gave for it in particular', async () => {
    const { operators, egress } = await desks();
    const asked = egress.permit(question());
    await settle();
    await operators.issueGrant(signed(grantOf({ host: '*.example.com' }), ann));
    await asked;
    expect(operators.approvals()).toEqual([]);
  });

  test('has a bounded place to wait in', async () => {
    const { egress } = await desks();
    const asked = Array.from({ length: limits.approvalsMax }, (_, index) =>
      egress.permit(question({ request: { ...request, path: `/v1/${index}` } })),
    );
    for (const each of asked) each.catch(() => undefined);
    await settle();
    await expect(egress.permit(question())).rejects.toEqual(notGranted);
    egress.close();
  });
});

describe('what operators bring', () => {
  test('a grant that does not count is refused with its reason', async () => {
    const { operators } = await desks({ keys: 2 });
    const once = signed(grantOf(), ann);
    await expect(operators.issueGrant(once)).rejects.toThrow('1 of 2 signatures');
    const grant = signed(once.grant, ann, bob);
    await operators.issueGrant(grant);
    await expect(operators.issueGrant(grant)).rejects.toThrow('was issued before');
    await expect(operators.issueGrant(signed(grantOf({ expires: 10 }), ann, bob))).rejects.toThrow(
      'has expired',
    );
    await expect(operators.revokeGrant('ffffffff', 'x')).rejects.toThrow('0 grants begin');
    await expect(operators.revokeGrant('', 'x')).rejects.toMatchObject({ code: 'GRANT_NOT_FOUND' });
  });

  test('an approval is for what waits, and by somebody who is enrolled', async () => {
    const { operators, egress } = await desks();
    egress.permit(question()).catch(() => undefined);
    await settle();
    const id = approvalId(request);
    const elsewhere = signed(grantOf({ host: 'evil.example.com' }), ann);
    await expect(operators.approve(id, elsewhere)).rejects.toThrow('does not cover');
    await expect(operators.approve(id, signed(grantOf(), bob))).rejects.toThrow('None of the');
    await expect(operators.approve('0'.repeat(12), signed(grantOf(), ann))).rejects.toMatchObject({
      code: 'APPROVAL_NOT_FOUND',
    });
    egress.close();
  });

  test('the first key needs the proof that lies in the data directory, and later ones do not', async () => {
    const { operators, proof } = await desks({ keys: 0 });
    const first = enrolment('ann', ann);
    for (const wrong of [null, '', 'x', `${proof()}x`]) {
      await expect(operators.changeKeys(first, wrong)).rejects.toMatchObject({
        code: 'KEY_CHANGE_REFUSED',
      });
    }
    const view = await operators.changeKeys(first, proof());
    expect(view).toMatchObject({ threshold: 1, keys: [{ name: 'ann' }], enrolmentProof: null });
    await expect(operators.changeKeys(enrolment('bob', bob), null)).rejects.toThrow('0 of 1');
  });

  test('of two changes that each are the last allowed one, one counts', async () => {
    const { operators } = await desks({ keys: 2 });
    const change = enrolment('eve', generateKeyPair(), [ann, bob]);
    const both = await Promise.allSettled([
      operators.changeKeys(change, null),
      operators.changeKeys(change, null),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });
});
