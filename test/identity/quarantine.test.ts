import { describe, expect, test } from 'vitest';
import {
  type AuditEvent,
  auditEventBytes,
  parseAuditEvent,
} from '../../src/identity/audit-event.ts';
import { AuditFolds } from '../../src/identity/audit-fold.ts';
import { keyChangeEvent, OperatorKeys } from '../../src/identity/operator-keys.ts';
import { signDocument } from '../../src/identity/operator-signature.ts';
import { Quarantine } from '../../src/identity/quarantine.ts';
import type { ReleaseStatement } from '../../src/identity/quarantine-release.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { enrolment, nonce, statement } from './operators.ts';

const operator = generateKeyPair();
const folds = () => {
  const operators = new OperatorKeys();
  return new AuditFolds({ operators, quarantine: new Quarantine(operators) });
};
const enrolled = () => {
  const state = folds();
  state.apply(keyChangeEvent(enrolment('ada', operator)), at(1));
  return state;
};
const put = (actor: string, code = 'TOKEN_REFUSED') => ({
  type: 'quarantined',
  run: 'run-1',
  actor,
  code,
  message: 'forged',
});
const release = (
  actor: string,
  sequence: number,
  signer = operator,
  changes: Partial<ReleaseStatement> = {},
) => {
  const statement: ReleaseStatement = {
    purpose: 'quarantine-release',
    run: 'run-1',
    actor,
    sequence,
    nonce: nonce(),
    expires: 3_600_000,
    ...changes,
  };
  const signatures = [signDocument(signer, statement)];
  return { type: 'quarantine-released', statement, signatures } as unknown as AuditEvent;
};
const at = (sequence: number) => ({ sequence, timeMs: sequence * 10 });

describe('quarantine as a fold of the audit', () => {
  test('holds an actor from its first event until the release of that very event', () => {
    const state = enrolled();
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

  test.each<[string, AuditEvent]>([
    ['nobody enrolled signed it', release('run/a', 3, generateKeyPair())],
    ['it is of another run', release('run/a', 3, operator, { run: 'run-2' })],
    ['it has expired', release('run/a', 3, operator, { expires: 40 })],
    ['it is good for a year', release('run/a', 3, operator, { expires: 4e10 })],
    [
      'it was changed after it was signed',
      {
        ...release('run/b', 3),
        statement: { ...(release('run/a', 3).statement as object) },
      } as AuditEvent,
    ],
    [
      'it is signed for something else',
      {
        type: 'quarantine-released',
        statement: { ...(release('run/a', 3).statement as object), purpose: 'egress' },
      } as unknown as AuditEvent,
    ],
  ])('stays where %s', (_why, event) => {
    const state = enrolled();
    state.apply(put('run/a'), at(3));
    state.apply(event, at(4));
    expect(state.folds.quarantine.find('run-1', 'run/a')).toBeDefined();
  });

  test('needs as many operators as the threshold says', () => {
    const state = enrolled();
    const second = generateKeyPair();
    state.apply(keyChangeEvent(enrolment('bob', second, [operator])), at(2));
    state.apply(keyChangeEvent(statement({ type: 'threshold', threshold: 2 }, [operator])), at(3));
    state.apply(put('run/a'), at(4));
    const one = release('run/a', 4);
    state.apply(one, at(5));
    expect(state.folds.quarantine.all()).toHaveLength(1);
    const signed = one.statement as unknown as ReleaseStatement;
    const signatures = [operator, second].map((key) => signDocument(key, signed));
    state.apply({ ...one, signatures } as unknown as AuditEvent, at(6));
    expect(state.folds.quarantine.all()).toEqual([]);
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
