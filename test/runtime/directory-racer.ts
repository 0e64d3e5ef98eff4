/** A thread that claims sleeping actors of a shared directory as fast as it can. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ActorId, actorId, type RunId } from '../../src/kernel/ids.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';

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
const won: number[] = [];

/** Each round begins for all threads together. */
function meet(round: number): void {
  Atomics.add(arrived, 0, 1);
  while (Atomics.load(arrived, 0) < (round + 1) * threads) Atomics.pause();
}

for (let round = 0; round < rounds; round += 1) {
  const actor: ActorId = actorId(`run/a${round}`);
  meet(round);
  if (directory.claim(run, actor, { host, epoch: 1 }) !== null) won.push(round);
}
parentPort?.postMessage(won);
