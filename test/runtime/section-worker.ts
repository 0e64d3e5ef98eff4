/** Counts in its section, and beside it, until it is ended. */
import { workerData } from 'node:worker_threads';
import { UnbrokenSection } from '../../src/runtime/unbroken-section.ts';

const { memory, counts, insideMs } = workerData as {
  memory: SharedArrayBuffer;
  /** Begun and done inside; done outside. */
  counts: Int32Array;
  insideMs: number;
};
const section = new UnbrokenSection(memory);
for (;;) {
  section.run(() => {
    Atomics.add(counts, 0, 1);
    Atomics.notify(counts, 0);
    const until = performance.now() + insideMs;
    while (performance.now() < until);
    Atomics.add(counts, 1, 1);
  });
  Atomics.add(counts, 2, 1);
}
