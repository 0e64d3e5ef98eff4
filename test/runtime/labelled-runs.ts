/** Runs over one secret and one public document, with an endpoint that repeats what it is told. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { EventView, RunView, StartRunRequest } from '../../src/runtime/views.ts';
import {
  type Answer,
  type EndpointServer,
  lastText,
  sayWhole,
  startEndpointServer,
} from '../inference/endpoint-server.ts';
import { openRuntime, runToEnd, testFolder } from './running.ts';

export const secretName = 'hr-pay.txt';
export const secretSentence = 'The redundancy budget is 4711 euros.';
/** Of it, what no hash can have in it. */
export const secretMark = '4711 euros';
export const publicName = 'news.txt';
const publicSentence = 'The canteen opens at noon.';

/** Whatever a model says of a secret text has it in it. */
const repeating: Answer = (response, { body }) => sayWhole(response, lastText(body));

type Runtimes = Parameters<typeof openRuntime>[1];

export interface Labelled {
  readonly dataDirectory: string;
  readonly runtime: Runtime;
  readonly server: EndpointServer;
  readonly request: StartRunRequest;
  readonly run: RunView;
  readonly events: readonly EventView[];
}

/** A pipeline that labels `hr-*` secret. */
export function labelledPipeline(rest: JsonObject): JsonObject {
  const { input, ...more } = rest;
  const labels = [{ match: 'hr-*', label: 'secret' }];
  return { name: 'labelled', input: { labels, ...(input as JsonObject) }, ...more };
}

/** Runs the pipeline to its end; its journal replays equal with both steppers. */
export async function labelledRun(
  pipeline: JsonObject,
  { answer = repeating, settings = {} }: { answer?: Answer; settings?: Runtimes } = {},
): Promise<Labelled> {
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  const folder = testFolder();
  const input = join(folder, 'input');
  mkdirSync(input);
  writeFileSync(join(input, secretName), `${secretSentence}\n`);
  writeFileSync(join(input, publicName), `${publicSentence}\n`);
  const dataDirectory = join(folder, 'data');
  const runtime = await openRuntime(dataDirectory, {
    model: { baseUrl: server.baseUrl, name: 'm' },
    ...settings,
  });
  const request = { pipeline, input: { folder: input }, seed: 3 };
  const run = await runToEnd(runtime, request);
  await expectEqual(dataDirectory, run);
  const events = runtime.events(run.id, { from: 1, limit: 1_000 });
  return { dataDirectory, runtime, server, request, run, events };
}

export async function expectEqual(dataDirectory: string, { id, events }: RunView): Promise<void> {
  const journal = openReadOnly(dataDirectory);
  onTestFinished(() => journal.close());
  expect(await journal.replay(id)).toMatchObject({ equal: true, events });
  expect(await journal.replay(id, 'xstate')).toMatchObject({ equal: true, events });
}

/** The result of a step for each document, by its name; of a step over all documents under ''. */
export function resultsOf(events: readonly EventView[], step: string): Record<string, JsonObject> {
  const names = [secretName, publicName].sort();
  const done = events.filter(({ event }) => event.type === 'step-done' && event.step === step);
  return Object.fromEntries(
    done.map(({ actor, event }) => {
      const index = /^run\/document-(\d+)$/.exec(actor)?.[1];
      const name = index === undefined ? '' : (names[Number(index) - 1] ?? '');
      return [name, event.result as JsonObject];
    }),
  );
}

/** Everything that the journal says that the actors of a step were told. */
export function toldTo(events: readonly EventView[], step: string): string {
  const own = events.filter(({ actor }) => actor.split('/').includes(step));
  expect(own.length).toBeGreaterThan(0);
  return JSON.stringify(own);
}

/** Everything that was asked in prompts that begin so. */
export function askedBy({ calls }: EndpointServer, mark: string): string {
  const own = calls.filter(({ body }) => JSON.stringify(body.messages).includes(mark));
  return JSON.stringify(own.map(({ body }) => body.messages));
}
