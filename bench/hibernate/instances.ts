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
export function directoryOf(agents: number): ActorDirectory {
  const slots = 2 ** Math.ceil(Math.log2(agents * 2));
  return new ActorDirectory(ActorDirectory.allocate({ slots, gridBytes: agents * 200 + 2 ** 20 }));
}

export function sleep(directory: ActorDirectory, number: number, sleeper: Sleeper): void {
  const id = sleeperId(number);
  const { sequence } = sleeper.actor;
  assert(directory.insert(run, id, { host: 0, epoch: 1 }), 'a slot');
  const from = { host: 0, epoch: 1, sequence };
  assert(directory.hibernate(run, id, from, sleeper), 'the agent sleeps');
}

export interface Instances {
  readonly directory: ActorDirectory;
  /** State hashes, one after the other. */
  readonly hashes: Buffer;
}

/** Sends that many agents to sleep. `hashes` takes their state hashes. */
export function sleepAll(agents: number, hashes: Buffer = hashesOf(agents)): Instances {
  const directory = directoryOf(agents);
  for (let number = 0; number < agents; number += 1) {
    const sleeper = sleepingAgent(number);
    hashes.write(actorHash(sleeper.actor.state), number * hashBytes, 'hex');
    sleep(directory, number, sleeper);
  }
  return { directory, hashes };
}

/** Zeroed, and all of it in memory already. */
export function hashesOf(agents: number): Buffer {
  return Buffer.alloc(agents * hashBytes, 1);
}

/** Wakes each once. @throws AssertionError when one is not what it was. */
export function wakeAll({ directory, hashes }: Instances): number {
  const agents = hashes.length / hashBytes;
  let steps = 0;
  for (let number = 0; number < agents; number += 1) {
    const claimed = directory.claim(run, sleeperId(number), { host: 1, epoch: 1 });
    assert(claimed !== null && claimed.sleeper !== null, 'every agent sleeps in the grid');
    const { actor } = claimed.sleeper;
    const hash = hashes.toString('hex', number * hashBytes, (number + 1) * hashBytes);
    assert(actorHash(actor.state) === hash, `agent ${number} is what it was`);
    const next = { from: '@actuator', number: 0, event: answer('z') } as const;
    steps += applyEvent(actor, next, 1_000).actor.sequence - actor.sequence;
  }
  return steps;
}
