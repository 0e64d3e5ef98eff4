/**
 * The bus against what one would use instead, and against what the machine
 * can do at most: `postMessage` with a structured clone and with a transfer,
 * BroadcastChannel, the npm packages ringbuf.js and piscina; a warmed memory
 * copy, and round trips over nothing but a shared word. All in one run, in
 * turns, on the same threads.
 *
 * Every contender sends the same number of messages with payloads of the same
 * length; every payload is stamped by its sender and checked by its receiver:
 * order, completeness and content. Queues are held to the same bytes in flight.
 */
import { BenchThreads } from './bus/bench-threads.ts';
import { largeFigures } from './bus/large-figures.ts';
import { objectsFigures } from './bus/objects-figures.ts';
import { tasksFigures } from './bus/tasks-figures.ts';
import { throughputFigures } from './bus/throughput-figures.ts';
import { tripFigures } from './bus/trip-figures.ts';
import { benchOptions, report } from './harness.ts';

const options = benchOptions();
const threads = await BenchThreads.start(2);
// Small messages come last: they feel most how warm a process is.
const large = await largeFigures(threads, options);
const trips = await tripFigures(threads, options);
const objects = await objectsFigures(threads, options);
const tasks = await tasksFigures(threads, options);
const throughput = await throughputFigures(threads, options);
const figures = [...throughput, ...large, ...trips, ...objects, ...tasks];
report('bus', figures, ['msgpackr', 'piscina', 'ringbuf.js']);
await threads.stop();
