/** A thread that wakes agents of a shared directory, steps them, and sends them to sleep. */
import { parentPort, workerData } from 'node:worker_threads';
import { actorHash } from '../../src/actors/step.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { answered, sleeperId } from './sleepers.ts';

interface Race {
  readonly memory: SharedArrayBuffer;
  readonly gate: SharedArrayBuffer;
  readonly run: RunId;
  readonly host: number;
  readonly rounds: number;
  readonly threads: number;
}

const { memory, gate, run, host, rounds, threads } = workerData as Race;
const directory = new ActorDirectory(memory);
const arrived = new Int32Array(gate);
const woken: [number, string][] = [];

for (let round = 0; round < rounds; round += 1) {
  const id = sleeperId(round);
  Atomics.add(arrived, 0, 1);
  while (Atomics.load(arrived, 0) < (round + 1) * threads) Atomics.pause();
  const claimed = directory.claim(run, id, { host, epoch: 1 });
  if (claimed === null) continue;
  if (claimed.sleeper === null) throw new Error(`${id} has no snapshot`);
  const actor = answered(claimed.sleeper.actor, 'z');
  woken.push([round, actorHash(actor.state)]);
  const { epoch } = claimed;
  const { previousDigest, begins } = claimed.sleeper;
  const sleeper = { actor, previousDigest, begins };
  directory.hibernate(run, id, { host, epoch, sequence: actor.sequence }, sleeper);
}
parentPort?.postMessage(woken);
