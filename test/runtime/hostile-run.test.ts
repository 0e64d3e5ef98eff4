/** Input and answers that must cost their own run at most, never the runtime or another run. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { type Answer, sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { makeDesk, openRuntime, runToEnd } from './running.ts';

const asking: JsonObject = {
  name: 'asking',
  agents: {
    ask: { prompt: '{{document.text}}', output: { type: 'object' }, supervise: { retries: 0 } },
  },
  steps: [{ id: 'ask', agent: 'ask', map: 'documents' }],
};

async function answered(answer: Answer, texts: readonly string[]) {
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  const { dataDirectory, request } = makeDesk(texts);
  const settings = { model: { baseUrl: server.baseUrl, name: 'm' } };
  const failures: unknown[] = [];
  const hooks = { onFailure: (error: unknown) => failures.push(error) };
  const runtime = await openRuntime(dataDirectory, settings, hooks);
  return { runtime, dataDirectory, settings, request, failures };
}

async function stillWorks(runtime: Runtime, request: { input: { folder: string } }): Promise<void> {
  const writing: JsonObject = {
    name: 'writing',
    steps: [{ id: 'write', write: { path: 'a.txt', template: 'a' } }],
    agents: {},
  };
  const after = await runToEnd(runtime, { ...request, pipeline: writing });
  expect(after.status).toBe('succeeded');
}

describe('an answer that JSON can spell and no journal can keep', () => {
  test.each(['{"a": 1e400}', '{"a": "\\ud800"}', '{"\\udfff": 1}', '{"a": -0}'])(
    'is no answer: %s',
    async (text) => {
      const { runtime, request, failures } = await answered(
        (response) => sayWhole(response, text),
        ['x'],
      );
      const run = await runToEnd(runtime, { ...request, pipeline: asking });
      expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 1 } });
      expect(failures).toEqual([]);
    },
  );
});

test('a pipeline with half of a surrogate pair is refused', async () => {
  const { dataDirectory, request } = makeDesk(['x']);
  const runtime = await openRuntime(dataDirectory);
  const pipeline = { ...asking, description: 'bad \ud800' };
  await expect(runtime.startRun({ ...request, pipeline })).rejects.toMatchObject({
    code: 'PIPELINE_INVALID',
  });
});

test('a prompt that does not fit the bus is refused to its agent, and the others go on', async () => {
  const { runtime, request, failures } = await answered(
    (response) => sayWhole(response, '{}'),
    ['short', 'y'.repeat(200_000)],
  );
  const many = '{{document.text}}'.repeat(12);
  const pipeline = {
    ...asking,
    agents: { ask: { prompt: many, output: { type: 'object' }, supervise: { retries: 0 } } },
  };
  const run = await runToEnd(runtime, { ...request, pipeline });
  expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 1 } });
  expect(failures).toEqual([]);
  await stillWorks(runtime, request);
});

test('items that together exceed a bus message are read back in pages', async () => {
  const text = JSON.stringify({ long: 'z'.repeat(60_000) });
  const texts = Array.from({ length: 60 }, (_, index) => `document ${index}`);
  const { runtime, request, failures } = await answered(
    (response) => sayWhole(response, text),
    texts,
  );
  const pipeline = {
    ...asking,
    steps: [
      ...(asking.steps as JsonObject[]),
      {
        id: 'report',
        needs: ['ask'],
        write: { path: 'r.md', template: '{{#items}}{{document.name}};{{/items}}' },
      },
    ],
  };
  const run = await runToEnd(runtime, { ...request, pipeline });
  expect(run.status).toBe('succeeded');
  expect(failures).toEqual([]);
});

test('runs asked for at once stay within their bound', async () => {
  const { runtime, request } = await answered(() => undefined, ['x']);
  const asked = await Promise.allSettled(
    Array.from({ length: limits.openRunsMax + 10 }, () =>
      runtime.startRun({ ...request, pipeline: asking }),
    ),
  );
  const refused = asked.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(10);
  for (const result of refused) {
    expect(result).toMatchObject({ reason: { code: 'TOO_MANY_RUNS', retryable: true } });
  }
});

/** Eight answers that fit the bus one by one, and that together make an item that does not. */
const letters = [...'abcdefgh'];
const long = 'w'.repeat(300_000);
const eight: JsonObject = {
  name: 'eight',
  agents: { ask: { prompt: '{{document.text}}', supervise: { retries: 0 } } },
  steps: letters.map((id) => ({ id, agent: 'ask', map: 'documents' })),
};

test('an outcome that does not fit the bus is told to its actor as a failure', async () => {
  const { runtime, request, failures } = await answered(
    (response) => sayWhole(response, long),
    ['x'],
  );
  const report = { id: 'r', needs: letters, write: { path: 'r.md', template: 'r' } };
  const pipeline = { ...eight, steps: [...(eight.steps as JsonObject[]), report] };
  const run = await runToEnd(runtime, { ...request, pipeline });
  expect(run).toMatchObject({ status: 'failed', error: { code: 'BUS_MESSAGE_TOO_LARGE' } });
  expect(failures).toEqual([]);
});

test('a message between hosts that does not fit suspends its run, and stops what is open for it', async () => {
  const server = await startEndpointServer((response, { body }) => {
    // The other document's question is never answered.
    if (!JSON.stringify(body.messages).includes('hang')) sayWhole(response, long);
  });
  onTestFinished(() => server.close());
  const { dataDirectory, request } = makeDesk(['big', 'hang']);
  const settings = { hosts: 2, model: { baseUrl: server.baseUrl, name: 'm' } };
  const failures: unknown[] = [];
  const hooks = { onFailure: (error: unknown) => failures.push(error) };
  const runtime = await openRuntime(dataDirectory, settings, hooks);
  const run = await runToEnd(runtime, { ...request, pipeline: eight });
  expect(run).toMatchObject({ status: 'suspended', error: { code: 'BUS_MESSAGE_TOO_LARGE' } });
  await server.dropped;
  expect(failures).toEqual([]);
  await stillWorks(runtime, request);
});

test('a call that lacks an argument is refused before it is sent', async () => {
  const { runtime, request } = await answered(
    (response) => sayWhole(response, '{"tool": "open", "args": {}}'),
    ['x'],
  );
  const pipeline = {
    name: 'calling',
    agents: { ask: { prompt: 'x', output: { type: 'object' }, tools: ['open'] } },
    tools: { open: { actuator: 'file', operation: 'read', parameters: [], arguments: {} } },
    steps: [{ id: 'ask', agent: 'ask', map: 'documents' }],
  };
  const run = await runToEnd(runtime, { ...request, pipeline });
  const events = runtime.events(run.id, { from: 1, limit: 1_000 });
  const outcome = events.find(({ event }) => event.tag === 'tool')?.event.outcome;
  expect(outcome).toMatchObject({
    status: 'refused',
    error: { message: expect.stringContaining('The intention file.read is not valid') },
  });
});
