/**
 * Sleep and waking, with the product's own agent machine: an agent that has
 * taken three steps goes to sleep in the grid, and is woken under the next epoch.
 *
 * `wake` finds the place, swaps the owner, checks the bytes and takes them out;
 * what they hold is made when it is asked for. `state` asks for the machine's
 * state and context as well, `actor` for everything: open intentions, counts of
 * mail, digest. The peer is `createActor` of XState, started: with the persisted
 * snapshot as an object, and with its text, which has to be parsed. It restores
 * value and context and nothing else.
 *
 * `instances` sends a million agents to sleep (--quick: 10,000), each with a text
 * of 64 bytes that no other has, in a thread that ends then, and wakes all of
 * them in another (hibernate/instances.ts). What the process has grown by is what
 * they take while they sleep.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createActor } from 'xstate';
import { actorToJson } from '../src/actors/actor.ts';
import { agentMachine } from '../src/actors/agent.ts';
import { assert } from '../src/kernel/assert.ts';
import { ActorDirectory } from '../src/runtime/actor-directory.ts';
import type { Sleeper } from '../src/runtime/snapshot-codec.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';
import { runOfAgents as run, sleeperId, sleepingAgent } from './hibernate/agents.ts';
import { directoryMemory, noInstances, sleep, wakeAll } from './hibernate/instances.ts';

const { quick, repetitions } = benchOptions();
const count = quick ? 10_000 : 1_000_000;
const wakes = 20_000;
const rounds = 5;

// First of all, while what the process has grown by is theirs alone.
function rss(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

const instances = noInstances(count);
const before = rss();
const url = new URL('./hibernate/sleeping-thread.ts', import.meta.url);
const [failed] = await once(new Worker(url, { workerData: instances }), 'exit');
assert(failed === 0, 'all of them sleep');
const grownBytes = rss() - before;
const sharedBytes = new ActorDirectory(instances.memory).usedBytes;
const began = performance.now();
assert(wakeAll(instances) === count, 'each has taken a step');
const seconds = (performance.now() - began) / 1_000;

const agents = Array.from({ length: wakes }, (_, number) => sleepingAgent(number));
const ids = agents.map((_, number) => sleeperId(number));

function perSecond(times: number, work: () => void): number {
  const begin = performance.now();
  work();
  return times / ((performance.now() - begin) / 1_000);
}

function wakeEach(use: (sleeper: Sleeper) => boolean): () => number {
  return () => {
    const directory = new ActorDirectory(directoryMemory(wakes));
    agents.forEach((agent, number) => {
      sleep(directory, number, agent);
    });
    return perSecond(wakes, () => {
      for (const id of ids) {
        const sleeper = directory.claim(run, id, { host: 1, epoch: 1 })?.sleeper;
        assert(sleeper != null && use(sleeper), 'it wakes');
      }
    });
  };
}

function createEach(snapshot: () => typeof persisted): () => number {
  return () =>
    perSecond(wakes * rounds, () => {
      for (let number = 0; number < wakes * rounds; number += 1) {
        createActor(agentMachine, { snapshot: snapshot() }).start();
      }
    });
}

const { state } = actorToJson(sleepingAgent(1).actor);
const snapshot = agentMachine.resolveState({
  value: state.value as 'asking',
  context: state.context as never,
  status: 'active',
});
const persisted = createActor(agentMachine, { snapshot }).getPersistedSnapshot();
const text = JSON.stringify(persisted);

const contenders = {
  wake: wakeEach(({ actor }) => actor.run === run),
  state: wakeEach(({ actor }) => actor.state.snapshot.context !== null),
  actor: wakeEach(({ actor, previousDigest }) => {
    const parts = [actor.state.snapshot.context, actor.open, actor.received, actor.sent];
    return previousDigest !== null && !parts.includes(undefined);
  }),
  createActor: createEach(() => persisted),
  parsed: createEach(() => JSON.parse(text)),
};

for (const warmUp of Object.values(contenders)) warmUp();
const samples = await interleave(contenders, repetitions);

const lower = { higherIsBetter: false };
const goal = { goal: 10 };
report(
  'hibernate',
  [
    figure('wake / createActor', 'x', ratios(samples.wake, samples.createActor), goal),
    figure('wake / parse and createActor', 'x', ratios(samples.wake, samples.parsed), goal),
    figure('wake, state / createActor', 'x', ratios(samples.state, samples.createActor), goal),
    figure('wake, state / parse and createActor', 'x', ratios(samples.state, samples.parsed), goal),
    figure('wake, whole actor / createActor', 'x', ratios(samples.actor, samples.createActor)),
    figure('wake, whole actor / parse and createActor', 'x', ratios(samples.actor, samples.parsed)),
    figure('wake', '1/s', samples.wake),
    figure('createActor', '1/s', samples.createActor),
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
