/**
 * Goal: nothing that gives or takes a right is journaled for another thread.
 * Method: what the desks journal of keys, grants and approvals is each asked for.
 */
import { expect, test } from 'vitest';
import {
  approvalEndedEvent,
  approvalRequestedEvent,
  approvalSignedEvent,
} from '../../src/identity/approval-book.ts';
import { grantIssuedEvent } from '../../src/identity/grant-book.ts';
import { keyChangeEvent, keysResetEvent } from '../../src/identity/operator-keys.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { isReservedEvent } from '../../src/runtime/reserved-events.ts';
import { newSecurityState } from '../../src/runtime/security-state.ts';
import { enrolment, grantOf, signed, statement } from '../identity/operators.ts';

const ann = generateKeyPair();
const grant = signed(grantOf(), ann);
const request = {
  subject: { skill: 'search' },
  method: 'GET',
  scheme: 'https',
  host: 'example.com',
  port: 443,
  path: '/',
  bodyBytes: 0,
} as const;

test.each([
  newSecurityState().stateEvent(),
  keyChangeEvent(enrolment('ann', ann)),
  keyChangeEvent(statement({ type: 'revoke', name: 'ann', reason: 'lost' })),
  keyChangeEvent(statement({ type: 'threshold', threshold: 2 })),
  keysResetEvent('lost'),
  grantIssuedEvent(grant),
  { type: 'grant-used' },
  { type: 'grant-revoked' },
  approvalRequestedEvent(request, { expires: 1, run: 'r', actor: 'run/a' }),
  approvalSignedEvent('x', grant),
  approvalEndedEvent('x', 'granted'),
  approvalEndedEvent('x', 'denied'),
  approvalEndedEvent('x', 'expired'),
  { type: 'quarantine-released' },
  { type: 'authority-opened' },
])('$type is of main alone', ({ type }) => {
  expect(isReservedEvent(type)).toBe(true);
});

test.each(['quarantined', 'egress-refused', 'message-refused', 'token-refused'])(
  '%s may come from any thread',
  (type) => {
    expect(isReservedEvent(type)).toBe(false);
  },
);
