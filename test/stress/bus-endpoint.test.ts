import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { createBus, threadId } from '../../src/bus/endpoint.ts';
import { type CrowdReport, type CrowdTask, crowdTopic } from './bus-crowd-thread.ts';

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

it('brings all messages of a crowd to everyone, in order, through inboxes that overflow', async () => {
  const messagesEach = 4_000;
  const waits = ['atomics', 'event-loop', 'atomics', 'event-loop'] as const;
  const { seats, monitor } = createBus({
    threads: waits.map((how, index) => ({
      id: threadId(index + 1),
      name: `thread-${index}`,
      waits: how,
      inboxBytes: 2_048,
    })),
    topics: [crowdTopic],
  });
  onTestFinished(() => monitor.close());
  const reports = await Promise.all(
    [...seats.values()].map(async ({ spec, transferList }) => {
      const workerData: CrowdTask = { spec, messagesEach };
      const worker = new Worker(new URL('./bus-crowd-thread.ts', import.meta.url), {
        workerData,
        transferList,
      });
      workers.push(worker);
      const [report] = (await once(worker, 'message')) as [CrowdReport];
      return report;
    }),
  );
  for (const report of reports) {
    expect(report).toMatchObject({
      received: messagesEach * seats.size,
      disordered: 0,
      corrupt: 0,
    });
  }
  expect(reports.some(({ deferred }) => deferred > 0)).toBe(true);
});
