/**
 * Many agents asleep at once, and all of them woken: each has the state hash
 * with which it went to sleep, and goes on with a further step.
 */
import { applyEvent } from '../../src/actors/actor.ts';
import { actorHash } from '../../src/actors/step.ts';
import { assert } from '../../src/kernel/assert.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import type { Sleeper } from '../../src/runtime/snapshot-codec.ts';
import { answer, runOfAgents as run, sleeperId, sleepingAgent } from './agents.ts';

const hashBytes = 32;

/** Empty, with twice as many slots as it may have actors. */
export function directoryMemory(agents: number): SharedArrayBuffer {
  const slots = 2 ** Math.ceil(Math.log2(agents * 2));
  return ActorDirectory.allocate({ slots, gridBytes: agents * 200 + 2 ** 20 });
}

export function sleep(directory: ActorDirectory, number: number, sleeper: Sleeper): void {
  const id = sleeperId(number);
  const { sequence } = sleeper.actor;
  assert(directory.insert(run, id, { host: 0, epoch: 1 }), 'a slot');
  const from = { host: 0, epoch: 1, sequence };
  assert(directory.hibernate(run, id, from, sleeper), 'the agent sleeps');
}

export interface Instances {
  readonly memory: SharedArrayBuffer;
  /** State hashes, one after the other. */
  readonly hashes: SharedArrayBuffer;
}

/** Nobody sleeps there yet. The hashes are in memory already. */
export function noInstances(agents: number): Instances {
  const hashes = new SharedArrayBuffer(agents * hashBytes);
  Buffer.from(hashes).fill(1);
  return { memory: directoryMemory(agents), hashes };
}

/** Sends as many agents to sleep as there is room for hashes. */
export function sleepAll({ memory, hashes }: Instances): void {
  const directory = new ActorDirectory(memory);
  const all = Buffer.from(hashes);
  for (let number = 0; number < all.length / hashBytes; number += 1) {
    const sleeper = sleepingAgent(number);
    all.write(actorHash(sleeper.actor.state), number * hashBytes, 'hex');
    sleep(directory, number, sleeper);
  }
}

/** Wakes each once. @throws AssertionError when one is not what it was. */
export function wakeAll({ memory, hashes }: Instances): number {
  const directory = new ActorDirectory(memory);
  const all = Buffer.from(hashes);
  const agents = all.length / hashBytes;
  let steps = 0;
  for (let number = 0; number < agents; number += 1) {
    const claimed = directory.claim(run, sleeperId(number), { host: 1, epoch: 1 });
    assert(claimed !== null && claimed.sleeper !== null, 'every agent sleeps in the grid');
    const { actor } = claimed.sleeper;
    const hash = all.toString('hex', number * hashBytes, (number + 1) * hashBytes);
    assert(actorHash(actor.state) === hash, `agent ${number} is what it was`);
    const next = { from: '@actuator', number: 0, event: answer('z') } as const;
    steps += applyEvent(actor, next, 1_000).actor.sequence - actor.sequence;
  }
  return steps;
}
