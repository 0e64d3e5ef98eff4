import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { createBus, openEndpoint, seatOf, threadId } from '../../src/bus/endpoint.ts';
import { drop, type SaturationTask } from './bus-saturation-thread.ts';

const runMs = 2_000;
const timerMs = 10;
const lateMsMax = 20;
/** So slow that a slice of the most frames would take longer than a timer may be late. */
const handlerUs = 200;

test('a saturated event loop still fires timers of 10 ms within 20 ms, and reads files', async () => {
  const [self, other] = [threadId(0), threadId(1)];
  const { seats, monitor } = createBus({
    threads: [
      { id: self, name: 'self', waits: 'event-loop', inboxBytes: 65_536 },
      { id: other, name: 'other', waits: 'atomics', inboxBytes: 1_024 },
    ],
    topics: [drop],
  });
  const bus = { seats, monitor };
  const { spec, transferList } = seatOf(bus, other);
  const stop = new SharedArrayBuffer(4);
  const workerData: SaturationTask = { spec, stop };
  const url = new URL('./bus-saturation-thread.ts', import.meta.url);
  const worker = new Worker(url, { workerData, transferList });
  onTestFinished(() => {
    monitor.close();
    void worker.terminate();
  });
  const endpoint = openEndpoint(seatOf(bus, self).spec);
  let handled = 0;
  let depthMax = 0;
  endpoint.on(drop, () => {
    handled += 1;
    for (const end = performance.now() + handlerUs / 1_000; performance.now() < end; );
  });
  endpoint.listen();
  while (handled === 0) await new Promise((resolve) => setImmediate(resolve));

  const delaysMs: number[] = [];
  let filesRead = 0;
  for (const endMs = performance.now() + runMs; performance.now() < endMs; ) {
    const setMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, timerMs));
    delaysMs.push(performance.now() - setMs);
    depthMax = Math.max(depthMax, endpoint.statistics().depthBytes);
    await readFile(import.meta.filename);
    filesRead += 1;
  }
  const handledInRun = handled;
  Atomics.store(new Int32Array(stop), 0, 1);
  await once(worker, 'exit');
  endpoint.close();

  // The inbox was really full, and the loop really busy with it.
  expect(depthMax).toBeGreaterThan(65_536 / 2);
  expect(handledInRun).toBeGreaterThan(runMs / (handlerUs / 1_000) / 4);
  expect(filesRead).toBeGreaterThan(20);
  // On a machine that others use too, some timers are late whatever this process does.
  const inTime = delaysMs.filter((delay) => delay <= lateMsMax).length;
  expect(inTime / delaysMs.length).toBeGreaterThan(0.8);
});
