/**
 * Goal: what an actor takes in is what its sender said, permitted, and sealed
 * when the run began. Method: the guard of a host with real seals and charters,
 * and messages that were changed on their way.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/actors/actor.ts';
import { Authority, AuthorityVerifier } from '../../src/identity/authority.ts';
import { charterMatter, sealCharter } from '../../src/identity/charter.ts';
import { MessageSeal } from '../../src/identity/message-seal.ts';
import { OperatorKeys } from '../../src/identity/operator-keys.ts';
import { Quarantine } from '../../src/identity/quarantine.ts';
import { actorId, type IntentionKey, newRunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { MessageGuard } from '../../src/runtime/host-worker/message-guard.ts';
import type { ViolationMessage } from '../../src/runtime/topics.ts';

const run = newRunId();
const supervisor = actorId('run/document-1/supervisor');
const agent = actorId('run/document-1/supervisor/triage');
const definition = '{"name":"demo"}';
const documents = [{ name: 'a.txt', sha256: 'a'.repeat(64), part: null }];
const authority = new Authority(generateKeyPairSync('ed25519'));
const seal = new MessageSeal(randomBytes(32));

const envelope = (changes: Partial<Envelope> = {}): Envelope => ({
  run,
  to: agent,
  from: supervisor,
  number: 1,
  cause: `${run}:${supervisor}:1:0` as IntentionKey,
  event: { type: 'cancel' },
  machine: null,
  ...changes,
});

function guarded({ chartered = true } = {}) {
  const violations: ViolationMessage[] = [];
  let nowMs = 0;
  const guard = new MessageGuard({
    authority: new AuthorityVerifier(authority.publicKey),
    seal,
    quarantine: new Quarantine(new OperatorKeys()),
    clock: { monotonicMs: () => nowMs },
    report: (violation) => violations.push(violation),
  });
  const charter = sealCharter(
    authority,
    charterMatter(run, [definition, '{"older":1}'], documents),
  );
  if (chartered) guard.charter(run, charter);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { guard, violations, charter, pass };
}

describe('a message of another thread', () => {
  test('is taken as it was sealed', () => {
    const { guard, violations } = guarded();
    const sent = envelope();
    expect(guard.open({ envelope: sent, seal: seal.of(sent) })).toBe(sent);
    expect(violations).toEqual([]);
  });

  test.each<[string, Partial<Envelope>]>([
    [
      'its event',
      { event: { type: 'retry', attempt: 1, temperature: 0, seed: 1, grounding: 'x' } },
    ],
    ['who it is for', { to: actorId('run/document-2/supervisor/triage') }],
    ['who it is from', { from: '@runtime' }],
    ['its number', { number: 2 }],
    ['its run', { run: newRunId() }],
    ['its cause', { cause: null }],
    ['what it starts', { machine: 'agent' }],
  ])('with %s changed on the way is refused, and nobody goes on with it', (_what, change) => {
    const { guard, violations } = guarded();
    const sent = envelope();
    const changed = { ...sent, ...change };
    expect(guard.open({ envelope: changed, seal: seal.of(sent) })).toBeNull();
    expect(violations).toMatchObject([
      { run: changed.run, actor: changed.to, error: { code: 'MESSAGE_REFUSED' } },
    ]);
    expect(guard.isHeld(changed.run, changed.to)).toBe(true);
  });

  test.each(['', 'AAAAAAAAAAAAAAAAAAAAAA', null, 5])('under the seal %j is refused', (given) => {
    const { guard, violations } = guarded();
    expect(guard.open({ envelope: envelope(), seal: given as string })).toBeNull();
    expect(violations).toHaveLength(1);
  });

  test('under the seal of another runtime is refused', () => {
    const { guard } = guarded();
    const stranger = new MessageSeal(randomBytes(32));
    expect(guard.open({ envelope: envelope(), seal: stranger.of(envelope()) })).toBeNull();
  });
});

describe('a message that its sender may not send', () => {
  test('is refused, and both ends stand still: after that one message', () => {
    const { guard, violations } = guarded();
    const brother = actorId('run/document-2/supervisor/triage');
    expect(guard.admits(envelope({ from: brother }))).toBe(false);
    expect(violations.map(({ actor }) => actor)).toEqual([agent, brother]);
    expect(guard.isHeld(run, agent)).toBe(true);
    expect(guard.isHeld(run, supervisor)).toBe(false);
  });

  test('also if it is one of a flood', () => {
    const { guard, violations, pass } = guarded();
    const count = limits.actorMessagesPerSecondMax;
    for (let number = 1; number <= count; number += 1) {
      expect(guard.admits(envelope({ number }))).toBe(true);
    }
    expect(guard.admits(envelope({ number: count + 1 }))).toBe(false);
    expect(violations[0]).toMatchObject({ error: { code: 'RATE_EXCEEDED' } });
    pass(1_000);
    expect(guard.admits(envelope({ number: count + 2 }))).toBe(true);
  });

  test('an outcome is no message: its key decides', () => {
    const { guard } = guarded();
    const outcome = { status: 'completed', value: null } as const;
    const event = { type: 'outcome', tag: 'ask', outcome } as const;
    expect(guard.admits(envelope({ from: '@actuator', number: 0, event }))).toBe(true);
  });
});

describe('a definition', () => {
  const started = (text: string): Envelope =>
    envelope({
      machine: 'supervisor',
      to: supervisor,
      from: actorId('run/document-1'),
      event: {
        type: 'start',
        machine: 'supervisor',
        self: supervisor,
        parent: actorId('run/document-1'),
        definition: text,
        seed: 1,
      },
    });
  const root = (given: typeof documents): Envelope =>
    envelope({
      to: actorId('run'),
      from: '@runtime',
      machine: 'pipeline',
      event: {
        type: 'start',
        machine: 'pipeline',
        scope: 'run',
        self: actorId('run'),
        definition,
        seed: 1,
        documents: given,
      },
    });

  test('is taken in if the charter has it, also that of a run before', () => {
    const { guard, violations } = guarded();
    expect(guard.chartered(started(definition))).toBe(true);
    expect(guard.chartered(started(definition))).toBe(true);
    expect(guard.chartered(started('{"older":1}'))).toBe(true);
    expect(guard.chartered(root(documents))).toBe(true);
    expect(violations).toEqual([]);
  });

  test.each([
    ['a changed one', started('{"name":"demo","x":1}')],
    ['a space more', started(`${definition} `)],
    [
      'an amendment that nobody sealed',
      { ...started(''), event: { type: 'amend', definition: '{}' } },
    ],
    ['another document', root([{ name: 'b.txt', sha256: 'a'.repeat(64), part: null }])],
    ['a document with another text', root([{ name: 'a.txt', sha256: 'b'.repeat(64), part: null }])],
    ['no documents', root([])],
  ] as [string, Envelope][])('%s is not, and its actor stands still', (_what, message) => {
    const { guard, violations } = guarded();
    expect(guard.chartered(message)).toBe(false);
    expect(violations).toMatchObject([{ actor: message.to, error: { code: 'CHARTER_INVALID' } }]);
    expect(guard.isHeld(run, message.to)).toBe(true);
  });

  test('waits until the charter is here, and one that the authority did not seal is none', () => {
    const { guard, charter } = guarded({ chartered: false });
    expect(guard.isHeld(run, agent)).toBe(true);
    guard.charter(run, { ...charter, definitions: [...charter.definitions, 'f'.repeat(64)] });
    expect(guard.isHeld(run, agent)).toBe(true);
    guard.charter(newRunId(), charter);
    expect(guard.isHeld(run, agent)).toBe(true);
    guard.charter(run, charter);
    expect(guard.isHeld(run, agent)).toBe(false);
    guard.forgetRun(run);
    expect(guard.isHeld(run, agent)).toBe(true);
  });
});
