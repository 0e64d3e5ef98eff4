/** What a person tells a paused agent, under its clearance. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { lastText, sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { expectEqual, labelledPipeline, resultsOf, toldTo } from './labelled-runs.ts';
import { openRuntime, testFolder } from './running.ts';

const words = 'The code word is swordfish.';

/** Answers in the format that was asked for once it is told the words, and else not. */
async function paused(clearance: string) {
  const server = await startEndpointServer((response, { body }) =>
    sayWhole(response, lastText(body).includes('swordfish') ? '{"name":"swordfish"}' : 'no'),
  );
  onTestFinished(() => server.close());
  const folder = testFolder();
  const input = join(folder, 'input');
  mkdirSync(input);
  writeFileSync(join(input, 'news.txt'), 'The canteen opens at noon.\n');
  const dataDirectory = join(folder, 'data');
  const runtime = await openRuntime(dataDirectory, {
    model: { baseUrl: server.baseUrl, name: 'm' },
  });
  const pipeline = labelledPipeline({
    agents: {
      asked: {
        prompt: '{{document.text}}',
        clearance,
        output: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
        supervise: { retries: 0, rules: [{ when: 'format', do: 'pause' }] },
      },
    },
    steps: [{ id: 'one', agent: 'asked', map: 'documents' }],
  });
  const { id } = await runtime.startRun({ pipeline, input: { folder: input }, seed: 3 });
  const key = await new Promise<string>((resolve) => {
    const stop = runtime.subscribe(id, 1, ({ event }) => {
      const [pause] = runtime.run(id).paused ?? [];
      if (event.type !== 'outcome-unknown' || pause === undefined) return;
      stop();
      resolve(pause.key);
    });
  });
  const tell = async (value: JsonObject) => {
    await runtime.resolve(id, { key, outcome: { status: 'completed', value } });
    const run = await runtime.ended(id);
    await expectEqual(dataDirectory, run);
    return runtime.events(id, { from: 1, limit: 1_000 });
  };
  return { tell, server };
}

test('above it they are withheld, and the doubt is decided as if nothing was said', async () => {
  const { tell, server } = await paused('internal');
  const events = await tell({ decision: 'retry', prompt: words, label: 'confidential' });
  expect(toldTo(events, 'one')).not.toContain('swordfish');
  expect(JSON.stringify(server.calls)).not.toContain('swordfish');
  expect(toldTo(events, 'one')).toContain(
    'The prompt has the label confidential, and the agent is cleared for internal: it was withheld.',
  );
});

test('within it they are told, and what comes of them has their label', async () => {
  const { tell } = await paused('confidential');
  const events = await tell({ decision: 'retry', prompt: words, label: 'confidential' });
  const [result] = Object.values(resultsOf(events, 'one'));
  expect(result).toMatchObject({
    verdict: 'accepted',
    output: { name: 'swordfish' },
    label: 'confidential',
  });
});
