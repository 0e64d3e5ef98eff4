/** Runs whose models are chosen: by the policy of their pipeline, privately, and told by the journal. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RouteRecord } from '../../src/inference/route-record.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { RunView } from '../../src/runtime/views.ts';
import { sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { draftModelFile } from '../inference/requests.ts';
import { makeDesk, openRuntime, runToEnd } from './running.ts';

const names = {
  type: 'object',
  properties: { names: { type: 'array', items: { type: 'string' } } },
};

function pipeline(more: JsonObject, agent: JsonObject = {}, step: JsonObject = {}): JsonObject {
  return {
    name: 'chosen',
    agents: {
      reader: { prompt: 'Extract the names from: {{document.text}}', output: names, ...agent },
    },
    steps: [{ id: 'read', agent: 'reader', map: 'documents', ...step }],
    ...more,
  };
}

interface Chosen {
  readonly routing?: RouteRecord;
  readonly served?: { readonly model: string };
}

function choices(runtime: Runtime, run: RunView): Chosen[] {
  return runtime
    .events(run.id, { from: 1, limit: 1_000 })
    .map(({ event }) => (event.outcome as { value?: Chosen } | undefined)?.value)
    .filter((value) => value !== undefined && 'tokens' in value);
}

function errorCodes(runtime: Runtime, run: RunView): unknown[] {
  return runtime
    .events(run.id, { from: 1, limit: 1_000 })
    .map(({ event }) => (event.outcome as { error?: { code: string } } | undefined)?.error?.code)
    .filter((code) => code !== undefined);
}

async function far() {
  const server = await startEndpointServer((response) => sayWhole(response, '{"names": []}'));
  onTestFinished(() => server.close());
  return server;
}

describe('a routed run', () => {
  test('escalates by the policy of its pipeline, tells it in its journal, and replays', async () => {
    const { dataDirectory, request } = makeDesk(['Priya wrote to Marco in Leeds.']);
    const runtime = await openRuntime(dataDirectory, {
      model: { tier: 'large' },
      models: [{ name: 'small', file: draftModelFile, tier: 'small' }],
    });
    const cascade = pipeline({ routing: { escalate: { below: 1 } } });
    const run = await runToEnd(runtime, { ...request, pipeline: cascade });
    expect(run.status).toBe('succeeded');
    const [choice] = choices(runtime, run);
    expect(choice?.served?.model).toBe('tiny-agent');
    expect(choice?.routing?.attempts.map(({ model }) => model)).toEqual(['small', 'tiny-agent']);
    const usual = await runToEnd(runtime, { ...request, pipeline: pipeline({}) });
    expect(choices(runtime, usual)[0]).not.toHaveProperty('routing');
    await runtime.stop();
    const readOnly = openReadOnly(dataDirectory);
    onTestFinished(() => readOnly.close());
    expect((await readOnly.replay(run.id)).equal).toBe(true);
  });

  test('shows no endpoint what a step or an agent keeps local, whatever the policy wants', async () => {
    const server = await far();
    const { dataDirectory, request } = makeDesk(['Priya wrote to Marco in Leeds.']);
    const runtime = await openRuntime(dataDirectory, {
      models: [{ name: 'far', baseUrl: server.baseUrl, model: 'far' }],
      routing: { prefer: { extraction: 'remote' }, escalate: { below: 1 } },
    });
    const privacy = { privacy: 'local-only' };
    for (const definition of [
      pipeline({}, privacy),
      pipeline({}, {}, privacy),
      pipeline({}, { privacy: 'any' }, privacy),
    ]) {
      const run = await runToEnd(runtime, { ...request, pipeline: definition });
      expect(choices(runtime, run)[0]?.served?.model).toBe('tiny-agent');
      expect(choices(runtime, run)[0]?.routing?.excluded).toMatchObject([{ model: 'far' }]);
    }
    const named = pipeline({}, { ...privacy, model: 'far' });
    const refused = await runToEnd(runtime, { ...request, pipeline: named });
    expect(refused.progress.handedToHuman).toBe(1);
    expect(errorCodes(runtime, refused)).toEqual(['PRIVACY_LOCAL_ONLY']);
    expect(server.calls).toEqual([]);
    const open = await runToEnd(runtime, { ...request, pipeline: pipeline({}) });
    expect(choices(runtime, open)[0]?.served?.model).toBe('far');
    expect(server.calls).toHaveLength(1);
  });

  test('shows a default endpoint nothing either', async () => {
    const server = await far();
    const { dataDirectory, request } = makeDesk(['Priya wrote to Marco in Leeds.']);
    const runtime = await openRuntime(dataDirectory, {
      model: { baseUrl: server.baseUrl, name: 'far' },
      models: [{ name: 'here', file: draftModelFile }],
    });
    const secret = pipeline({}, { privacy: 'local-only' });
    const refused = await runToEnd(runtime, { ...request, pipeline: secret });
    expect(errorCodes(runtime, refused)).toEqual(['PRIVACY_LOCAL_ONLY']);
    const routed = pipeline({ routing: {} }, { privacy: 'local-only' });
    const run = await runToEnd(runtime, { ...request, pipeline: routed });
    expect(choices(runtime, run)[0]?.served?.model).toBe('here');
    expect(server.calls).toEqual([]);
  });
});
