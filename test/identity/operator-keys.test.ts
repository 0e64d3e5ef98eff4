/**
 * Goal: nobody becomes an operator, or stops being one, without the others.
 * Method: a fold is fed events that a thief, a replayer or a forger of the
 * journal would feed it.
 */
import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/identity/audit-event.ts';
import type { SignedKeyStatement } from '../../src/identity/key-change.ts';
import {
  describeOperatorKey,
  newOperatorKey,
  openOperatorKey,
} from '../../src/identity/operator-key.ts';
import { keyChangeEvent, keysResetEvent, OperatorKeys } from '../../src/identity/operator-keys.ts';
import { signDocument } from '../../src/identity/operator-signature.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { enrolment, statement } from './operators.ts';

const [ann, bob, eve] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];

function keysAfter(...changes: readonly SignedKeyStatement[]): OperatorKeys {
  const keys = new OperatorKeys();
  for (const [index, change] of changes.entries()) give(keys, change, index + 1);
  return keys;
}

function give(keys: OperatorKeys, change: SignedKeyStatement, timeMs = 100): void {
  keys.apply(keyChangeEvent(change), { sequence: timeMs, timeMs });
}

const names = (keys: OperatorKeys): string[] =>
  keys.all().flatMap(({ name, revoked }) => (revoked === null ? [name] : []));

const firstTwo = [enrolment('ann', ann), enrolment('bob', bob, [ann])] as const;

describe('the keys of the operators', () => {
  test('the first is trusted, and every other one is signed by it', () => {
    expect(names(keysAfter(...firstTwo))).toEqual(['ann', 'bob']);
    expect(names(keysAfter(firstTwo[0], enrolment('eve', eve)))).toEqual(['ann']);
    expect(names(keysAfter(firstTwo[0], enrolment('eve', eve, [eve])))).toEqual(['ann']);
  });

  test('a change needs as many different keys as the threshold says', () => {
    const keys = keysAfter(...firstTwo, statement({ type: 'threshold', threshold: 2 }, [ann]));
    expect(keys.threshold).toBe(2);
    give(keys, enrolment('eve', eve, [ann]));
    give(keys, enrolment('eve', eve, [ann, ann]));
    give(keys, enrolment('eve', eve, [ann, eve]));
    expect(names(keys)).toEqual(['ann', 'bob']);
    give(keys, enrolment('eve', eve, [ann, bob]));
    expect(names(keys)).toEqual(['ann', 'bob', 'eve']);
  });

  test('a lost key is revoked by the others, signs nothing more, and never comes back', () => {
    const keys = keysAfter(
      ...firstTwo,
      statement({ type: 'revoke', name: 'ann', reason: 'lost' }, [bob]),
    );
    expect(names(keys)).toEqual(['bob']);
    give(keys, enrolment('eve', eve, [ann]));
    give(keys, enrolment('ann', generateKeyPair(), [bob]));
    give(keys, enrolment('ann-2', ann, [bob]));
    expect(names(keys)).toEqual(['bob']);
    expect(keys.all()[0]?.revoked?.reason).toBe('lost');
  });

  test('nobody can lock all of them out', () => {
    const keys = keysAfter(...firstTwo);
    give(keys, statement({ type: 'threshold', threshold: 3 }, [ann, bob]));
    expect(keys.threshold).toBe(1);
    give(keys, statement({ type: 'threshold', threshold: 2 }, [ann]));
    give(keys, statement({ type: 'revoke', name: 'ann', reason: 'gone' }, [ann, bob]));
    expect(names(keys)).toEqual(['ann', 'bob']);
    const one = keysAfter(firstTwo[0]);
    give(one, statement({ type: 'revoke', name: 'ann', reason: 'gone' }, [ann]));
    expect(names(one)).toEqual(['ann']);
  });

  test('a statement counts once, and only while it is good', () => {
    const down = statement({ type: 'threshold', threshold: 1 }, [ann, bob]);
    const up = () => statement({ type: 'threshold', threshold: 2 }, [ann, bob]);
    const keys = keysAfter(...firstTwo, up(), down, up());
    expect(keys.threshold).toBe(2);
    expect(keys.problem(down, 100)).toContain('has been used');
    give(keys, down);
    expect(keys.threshold).toBe(2);
    const late = statement({ type: 'threshold', threshold: 1 }, [ann, bob], { expires: 99 });
    give(keys, late, 100);
    expect(keys.threshold).toBe(2);
    const endless = { expires: 10 * 86_400_000 };
    give(keys, statement({ type: 'threshold', threshold: 1 }, [ann, bob], endless));
    expect(keys.threshold).toBe(2);
  });

  test('a signature under something else is none', () => {
    const keys = keysAfter(firstTwo[0]);
    const wanted = enrolment('eve', eve);
    const other = { ...wanted.statement, nonce: 'another-nonce-another' };
    give(keys, { ...wanted, signatures: [signDocument(ann, other)] });
    const purpose = { ...wanted.statement, purpose: 'egress' };
    give(keys, { ...wanted, signatures: [signDocument(ann, purpose)] });
    expect(names(keys)).toEqual(['ann']);
  });

  test('a record under the type of another change counts as none', () => {
    const keys = keysAfter(firstTwo[0]);
    const event = { ...keyChangeEvent(firstTwo[1]), type: 'key-revoked' } as AuditEvent;
    keys.apply(event, { sequence: 9, timeMs: 9 });
    keys.apply({ type: 'key-enrolled', name: 'eve' }, { sequence: 9, timeMs: 9 });
    expect(names(keys)).toEqual(['ann']);
  });

  test('a reset forgets all of them, and the next one is the first again', () => {
    const keys = keysAfter(...firstTwo);
    keys.apply(keysResetEvent('all lost'), { sequence: 5, timeMs: 5 });
    expect(keys.isFirstUse).toBe(true);
    give(keys, enrolment('eve', eve));
    expect(names(keys)).toEqual(['eve']);
  });

  test('goes on from what it had come to, used statements included', () => {
    const used = statement({ type: 'threshold', threshold: 2 }, [ann]);
    const keys = keysAfter(...firstTwo, used);
    const again = new OperatorKeys();
    again.restore(JSON.parse(JSON.stringify(keys.toJson())));
    expect(again.toJson()).toEqual(keys.toJson());
    expect(again.problem(used, 50)).toContain('has been used');
    again.restore({ keys: 'nonsense' });
    expect(again.isFirstUse).toBe(true);
  });
});

describe('the file of a key', () => {
  test('opens with its passphrase alone, and says nothing of the private key', () => {
    const { publicKey, text } = newOperatorKey('correct horse');
    expect(describeOperatorKey(text)).toEqual({ publicKey, locked: true });
    expect(openOperatorKey(text, 'correct horse').publicKey).toBe(publicKey);
    for (const wrong of ['correct horsf', '', null]) {
      expect(() => openOperatorKey(text, wrong)).toThrow(
        expect.objectContaining({ code: 'PASSPHRASE_WRONG' }),
      );
    }
  });

  test('without a passphrase it opens by itself', () => {
    const { publicKey, text } = newOperatorKey(null);
    expect(describeOperatorKey(text)).toEqual({ publicKey, locked: false });
    expect(openOperatorKey(text, null).publicKey).toBe(publicKey);
  });

  test('a file that shows one key and holds another is refused', () => {
    const [one, other] = [newOperatorKey(null), newOperatorKey(null)];
    const mixed = { ...JSON.parse(one.text), publicKey: other.publicKey };
    for (const text of [JSON.stringify(mixed), '{}', 'x', one.text.replace('privateKey', 'p')]) {
      expect(() => openOperatorKey(text, null)).toThrow(
        expect.objectContaining({ code: 'OPERATOR_KEY_INVALID' }),
      );
    }
  });
});
