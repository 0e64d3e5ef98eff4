import { expect, test } from 'vitest';
import {
  KeyDirectory,
  type KeyRegistration,
  signRegistration,
} from '../../src/identity/key-directory.ts';
import { type SignedIntention, signIntention } from '../../src/identity/signed-intention.ts';
import { generateKeyPair, type PublicKey, type Signature } from '../../src/identity/signing-key.ts';
import {
  type ActorId,
  type ActorSequence,
  actorId,
  intentionKey,
  newRunId,
  type RunId,
} from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';

const hostKey = generateKeyPair();
const agentKey = generateKeyPair();
const run = newRunId();
const agent = actorId('run/triage');

function directory(options: { keysMax?: number } = {}): KeyDirectory {
  const keys = new KeyDirectory(options);
  expect(keys.addHost('host-1', hostKey.publicKey)).toBe(true);
  return keys;
}

function registration(
  changes: { run?: RunId; actor?: ActorId; publicKey?: PublicKey; host?: string } = {},
): KeyRegistration {
  const claim = { run, actor: agent, publicKey: agentKey.publicKey, host: 'host-1', ...changes };
  return signRegistration(hostKey, claim);
}

const intention: SignedIntention = {
  key: intentionKey({ run, actor: agent, sequence: 3 as ActorSequence, index: 0 }),
  agent,
  actuator: 'file',
  operation: 'write',
  arguments: { path: 'a.txt', text: 'b' },
};
const signature = signIntention(agentKey, intention);

test('verifies an intention of a registered actor', () => {
  const keys = directory();
  expect(keys.register(registration())).toBe(true);
  expect(keys.verify(run, intention, signature)).toBe(true);
});

test('does not care in which order the arguments were written', () => {
  const keys = directory();
  keys.register(registration());
  const reordered = { ...intention, arguments: { text: 'b', path: 'a.txt' } };
  expect(keys.verify(run, reordered, signature)).toBe(true);
});

test.each([
  ['key', { key: intentionKey({ run, actor: agent, sequence: 3 as ActorSequence, index: 1 }) }],
  ['actuator', { actuator: 'sandbox' }],
  ['operation', { operation: 'read' }],
  ['arguments', { arguments: { path: 'a.txt', text: 'c' } }],
  ['agent', { agent: actorId('run/other') }],
])('refuses an intention whose %s is another one', (_name, change) => {
  const keys = directory();
  keys.register(registration());
  keys.register(registration({ actor: actorId('run/other') }));
  const changed = { ...intention, ...change };
  expect(keys.verify(run, changed, signature)).toBe(
    `The intention is not signed by the key of ${changed.agent}.`,
  );
});

test('refuses an actor that is not registered, also when it is in another run', () => {
  const keys = directory();
  expect(keys.verify(run, intention, signature)).toBe('No key of run/triage is registered.');
  keys.register(registration({ run: newRunId() }));
  expect(keys.verify(run, intention, signature)).toBe('No key of run/triage is registered.');
});

test('refuses a registration that no known host signed', () => {
  const keys = directory();
  const good = registration();
  expect(keys.register({ ...good, host: 'host-2' })).toBe('The host host-2 is not known.');
  const forged = signRegistration(agentKey, good);
  expect(keys.register(forged)).toBe('The host host-1 did not sign the key of run/triage.');
  const moved = { ...good, actor: actorId('run/other') };
  expect(keys.register(moved)).toBe('The host host-1 did not sign the key of run/other.');
  const elsewhere = { ...good, run: newRunId() };
  expect(keys.register(elsewhere)).not.toBe(true);
  expect(keys.register({ ...good, signature: '' as Signature })).not.toBe(true);
  expect(keys.size).toBe(0);
});

test('an intention cannot be passed off as a registration', () => {
  const keys = directory();
  const asIntention = signIntention(hostKey, intention);
  expect(keys.register({ ...registration(), signature: asIntention })).not.toBe(true);
});

test('a later registration replaces the key', () => {
  const keys = directory();
  keys.register(registration());
  const next = generateKeyPair();
  expect(keys.register(registration({ publicKey: next.publicKey }))).toBe(true);
  expect(keys.size).toBe(1);
  expect(keys.verify(run, intention, signature)).not.toBe(true);
  expect(keys.verify(run, intention, signIntention(next, intention))).toBe(true);
});

test('is bounded, and forgets the keys of ended runs', () => {
  const keys = directory({ keysMax: 2 });
  expect(keys.register(registration())).toBe(true);
  expect(keys.register(registration({ actor: actorId('run/b') }))).toBe(true);
  const third = registration({ actor: actorId('run/c') });
  expect(keys.register(third)).toBe('The directory of keys is full.');
  keys.endRun(run);
  expect(keys.size).toBe(0);
  expect(keys.verify(run, intention, signature)).not.toBe(true);
  expect(keys.register(third)).toBe(true);
});

test('knows a bounded number of hosts, each by a real key', () => {
  const keys = directory();
  expect(keys.addHost('host-2', 'x' as PublicKey)).toContain('not an Ed25519 public key');
  for (let host = 2; host <= limits.hostsMax; host += 1) {
    expect(keys.addHost(`host-${host}`, hostKey.publicKey)).toBe(true);
  }
  expect(keys.addHost('one-more', hostKey.publicKey)).toContain('hosts are known at once');
  expect(keys.addHost('host-2', agentKey.publicKey)).toBe(true);
});
