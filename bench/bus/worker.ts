/** The other threads of the bus benchmark: each performs one task after the other. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { assertNever } from '../../src/kernel/assert.ts';
import { sendOverBroadcast } from './broadcast-contender.ts';
import { sendOverEndpoint } from './endpoint-contender.ts';
import { tripOverEndpoint } from './endpoint-trips.ts';
import { sendFrames } from './frames-contender.ts';
import { sendLeases } from './leases-contender.ts';
import { sendObjects } from './objects-contender.ts';
import { sendOverPort } from './port-contender.ts';
import { tripOverPort } from './port-trips.ts';
import type { BusTask, TaskDone, WorkerSeats } from './protocol.ts';
import { sendOverRingbuf } from './ringbuf-contender.ts';
import { Seat } from './seats.ts';
import { serveTasks } from './tasks-contender.ts';
import { tripOverWords } from './word-trips.ts';

assert(parentPort !== null, 'the benchmark starts this thread');
const parent = parentPort;
const specs = workerData as WorkerSeats;
const parked = new Seat(specs.parked);
const loop = new Seat(specs.loop);

/** Performs the task; times in µs where the worker is the one that measures. */
async function perform(task: BusTask): Promise<readonly number[] | undefined> {
  switch (task.type) {
    case 'send-frames':
      sendFrames(task);
      return;
    case 'send-over-endpoint':
      sendOverEndpoint(parked, task);
      return;
    case 'send-leases':
      sendLeases(task);
      return;
    case 'send-objects':
      sendObjects(parked, task);
      return;
    case 'serve-tasks':
      serveTasks(parked, task);
      return;
    case 'send-over-port':
      sendOverPort(task);
      return;
    case 'send-over-broadcast':
      sendOverBroadcast(task);
      return;
    case 'send-over-ringbuf':
      sendOverRingbuf(task);
      return;
    case 'trip-over-words':
      return tripOverWords(task);
    case 'trip-over-port':
      return tripOverPort(task);
    case 'trip-over-endpoint':
      return tripOverEndpoint(task.waiting === 'parked' ? parked : loop, task);
    default:
      return assertNever(task, 'task of the bus benchmark');
  }
}

parent.on('message', async (task: BusTask) => {
  const timesUs = (await perform(task)) ?? [];
  parent.postMessage({ timesUs } satisfies TaskDone);
});
