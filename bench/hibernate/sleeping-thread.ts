/** A thread that sends agents to sleep and ends, as a host that is idle. */
import { workerData } from 'node:worker_threads';
import { type Instances, sleepAll } from './instances.ts';

sleepAll(workerData as Instances);
