import { expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { makeDesk, openRuntime, runToEnd } from './running.ts';

test('a window that grew is in the journal with the question that it grew for, and the run replays', async () => {
  const sentence = 'The shop is open on Monday and the lift is repaired. ';
  const desk = makeDesk([sentence, sentence.repeat(40)]);
  const pipeline: JsonObject = {
    name: 'grow',
    agents: { teller: { prompt: 'Summarise: {{document.text}}', limits: { maxTokens: 32 } } },
    steps: [{ id: 'tell', agent: 'teller', map: 'documents' }],
  };
  const model = { contextTokens: { start: 256 } };
  const runtime = await openRuntime(desk.dataDirectory, { model });
  const run = await runToEnd(runtime, { ...desk.request, pipeline });
  expect(run.status).toBe('succeeded');
  const grown = runtime
    .events(run.id, { from: 1, limit: 1_000 })
    .filter(({ actor, event }) => actor.endsWith('/tell') && event.type === 'outcome')
    .map(({ actor, sequence }) => runtime.window(run.id, { actor, at: sequence }))
    .map((window) => [(window.promptTokens ?? 0) > 256, window.grown] as const);
  expect(grown.toSorted(([one], [other]) => Number(one) - Number(other))).toEqual([
    [false, null],
    [true, { from: 256, to: 1_024 }],
  ]);
  const journal = openReadOnly(desk.dataDirectory);
  onTestFinished(() => journal.close());
  expect(await journal.replay(run.id)).toMatchObject({ equal: true, events: run.events });
});
