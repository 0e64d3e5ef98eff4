import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Actor,
  actorFromJson,
  actorToJson,
  applyEvent,
  type Envelope,
  newActor,
} from '../../src/actors/actor.ts';
import type { ActorEvent } from '../../src/actors/event.ts';
import { newestVersion } from '../../src/actors/machines.ts';
import { actorHash } from '../../src/actors/step.ts';
import { canonicalJson, hashJson, sha256 } from '../../src/kernel/hash.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';
import { answer, completed, definitionText, failed } from './machines.ts';

const run = newRunId();
const self = actorId('run/supervisor/work');
const parent = actorId('run/supervisor');
const definition = definitionText({
  name: 'demo',
  agents: { worker: { prompt: 'x' } },
  steps: [{ id: 'work', agent: 'worker' }],
});
const startEvent: ActorEvent = {
  type: 'start',
  machine: 'agent',
  self,
  parent,
  definition,
  seed: 1,
  step: 'work',
  variables: { document: null, steps: '{}', items: null, run: { name: 'demo', seed: 1 } },
};
const start = { from: parent, number: 1, event: startEvent } as const;
const outcome = (event: ActorEvent) => ({ from: '@actuator', number: 0, event }) as const;

function asking(): Actor {
  return applyEvent(newActor(run, self, 'agent'), start, 5).actor;
}

describe('messages between two actors (F1)', () => {
  test('are numbered from 1 without gaps, per pair', () => {
    const supervisor = newActor(run, parent, 'supervisor');
    const begin: ActorEvent = {
      type: 'start',
      machine: 'supervisor',
      self: parent,
      parent: actorId('run'),
      definition,
      seed: 1,
    };
    const common = { from: actorId('run') } as const;
    const { actor } = applyEvent(supervisor, { ...common, number: 1, event: begin }, 1);
    const { variables } = startEvent;
    const runStep: ActorEvent = { type: 'run-step', step: 'work', variables };
    const spawned = applyEvent(actor, { ...common, number: 2, event: runStep }, 2);
    expect(spawned.sends).toEqual([
      expect.objectContaining({
        run,
        from: parent,
        to: self,
        number: 1,
        machine: 'agent',
        cause: `${run}:${parent}:2:0`,
      }),
    ]);
    const doubt: ActorEvent = {
      type: 'agent-doubt',
      step: 'work',
      attempt: 0,
      each: null,
      question: '',
      detector: null,
      reasons: [],
    };
    const retried = applyEvent(spawned.actor, { from: self, number: 1, event: doubt }, 3);
    expect(retried.sends).toMatchObject([{ to: self, number: 2, machine: null }]);
    expect(retried.actor.sent).toEqual({ [self]: 2 });
    expect(retried.actor.received).toEqual({ run: 2, [self]: 1 });
  });

  test('a gap or a duplicate is a broken invariant', () => {
    const cancel: ActorEvent = { type: 'cancel' };
    for (const number of [0, 1, 3]) {
      const message = { from: parent, number, event: cancel };
      expect(() => applyEvent(asking(), message, 6)).toThrow('(F1)');
    }
    const other = { from: actorId('run'), number: 2, event: cancel };
    expect(() => applyEvent(asking(), other, 6)).toThrow('(F1)');
  });
});

describe('external intentions (F2)', () => {
  test('are open under a key of their step until their first outcome', () => {
    const asked = applyEvent(newActor(run, self, 'agent'), start, 5);
    const key = `${run}:${self}:1:0`;
    expect(asked.acts).toMatchObject([{ key, intention: { tag: 'generate' } }]);
    expect(asked.actor.open).toEqual({ generate: asked.acts[0] });
    const answered = applyEvent(asked.actor, outcome(answer('yes')), 6);
    expect(answered.actor.open).toEqual({});
    expect(() => applyEvent(answered.actor, outcome(answer('yes')), 7)).toThrow('(F2)');
    expect(() => applyEvent(asked.actor, outcome(completed('other', 1)), 7)).toThrow('(F2)');
  });

  test('an abort names what is open and leaves it open until its outcome', () => {
    const cancelled = applyEvent(
      asking(),
      { from: parent, number: 2, event: { type: 'cancel' } },
      6,
    );
    expect(cancelled.aborts).toEqual(Object.values(asking().open));
    expect(Object.keys(cancelled.actor.open)).toEqual(['generate']);
    const ended = applyEvent(cancelled.actor, outcome(failed('generate')), 7);
    expect(ended.actor.open).toEqual({});
    expect(ended.sends).toMatchObject([{ to: parent, number: 1 }]);
  });
});

describe('folding an event', () => {
  test('changes nothing of the actor that it is folded into', () => {
    const before = asking();
    const plain = JSON.stringify(actorToJson(before));
    const event = outcome(answer('{', 0.2));
    const first = applyEvent(before, event, 6);
    expect(JSON.stringify(actorToJson(before))).toBe(plain);
    expect(applyEvent(before, event, 6).sends).toEqual(first.sends);
    expect(first.sends).toMatchObject([{ number: 1 }]);
  });
});

describe('what the journal says of a step', () => {
  test('is the hash of machine, version and state, and a digest of each intention', () => {
    const { actor, hash, digests, acts } = applyEvent(newActor(run, self, 'agent'), start, 5);
    expect(newestVersion('agent')).toMatch(/^agent@\d+$/);
    const { state } = actorToJson(actor);
    expect(hash).toBe(sha256(`${newestVersion('agent')}\n${canonicalJson(state)}`));
    expect(digests).toEqual([
      { kind: 'act', target: 'inference.generate', digest: hashJson(acts[0]?.intention) },
    ]);
  });
});

describe('an actor as JSON', () => {
  const inputs: readonly (readonly [number, ActorEvent])[] = [
    [0, answer('yes')],
    [0, answer('{', 0.2)],
    [0, failed('generate', { retryable: true })],
    [2, { type: 'cancel' }],
  ];

  test('goes on exactly as the actor itself, from any state', () => {
    const message = fc.constantFrom(...inputs);
    fc.assert(
      fc.property(fc.array(message, { maxLength: 3 }), (steps) => {
        let live = asking();
        for (const [number, event] of steps) {
          const incoming: Pick<Envelope, 'from' | 'number' | 'event'> =
            number === 0 ? outcome(event) : { from: parent, number, event };
          const woken = actorFromJson(JSON.parse(JSON.stringify(actorToJson(live))));
          expect(actorHash(woken.state)).toBe(actorHash(live.state));
          let next: ReturnType<typeof applyEvent>;
          try {
            next = applyEvent(live, incoming, 9);
          } catch {
            expect(() => applyEvent(woken, incoming, 9)).toThrow();
            return;
          }
          const { actor, ...effects } = applyEvent(woken, incoming, 9);
          const { actor: expected, ...expectedEffects } = next;
          expect(effects).toEqual(expectedEffects);
          expect(actorToJson(actor)).toEqual(actorToJson(expected));
          live = actor;
        }
      }),
    );
  });
});
