/**
 * Sleep and waking, with the product's own agent machine: an agent that has
 * taken three steps goes to sleep in the grid, and is woken under the next epoch.
 *
 * `wake` claims, decodes and restores; its peer is `createActor` of XState with
 * the same snapshot, started and stopped, and for the sake of fairness once more
 * with the persisted snapshot's text parsed first. `instances` sends a million
 * agents to sleep (--quick: 10,000), measures, and wakes all of them: each is
 * compared by state hash with what it was, and takes a further step.
 */
import { createActor } from 'xstate';
import { actorToJson, applyEvent } from '../src/actors/actor.ts';
import { agentMachine } from '../src/actors/agent.ts';
import { actorHash } from '../src/actors/step.ts';
import { assert } from '../src/kernel/assert.ts';
import { ActorDirectory } from '../src/runtime/actor-directory.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';
import { answer, runOfAgents as run, sleeperId, sleepingAgent } from './hibernate/agents.ts';

const { quick, repetitions } = benchOptions();
const count = quick ? 10_000 : 1_000_000;
const wakes = quick ? 2_000 : 20_000;

function perSecond(work: () => void): number {
  const begin = performance.now();
  work();
  return wakes / ((performance.now() - begin) / 1_000);
}

function directoryOf(agents: number): ActorDirectory {
  const slots = 2 ** Math.ceil(Math.log2(agents * 1.5));
  return new ActorDirectory(ActorDirectory.allocate({ slots, gridBytes: agents * 224 + 2 ** 20 }));
}

function sleep(directory: ActorDirectory, number: number): number {
  const sleeper = sleepingAgent(number);
  const id = sleeperId(number);
  const { sequence } = sleeper.actor;
  assert(directory.insert(run, id, { host: 0, epoch: 1 }), 'a slot');
  const from = { host: 0, epoch: 1, sequence };
  assert(directory.hibernate(run, id, from, sleeper), 'the agent sleeps');
  return JSON.stringify(actorToJson(sleeper.actor).state.context).length;
}

const { state } = actorToJson(sleepingAgent(1).actor);
const snapshot = agentMachine.resolveState({
  value: state.value as 'asking',
  context: state.context as never,
  status: 'active',
});
const persisted = createActor(agentMachine, { snapshot }).getPersistedSnapshot();
const text = JSON.stringify(persisted);

function start(from: typeof persisted): void {
  createActor(agentMachine, { snapshot: from }).start().stop();
}

const contenders = {
  wake: () => {
    const directory = directoryOf(wakes);
    for (let number = 0; number < wakes; number += 1) sleep(directory, number);
    const ids = Array.from({ length: wakes }, (_, number) => sleeperId(number));
    return perSecond(() => {
      for (const id of ids) {
        assert(directory.claim(run, id, { host: 1, epoch: 1 })?.sleeper != null, 'it wakes');
      }
    });
  },
  createActor: () =>
    perSecond(() => {
      for (let number = 0; number < wakes; number += 1) start(persisted);
    }),
  parsed: () =>
    perSecond(() => {
      for (let number = 0; number < wakes; number += 1) start(JSON.parse(text));
    }),
};
function rss(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

const before = rss();
const directory = directoryOf(count);
for (let number = 0; number < count; number += 1) sleep(directory, number);
const grownBytes = rss() - before;
const sharedBytes = directory.usedBytes;
const began = performance.now();
for (let number = 0; number < count; number += 1) {
  const id = sleeperId(number);
  const sleeper = directory.claim(run, id, { host: 1, epoch: 1 })?.sleeper;
  assert(sleeper != null, 'every agent sleeps in the grid');
  const was = sleepingAgent(number).actor;
  assert(actorHash(sleeper.actor.state) === actorHash(was.state), 'it is what it was');
  const next = { from: '@actuator', number: 0, event: answer('z') } as const;
  const { actor, hash } = applyEvent(sleeper.actor, next, 1_000);
  assert(
    actor.sequence === was.sequence + 1 && hash === applyEvent(was, next, 1_000).hash,
    'it goes on',
  );
}
const seconds = (performance.now() - began) / 1_000;

for (const warmUp of Object.values(contenders)) warmUp();
const samples = await interleave(contenders, repetitions);

const lower = { higherIsBetter: false };
report(
  'hibernate',
  [
    figure('wake: grid / createActor', 'x', ratios(samples.wake, samples.createActor), {
      goal: 10,
    }),
    figure('wake: grid / parse and createActor', 'x', ratios(samples.wake, samples.parsed)),
    figure('wake: grid', '1/s', samples.wake),
    figure('wake: createActor', '1/s', samples.createActor),
    figure('instances: asleep at once', 'agents', [count]),
    figure('instances: shared memory', 'MB', [sharedBytes / 1e6], {
      ...lower,
      goal: quick ? null : 250,
    }),
    figure('instances: growth of the process', 'MB', [grownBytes / 1e6], {
      ...lower,
      goal: quick ? null : 250,
    }),
    figure('instances: shared memory of each', 'B', [sharedBytes / count], lower),
    figure('instances: all woken, compared and stepped', 's', [seconds], lower),
  ],
  ['xstate'],
);
