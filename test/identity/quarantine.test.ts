import { describe, expect, test } from 'vitest';
import { auditEventBytes, parseAuditEvent } from '../../src/identity/audit-event.ts';
import { AuditFolds } from '../../src/identity/audit-fold.ts';
import { Quarantine } from '../../src/identity/quarantine.ts';

const folds = () => new AuditFolds({ quarantine: new Quarantine() });
const put = (actor: string, code = 'TOKEN_REFUSED') => ({
  type: 'quarantined',
  run: 'run-1',
  actor,
  code,
  message: 'forged',
});
const release = (actor: string, sequence: number) => ({
  type: 'quarantine-released',
  run: 'run-1',
  actor,
  sequence,
});
const at = (sequence: number) => ({ sequence, timeMs: sequence * 10 });

describe('quarantine as a fold of the audit', () => {
  test('holds an actor from its first event until the release of that very event', () => {
    const state = folds();
    state.apply(put('run/a'), at(3));
    state.apply(put('run/a', 'OTHER'), at(4));
    const { quarantine } = state.folds;
    expect(quarantine.find('run-1', 'run/a')).toMatchObject({ code: 'TOKEN_REFUSED', sequence: 3 });
    expect(quarantine.find('run-1', 'run/b')).toBeUndefined();
    state.apply(release('run/a', 4), at(5));
    expect(quarantine.find('run-1', 'run/a')).toBeDefined();
    state.apply(release('run/a', 3), at(6));
    expect(quarantine.all()).toEqual([]);
  });

  test('goes on from what it had come to, and forgets what came before', () => {
    const first = folds();
    first.apply(put('run/a'), at(3));
    const event = parseAuditEvent(auditEventBytes(first.stateEvent()));
    const second = folds();
    second.apply(put('run/b'), at(1));
    if (event !== null) second.apply(event, at(9));
    expect(second.folds.quarantine.all()).toEqual(first.folds.quarantine.all());
  });

  test.each([{ type: 'quarantined', run: 5 }, { type: 'quarantined' }, { type: 'of-tomorrow' }])(
    'is not changed by %j',
    (event) => {
      const state = folds();
      state.apply(event as never, at(1));
      expect(state.folds.quarantine.all()).toEqual([]);
    },
  );

  test('an event is canonical bytes, and nothing else is one', () => {
    expect(auditEventBytes({ type: 'b', a: 1 }).toString()).toBe('{"a":1,"type":"b"}');
    expect(parseAuditEvent(Buffer.from('{"a":1}'))).toBeNull();
    expect(parseAuditEvent(Buffer.from('{"type":"Not Kebab"}'))).toBeNull();
    expect(parseAuditEvent(Buffer.from('{"type":'))).toBeNull();
    expect(parseAuditEvent(Buffer.alloc(600 * 1024, 0x20))).toBeNull();
  });
});
