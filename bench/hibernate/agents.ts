/** Agents of one run that have asked the model twice and wait. */
import { type Actor, applyEvent, newActor } from '../../src/actors/actor.ts';
import type { ActorEvent } from '../../src/actors/event.ts';
import { pipelineDefinitionSchema } from '../../src/actors/pipeline-definition.ts';
import { sha256Bytes } from '../../src/kernel/hash.ts';
import { type ActorId, actorId, type RunId, runId } from '../../src/kernel/ids.ts';
import type { Sleeper } from '../../src/runtime/snapshot-codec.ts';

const definition = JSON.stringify(
  pipelineDefinitionSchema.parse({
    name: 'demo',
    agents: { worker: { prompt: '{{document.text}} {{each}}' } },
    steps: [
      { id: 'work', agent: 'worker', map: 'documents', each: 'steps.before.output', needs: [] },
    ],
  }),
);
const before = JSON.stringify({
  before: {
    verdict: 'accepted',
    output: ['a', 'b', 'c', 'd'],
    reasons: [],
    confidence: 1,
    attempts: 1,
  },
});
/** The same in every thread. */
export const runOfAgents: RunId = runId('019a0000-0000-7000-8000-000000000000');

export function sleeperId(number: number): ActorId {
  return actorId(`run/document-${number}/supervisor/work`);
}

export function answer(text: string): ActorEvent {
  const value = { status: 'completed', text, minConfidence: 0.9, halt: null };
  return { type: 'outcome', tag: 'generate', outcome: { status: 'completed', value } };
}

/** Folds the next event of an agent that waits for an answer, as its host does. */
function answered(actor: Actor, text: string): Actor {
  return applyEvent(actor, { from: '@actuator', number: 0, event: answer(text) }, 1_000).actor;
}

/** 64 bytes that no other agent has. */
function ownText(number: number): string {
  return `Message ${number} asks for an answer.`.padEnd(64, '.');
}

/** An agent after three steps (started, answered, answered), with the digest of its last record. */
export function sleepingAgent(number: number): Sleeper {
  const text = ownText(number);
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
  const fresh = newActor(runOfAgents, self, 'agent');
  const started = applyEvent(fresh, { from: parent, number: 1, event }, 1_000).actor;
  const actor = answered(answered(started, 'x'), 'y');
  return { actor, previousDigest: sha256Bytes(self), begins: false };
}
