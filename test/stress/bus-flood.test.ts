/**
 * Two hosts and a model that flood each other at ten times what they can
 * handle. BUS_FLOOD_SECONDS says for how long.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { createBus } from '../../src/bus/endpoint.ts';
import { limits } from '../../src/kernel/limits.ts';
import { type FloodReport, type FloodTask, floodTopics, hosts, model } from './bus-flood-thread.ts';

const seconds = Number(process.env.BUS_FLOOD_SECONDS ?? 4);
/** What a thread may use more at the end than after its first quarter: garbage that waits. */
const growthBytesMax = 64 * 1_024 * 1_024;

function sum(reports: readonly FloodReport[], field: 'accepted' | 'turnedAway' | 'handled') {
  const totals: Record<string, number> = {};
  for (const report of reports) {
    for (const [key, count] of Object.entries(report[field])) {
      totals[key] = (totals[key] ?? 0) + count;
    }
  }
  return totals;
}

function growthBytes({ memoryBytes }: FloodReport): number {
  const quarter = Math.ceil(memoryBytes.length / 4);
  const early = Math.max(...memoryBytes.slice(0, quarter));
  return Math.max(...memoryBytes.slice(-quarter)) - early;
}

test(
  'a flood ends in no deadlock: memory stays flat and every message is delivered or turned away',
  async () => {
    const bus = createBus({
      threads: [
        { id: model, name: 'model', waits: 'event-loop', inboxBytes: 65_536 },
        ...hosts.map((id) => ({
          id,
          name: `host-${id}`,
          waits: 'atomics' as const,
          inboxBytes: 65_536,
        })),
      ],
      topics: floodTopics,
    });
    const orders = new SharedArrayBuffer(8);
    const order = (value: number) => Atomics.store(new Int32Array(orders), 0, value);
    const workers = [...bus.seats.values()].map(({ spec, transferList }) => {
      const workerData: FloodTask = { spec, orders };
      const url = new URL('./bus-flood-thread.ts', import.meta.url);
      return new Worker(url, { workerData, transferList });
    });
    onTestFinished(async () => {
      bus.monitor.close();
      await Promise.all(workers.map((worker) => worker.terminate()));
    });
    const told = Promise.all(
      workers.map(async (worker) => ((await once(worker, 'message')) as [FloodReport])[0]),
    );
    await sleep(seconds * 1_000);
    order(1);
    // Everything that was accepted is handled now; each thread counts for the others to see.
    const isDrained = () => {
      const views = [0, 1, 2].map((thread) => bus.monitor.counters.read(thread));
      const of = (field: 'published' | 'received') =>
        views.reduce((all, { topics }) => all + topics.reduce((n, each) => n + each[field], 0), 0);
      const waiting = views.reduce((all, { outboxFrames }) => all + outboxFrames, 0);
      return waiting === 0 && of('published') === of('received');
    };
    for (let wait = 0; wait < 600 && !isDrained(); wait += 1) await sleep(50);
    order(2);
    const reports = await told;

    const accepted = sum(reports, 'accepted');
    const turnedAway = sum(reports, 'turnedAway');
    const handled = sum(reports, 'handled');
    const total = (counts: Record<string, number>) =>
      Object.values(counts).reduce((all, count) => all + count, 0);
    process.stdout.write(
      `  ${seconds} s: ${total(accepted) + total(turnedAway)} offered, ${total(handled)} handled, ` +
        `${total(turnedAway)} turned away; growth ` +
        `${reports.map((report) => `${Math.round(growthBytes(report) / 2 ** 20)} MiB`).join(', ')}\n`,
    );
    expect(handled).toEqual(accepted);
    expect(Object.keys(handled)).toHaveLength(7);
    // The flood was one: much more was offered than could be handled, on every kind of topic.
    expect(total(turnedAway)).toBeGreaterThan(total(handled));
    expect(turnedAway[`token>${hosts[0]}`]).toBeGreaterThan(0);
    expect(turnedAway[`order>${model}`]).toBeGreaterThan(0);
    expect(reports.every(({ disordered }) => disordered === 0)).toBe(true);
    for (const report of reports) {
      expect(report.outboxFramesMax).toBeLessThanOrEqual(limits.outboxFramesMax);
      expect(growthBytes(report)).toBeLessThan(growthBytesMax);
    }
  },
  seconds * 1_000 + 90_000,
);
