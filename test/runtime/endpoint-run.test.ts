/** Runs whose model is an OpenAI-compatible server that behaves badly: a real server, real sockets. */
import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { EventView, RunView } from '../../src/runtime/views.ts';
import {
  type Answer,
  answerJson,
  chunk,
  sayWhole,
  sendEvent,
  startEndpointServer,
} from '../inference/endpoint-server.ts';
import { makeDesk, openRuntime, runToEnd, untilEvents } from './running.ts';

const pipeline: JsonObject = {
  name: 'remote',
  agents: { echo: { prompt: '{{document.text}}', supervise: { minConfidence: 0.5 } } },
  steps: [
    {
      id: 'echo',
      agent: 'echo',
      map: 'documents',
      retry: { maxAttempts: 3, backoffMs: 20, factor: 2 },
    },
    {
      id: 'report',
      needs: ['echo'],
      when: 'always',
      write: {
        path: 'report.md',
        template: '{{#items}}{{steps.echo.output}}{{steps.echo.reasons}};{{/items}}',
      },
    },
  ],
  recovery: { write: { path: 'human/{{document.name}}', template: '{{reasons}}' } },
  report: 'report.md',
};

async function serve(answer: Answer) {
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  return server;
}

async function connected(baseUrl: string, texts: readonly string[]) {
  const { dataDirectory, request } = makeDesk(texts);
  const runtime = await openRuntime(dataDirectory, { model: { baseUrl, name: 'm' } });
  return { runtime, dataDirectory, request: { ...request, pipeline } };
}

function eventsOf(runtime: Runtime, run: RunView): readonly EventView[] {
  return runtime.events(run.id, { from: 1, limit: 1_000 });
}

async function replays(dataDirectory: string, run: RunView): Promise<boolean> {
  const readOnly = openReadOnly(dataDirectory);
  onTestFinished(() => readOnly.close());
  return (await readOnly.replay(run.id)).equal;
}

describe('a model behind an endpoint', () => {
  test('that fails twice is asked a third time, after pauses that grow', async () => {
    let asked = 0;
    const server = await serve((response) => {
      asked += 1;
      if (asked <= 2) answerJson(response, 503, { error: { message: 'overloaded' } });
      else sayWhole(response, 'hello');
    });
    const { runtime, dataDirectory, request } = await connected(server.baseUrl, ['one']);
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({
      status: 'succeeded',
      progress: { handedToHuman: 0 },
      usage: { generations: 1, promptTokens: 5, answerTokens: 1 },
    });
    expect(server.calls).toHaveLength(3);
    const events = eventsOf(runtime, run);
    const failures = events.filter(({ event }) => event.type === 'agent-failed');
    expect(failures.map(({ event }) => event.error)).toEqual(
      [1, 2].map(() => expect.objectContaining({ code: 'INFERENCE_REJECTED', retryable: true })),
    );
    const pauses = events.filter(({ event }) => event.tag === 'backoff:echo');
    expect(pauses.map(({ time }, index) => time - (failures[index]?.time ?? 0))).toEqual([
      expect.toSatisfy((ms: number) => ms >= 20),
      expect.toSatisfy((ms: number) => ms >= 40),
    ]);
    const agents = new Set(events.map(({ actor }) => actor).filter((id) => id.includes('echo')));
    expect([...agents].map((id) => id.split('/').at(-1))).toEqual(['echo', 'echo.2', 'echo.3']);
    expect(await replays(dataDirectory, run)).toBe(true);
  });

  test('that is gone: every document goes to a human, and the run fails with the reason', async () => {
    const server = await startEndpointServer((response) => sayWhole(response, 'never'));
    const { runtime, dataDirectory, request } = await connected(server.baseUrl, ['one', 'two']);
    await server.close();
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({
      status: 'failed',
      error: { code: 'INFERENCE_UNAVAILABLE' },
      outputs: { documents: { total: 2, handedToHuman: 2 } },
      usage: { generations: 0 },
    });
    const written = eventsOf(runtime, run).filter(({ event }) => event.tag === 'recovery:echo');
    expect(written).toHaveLength(2);
    const items = eventsOf(runtime, run).filter(({ event }) => event.type === 'document-done');
    for (const { event } of items) expect(String(event.item)).toContain('cannot be reached');
    expect(await replays(dataDirectory, run)).toBe(true);
  });

  test('that refuses for good is asked once', async () => {
    const server = await serve((response) =>
      answerJson(response, 401, { error: { message: 'no key' } }),
    );
    const { runtime, request } = await connected(server.baseUrl, ['one']);
    const run = await runToEnd(runtime, request);
    expect(server.calls).toHaveLength(1);
    expect(run).toMatchObject({
      error: { code: 'INFERENCE_REJECTED' },
      progress: { handedToHuman: 1 },
    });
  });

  test('that is unsure is stopped at the token, asked again otherwise, then given up', async () => {
    const server = await serve((response) => {
      sendEvent(response, chunk('perhaps', [['perhaps', 0.2]]));
      sendEvent(response, chunk(' not', [[' not', 0.9]]));
    });
    const { runtime, dataDirectory, request } = await connected(server.baseUrl, ['one']);
    const run = await runToEnd(runtime, request);
    expect(server.calls.map(({ body }) => [body.seed, body.temperature])).toEqual([
      [3, 0],
      [4, 0.4],
      [5, 0.7],
    ]);
    expect(run.usage.interventions).toBe(2);
    expect(run.progress.handedToHuman).toBe(1);
    expect(await replays(dataDirectory, run)).toBe(true);
  });

  test('that thinks for long: the actors sleep meanwhile, and wake for the answer or a cancel', async () => {
    const waiting: ServerResponse[] = [];
    const server = await serve((response) => {
      waiting.push(response);
    });
    const { runtime, dataDirectory, request } = await connected(server.baseUrl, ['one']);
    const [answered, cancelled] = [
      await runtime.startRun(request),
      await runtime.startRun(request),
    ];
    const follower = new JournalFollower(dataDirectory);
    onTestFinished(() => follower.close());
    const asleep = (id: string): number => {
      follower.advance();
      const actors = [...(follower.index.get(id as RunId)?.actors.values() ?? [])];
      return actors.filter(({ snapshot }) => snapshot !== null).length;
    };
    const patience = { timeout: 30_000, interval: 100 };
    await expect.poll(() => asleep(answered.id) + asleep(cancelled.id), patience).toBe(10);
    expect(await runtime.cancel(cancelled.id)).toMatchObject({ status: 'cancelled' });
    for (const response of waiting) sayWhole(response, 'at last');
    const run = await runtime.ended(answered.id);
    expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 0 } });
    expect(await replays(dataDirectory, run)).toBe(true);
    expect(await replays(dataDirectory, runtime.run(cancelled.id))).toBe(true);
  });

  test('that never answers: a cancel drops the connection and ends the run', async () => {
    const server = await serve((response) => sendEvent(response, chunk('so', [['so', 0.9]])));
    const { runtime, dataDirectory, request } = await connected(server.baseUrl, ['one']);
    const tokens = Promise.withResolvers<string>();
    runtime.onToken(({ text }) => tokens.resolve(text));
    const { id } = await runtime.startRun(request);
    expect(await tokens.promise).toBe('so');
    await untilEvents(runtime, id, 7);
    const run = await runtime.cancel(id);
    await server.dropped;
    expect(run.status).toBe('cancelled');
    expect(await replays(dataDirectory, run)).toBe(true);
  });
});
