/** Agents of one run that have asked the model twice and wait. */
import { type Actor, actorToJson, applyEvent, newActor } from '../../src/actors/actor.ts';
import type { ActorEvent } from '../../src/actors/event.ts';
import { type ActorId, actorId, newRunId, type RunId } from '../../src/kernel/ids.ts';
import type { Sleeper } from '../../src/runtime/snapshot-codec.ts';
import { answer, definitionText } from '../actors/machines.ts';

const definition = definitionText({
  name: 'demo',
  agents: { worker: { prompt: '{{document.text}} {{each}}' } },
  steps: [
    { id: 'work', agent: 'worker', map: 'documents', each: 'steps.before.output', needs: [] },
  ],
});
const before = JSON.stringify({
  before: {
    verdict: 'accepted',
    output: ['a', 'b', 'c', 'd'],
    reasons: [],
    confidence: 1,
    attempts: 1,
  },
});
export const runOfSleepers: RunId = newRunId();

export function sleeperId(number: number): ActorId {
  return actorId(`run/document-${number}/supervisor/work`);
}

/** Folds the next event of an agent that waits for an answer, as its host does. */
export function answered(actor: Actor, text: string): Actor {
  return applyEvent(actor, { from: '@actuator', number: 0, event: answer(text) }, 1_000).actor;
}

/** An agent after three steps: started, answered, answered. */
export function sleepingAgent(number: number, text = `t${number}`): Sleeper {
  const self = sleeperId(number);
  const parent = actorId(`run/document-${number}/supervisor`);
  const event: ActorEvent = {
    type: 'start',
    machine: 'agent',
    self,
    parent,
    definition,
    seed: 7,
    step: 'work',
    variables: {
      document: { name: 'm', text, part: 0 },
      steps: before,
      items: null,
      run: { name: 'demo', seed: 7 },
    },
  };
  const fresh = newActor(runOfSleepers, self, 'agent');
  const started = applyEvent(fresh, { from: parent, number: 1, event }, 1_000).actor;
  return { actor: answered(answered(started, 'x'), 'y'), previousDigest: null, begins: false };
}

/** Everything of an actor, to be compared. */
export function allOf({ actor, previousDigest, begins }: Sleeper): unknown {
  return { previousDigest, begins, actor: actorToJson(actor) };
}
