import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/identity/audit-event.ts';
import { OperatorKeys } from '../../src/identity/operator-keys.ts';
import { Quarantine } from '../../src/identity/quarantine.ts';
import type { ErrorCode } from '../../src/kernel/errors.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { GatewayGuard } from '../../src/runtime/actuator-worker/gateway-guard.ts';

const run = newRunId();
const actor = actorId('run/document-1/supervisor/triage');
const other = actorId('run/document-2/supervisor/triage');

/** A guard whose events become durable when the test says so, and a clock of the test's. */
function guarded(isDurable = true) {
  const quarantine = new Quarantine(new OperatorKeys());
  const events: AuditEvent[] = [];
  const waiting: (() => void)[] = [];
  let nowMs = 0;
  const guard = new GatewayGuard({
    quarantine,
    clock: { monotonicMs: () => nowMs },
    record: async (event) => {
      events.push(event);
      if (!isDurable) await new Promise<void>((resolve) => waiting.push(resolve));
      quarantine.apply(event, { sequence: events.length, timeMs: 0 });
    },
  });
  const refuse = (code: ErrorCode, who = actor) =>
    guard.refused({
      run,
      actor: who,
      operation: 'file.write',
      error: { code, message: 'No.', retryable: false },
    });
  return {
    guard,
    refuse,
    events,
    quarantine,
    types: () => events.map(({ type }) => type),
    pass: (ms: number) => {
      nowMs += ms;
    },
    letDurable: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

describe('what follows from a refusal at the gateway', () => {
  test.each<ErrorCode>([
    'CERTIFICATE_INVALID',
    'TOKEN_INVALID',
    'TOKEN_MISMATCH',
    'TOKEN_REPLAYED',
    'SIGNATURE_INVALID',
    'PERMISSION_DENIED',
  ])('%s: audited, and the agent is in quarantine, at the first one', async (code) => {
    const { guard, refuse, events, quarantine } = guarded();
    await refuse(code);
    expect(events).toMatchObject([
      { type: 'intention-refused', run, actor, operation: 'file.write', code },
      { type: 'quarantined', run, actor, code },
    ]);
    expect(quarantine.find(run, actor)).toMatchObject({ code });
    expect(await guard.seen(run, actor)).toMatchObject({ code: 'QUARANTINED' });
    expect(await guard.seen(run, other)).toBeNull();
  });

  test.each<ErrorCode>(['TOKEN_EXPIRED', 'EGRESS_NOT_GRANTED', 'POLICY_DENIED'])(
    '%s: audited each time, and quarantine at the fifth within a minute',
    async (code) => {
      const { guard, refuse, types } = guarded();
      for (let count = 1; count < limits.refusalsMax; count += 1) await refuse(code);
      expect(types()).toEqual(Array(limits.refusalsMax - 1).fill('intention-refused'));
      expect(await guard.seen(run, actor)).toBeNull();
      await refuse(code);
      expect(types().at(-1)).toBe('quarantined');
      expect(await guard.seen(run, actor)).toMatchObject({ code: 'QUARANTINED' });
    },
  );

  test('refusals that come slowly are audited, and lead to nothing', async () => {
    const { refuse, types, pass } = guarded();
    for (let count = 0; count < 20; count += 1) {
      await refuse('EGRESS_NOT_GRANTED');
      pass(limits.actorRefusalWindowMs / 2);
    }
    expect(new Set(types())).toEqual(new Set(['intention-refused']));
  });

  test.each<ErrorCode>(['RUN_NOT_OPEN', 'QUARANTINED', 'BUS_MESSAGE_TOO_LARGE'])(
    '%s says nothing against an agent',
    async (code) => {
      const { refuse, events } = guarded();
      await refuse(code);
      expect(events).toEqual([]);
    },
  );

  test('an agent is cut off before the disk has heard of it', async () => {
    const { guard, refuse, quarantine, letDurable } = guarded(false);
    const refused = refuse('TOKEN_INVALID');
    expect(await guard.seen(run, actor)).toMatchObject({ code: 'QUARANTINED' });
    expect(quarantine.isEmpty).toBe(true);
    letDurable();
    await Promise.resolve();
    await Promise.resolve();
    letDurable();
    await refused;
    expect(quarantine.find(run, actor)).toBeDefined();
  });

  test('more intentions in a second than any working agent has are a fault', async () => {
    const { guard, types } = guarded();
    for (let count = 0; count < limits.actorActsPerSecondMax; count += 1) {
      expect(await guard.seen(run, actor)).toBeNull();
    }
    expect(await guard.seen(run, actor)).toMatchObject({ code: 'RATE_EXCEEDED' });
    expect(types()).toEqual(['quarantined']);
    expect(await guard.seen(run, actor)).toMatchObject({ code: 'QUARANTINED' });
  });
});
