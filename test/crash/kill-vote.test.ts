/**
 * Goal: a vote survives that its process group is killed while some of the
 * samples have answered and others have not. Method: the model answers two of
 * four samples and holds the others until all four were asked, so they were asked at
 * once; then the group is killed. Afterwards only the held samples are asked
 * again, under the same keys, and the vote counts each sample once.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EventView, RunView } from '../../src/runtime/views.ts';
import { claw } from '../cli/claw-process.ts';
import { sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { panelPipeline } from '../runtime/panels.ts';
import { testFolder } from '../runtime/running.ts';
import {
  doubledOutcomes,
  getJson,
  killGroup,
  type Server,
  startServer,
  stopServer,
  waitForEnd,
} from './kill-run.ts';

async function eventsOf(server: Server, id: string): Promise<EventView[]> {
  const page = await getJson<{ events: EventView[] }>(
    `${server.url}/v1/runs/${id}/events?from=1&limit=1000`,
  );
  return page.events;
}

test('kill -9 of the whole process group in the middle of a vote', {
  timeout: 90_000,
}, async () => {
  const samples = 4;
  const asked: number[] = [];
  let holds = true;
  const waiting = Promise.withResolvers<void>();
  const model = await startEndpointServer((response, { body }) => {
    const { seed, temperature } = body as unknown as { seed: number; temperature: number };
    if (temperature === 0) return sayWhole(response, 'Bonn');
    const seat = asked.push(seed);
    if (!holds || seat <= samples / 2) sayWhole(response, seat === 1 ? 'Köln' : 'Bonn');
    if (seat === samples) waiting.resolve();
  });
  onTestFinished(() => model.close());
  const folder = testFolder();
  const [input, dataDirectory] = [join(folder, 'input'), join(folder, 'data')];
  mkdirSync(input);
  writeFileSync(join(input, 'm.txt'), 'The key is in Bonn. Where is it?');
  const env = { OPENCLAW_BASE_URL: model.baseUrl, OPENCLAW_MODEL_NAME: 'm' };
  let server: Server | null = await startServer(dataDirectory, env);
  onTestFinished(async () => {
    if (server !== null) await stopServer(server);
  });
  const pipeline = panelPipeline({ pattern: 'vote', samples });
  const { id } = await getJson<RunView>(`${server.url}/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ pipeline, input: { folder: input }, seed: 3 }),
  });
  await waiting.promise;
  const votes = async (at: Server): Promise<number> =>
    (await eventsOf(at, id)).filter(
      ({ actor, event }) => actor.includes('/panel-') && event.type === 'outcome',
    ).length;
  const first = server;
  await expect.poll(() => votes(first), { timeout: 20_000 }).toBe(samples / 2);
  expect(new Set(asked).size).toBe(samples);
  const [, , third, fourth] = asked;
  await killGroup(server);
  holds = false;

  server = await startServer(dataDirectory, env);
  const run = await waitForEnd(server, id, 60_000);
  expect(run).toMatchObject({ status: 'succeeded', usage: { generations: samples + 1 } });
  expect(asked.slice(samples).sort()).toEqual([third, fourth].sort());
  const events = await eventsOf(server, id);
  expect(doubledOutcomes(events)).toEqual([]);
  const done = events.find(({ event }) => event.type === 'step-done');
  expect(done?.event.result).toMatchObject({
    output: 'Bonn',
    validation: {
      generations: samples,
      evidence: ['4 of 5 answers agree on "Bonn"; 1 is "Köln".'],
    },
  });
  const replay = await claw(['replay', id], { data: dataDirectory });
  expect(replay.stdout).toContain(`Replay: equal. ${run.events} events`);
});
