/** The API over the whole runtime: what a program sees that knows nothing but HTTP. */
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startApi } from '../../src/api/server.ts';
import type { StreamMessage } from '../../src/api/websocket.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { EventView, RunView } from '../../src/runtime/views.ts';
import { sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { type Desk, deskTexts, makeDesk, openRuntime } from '../runtime/running.ts';

interface Served extends Desk {
  readonly url: string;
  readonly port: number;
}

async function serve(texts: readonly string[], settings = {}): Promise<Served> {
  const desk = makeDesk(texts);
  const runtime = await openRuntime(desk.dataDirectory, settings);
  const { url, port, close } = await startApi({ runtime, host: '127.0.0.1', port: 0 });
  onTestFinished(close);
  return { ...desk, url, port };
}

async function call<T>(
  url: string,
  body?: unknown,
): Promise<{ status: number; type: string; body: T }> {
  const answer = await fetch(
    url,
    body === undefined
      ? {}
      : {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        },
  );
  const type = answer.headers.get('content-type') ?? '';
  return { status: answer.status, type, body: (await answer.json()) as T };
}

interface Stream {
  readonly messages: StreamMessage[];
  readonly closed: Promise<number>;
}

function open(url: string): Stream {
  const socket = new WebSocket(url.replace('http', 'ws'));
  const messages: StreamMessage[] = [];
  socket.on('message', (bytes) => messages.push(JSON.parse(String(bytes)) as StreamMessage));
  const closed = new Promise<number>((resolve, reject) => {
    socket.once('close', resolve);
    socket.once('error', reject);
  });
  return { messages, closed };
}

function eventsOf({ messages }: Stream): EventView[] {
  return messages.flatMap((message) => (message.type === 'event' ? [message.event] : []));
}

async function allPages(url: string, limit: number): Promise<EventView[]> {
  const events: EventView[] = [];
  for (let next: number | null = 1; next !== null; ) {
    const page: { body: { events: EventView[]; next: number | null } } = await call(
      `${url}/events?from=${next}&limit=${limit}`,
    );
    expect(page.body.events.length).toBeLessThanOrEqual(limit);
    events.push(...page.body.events);
    next = page.body.next;
  }
  return events;
}

describe('a run by HTTP and WebSocket', () => {
  test('is started, watched live to its end by several, read again by pages, and listed', async () => {
    const { url, request, dataDirectory } = await serve(deskTexts(3));
    const started = await call<RunView>(`${url}/v1/runs`, request);
    expect([started.status, started.body.status]).toEqual([201, 'running']);
    const run = `${url}/v1/runs/${started.body.id}`;
    const early = open(`${run}/events?from=1&tokens=1`);
    const later = open(`${run}/events?from=10`);
    expect([await early.closed, await later.closed]).toEqual([1000, 1000]);

    const { body: ended } = await call<RunView>(run);
    expect(ended).toMatchObject({
      status: 'succeeded',
      stateHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      resultHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      usage: { generations: 9, toolCalls: 6 },
    });
    const sequences = Array.from({ length: ended.events }, (_, index) => index + 1);
    expect(eventsOf(early).map(({ sequence }) => sequence)).toEqual(sequences);
    expect(eventsOf(later).map(({ sequence }) => sequence)).toEqual(sequences.slice(9));
    expect(early.messages.at(-1)).toEqual({ type: 'end', run: ended });
    expect(eventsOf(early).at(-1)?.stateHash).toBe(ended.stateHash);
    expect(early.messages.filter(({ type }) => type === 'token').length).toBeGreaterThan(9);
    expect(later.messages.some(({ type }) => type === 'token')).toBe(false);

    const after = open(`${run}/events?from=1`);
    expect(await after.closed).toBe(1000);
    expect(eventsOf(after)).toEqual(eventsOf(early));
    expect(await allPages(run, 7)).toEqual(eventsOf(early));
    const past = await call<{ events: unknown[]; next: null }>(
      `${run}/events?from=${ended.events + 1}`,
    );
    expect(past.body).toEqual({ events: [], next: null });

    expect((await call<{ runs: RunView[] }>(`${url}/v1/runs`)).body.runs).toEqual([ended]);
    const report = readFileSync(join(dataDirectory, 'workspaces', ended.id, 'report.md'), 'utf8');
    expect(report).toContain('m002.txt');
    expect(await call(`${run}/cancel`, {})).toMatchObject({
      status: 409,
      body: { code: 'RUN_NOT_OPEN' },
    });
  });

  test('is cancelled, and a socket hears of it', async () => {
    const { url, request } = await serve(deskTexts(12));
    const { body } = await call<RunView>(`${url}/v1/runs`, request);
    const stream = open(`${url}/v1/runs/${body.id}/events`);
    const cancelled = await call<RunView>(`${url}/v1/runs/${body.id}/cancel`, {});
    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'cancelled']);
    expect(await stream.closed).toBe(1000);
    expect(stream.messages.at(-1)).toEqual({ type: 'end', run: cancelled.body });
    expect(eventsOf(stream)).toHaveLength(cancelled.body.events);
  });
});

describe('long answers', () => {
  test('make pages short in number, and are streamed whole', async () => {
    const endpoint = await startEndpointServer((response) =>
      sayWhole(response, JSON.stringify({ long: 'z'.repeat(60_000) })),
    );
    onTestFinished(() => endpoint.close());
    const { url, request } = await serve(deskTexts(24), {
      model: { baseUrl: endpoint.baseUrl, name: 'm' },
    });
    const pipeline = {
      name: 'long',
      agents: { ask: { prompt: '{{document.text}}', output: { type: 'object' } } },
      steps: [{ id: 'ask', agent: 'ask', map: 'documents' }],
    };
    const { body } = await call<RunView>(`${url}/v1/runs`, { ...request, pipeline });
    const stream = open(`${url}/v1/runs/${body.id}/events`);
    expect(await stream.closed).toBe(1000);
    const events = eventsOf(stream);
    expect(JSON.stringify(events).length).toBeGreaterThan(limits.eventsPageBytesMax);
    const page = await fetch(`${url}/v1/runs/${body.id}/events?limit=1000`);
    expect((await page.text()).length).toBeLessThan(limits.eventsPageBytesMax + 1_024);
    expect(await allPages(`${url}/v1/runs/${body.id}`, 1_000)).toEqual(events);
  });
});

test('who asked the runtime to wait may leave: for the end of a run, and for a script', async () => {
  const { dataDirectory, request } = makeDesk(deskTexts(2));
  const runtime = await openRuntime(dataDirectory);
  const { id } = await runtime.startRun(request);
  const leaving = new AbortController();
  const end = runtime.ended(id, leaving.signal);
  const script = runtime.sandbox({ source: 'for (;;);', timeoutMs: 60_000 }, leaving.signal);
  leaving.abort('left');
  await expect(end).rejects.toBe('left');
  expect((await script).error?.code).toBe('INTENTION_ABORTED');
  expect((await runtime.ended(id)).status).toBe('succeeded');
});

describe('what else the server does', () => {
  test('answers health, generates, and runs a script', async () => {
    const { url } = await serve(deskTexts(1));
    expect((await call(`${url}/healthz`)).body).toMatchObject({
      status: 'ok',
      openRuns: 0,
      model: { backend: 'llama.cpp', demonstration: true },
      threads: expect.arrayContaining(['main', 'journal', 'actuators', 'inference', 'host-0']),
    });
    const prompt = 'Route this request to one of: billing, support. Request: Where is my refund?';
    const generated = await call<{ text: string; tokens: { text: string }[] }>(
      `${url}/v1/generate`,
      { prompt, maxTokens: 24 },
    );
    expect(JSON.parse(generated.body.text)).toEqual({ route: 'billing' });
    expect(generated.body.tokens.map(({ text }) => text).join('')).toBe(generated.body.text);
    expect((await call(`${url}/v1/sandbox`, { source: '6 * 7' })).body).toMatchObject({
      ok: true,
      value: 42,
    });
    expect(
      (await call(`${url}/v1/sandbox`, { source: 'throw new Error("no")' })).body,
    ).toMatchObject({ ok: false, error: { code: 'SANDBOX_SCRIPT_ERROR' } });
  });

  test('runs scripts with files, input and limits, and answers with what they leave', async () => {
    const { url } = await serve(deskTexts(1));
    const run = async (body: object) => (await call(`${url}/v1/sandbox`, body)).body;
    const files = { 'a.txt': Buffer.from('text').toString('base64') };
    const left = {
      path: 'r.txt',
      bytes: 5,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      mediaType: 'text/plain',
      base64: Buffer.from('text!').toString('base64'),
    };
    expect(
      await run({
        source:
          'const text: string = await fs.readFile("/docs/a.txt", "utf8"); await fs.writeFile("/out/r.txt", text + input.end); Date.now()',
        language: 'ts',
        input: { end: '!' },
        timeMs: 77,
        files,
      }),
    ).toMatchObject({ ok: true, value: 77, files: [left] });
    expect(
      await run({
        source: 'cat /docs/a.txt > /out/r.txt; printf ! >> /out/r.txt',
        language: 'sh',
        files,
      }),
    ).toMatchObject({ ok: true, files: [left] });
    const codes = [
      [{ source: 'for (;;) await fs.stat("/")', limits: { calls: 3 } }, 'SANDBOX_CALLS'],
      [{ source: 'await fs.writeFile("/out/x", "y".repeat(600000))' }, 'SANDBOX_OUTPUT'],
      [{ source: '1', files: { 'a\\b': '' } }, 'SANDBOX_MOUNT_INVALID'],
    ] as const;
    for (const [body, code] of codes) {
      expect(await run(body)).toMatchObject({ ok: false, error: { code } });
    }
    const refused = [
      { source: '1', language: 'rb' },
      { source: '1', files: { a: 'no base64!' } },
      { source: '1', files: { a: Buffer.alloc(600_000).toString('base64') } },
      { source: '1', limits: { calls: -1 } },
      { source: '1', mount: '/etc' },
    ];
    for (const body of refused) {
      expect((await call(`${url}/v1/sandbox`, body)).status).toBe(400);
    }
  });

  test('refuses with a problem that names its code, and loses nothing', async () => {
    const { url, port, request } = await serve(deskTexts(1));
    const nobody = '019a0000-0000-7000-8000-000000000001';
    const refusals: readonly [string, unknown, number, string][] = [
      [`/v1/runs/${nobody}`, undefined, 404, 'RUN_NOT_FOUND'],
      [`/v1/runs/${nobody}/events`, undefined, 404, 'RUN_NOT_FOUND'],
      ['/v1/nothing', undefined, 404, 'NOT_FOUND'],
      ['/v1/runs', { ...request, extra: 1 }, 400, 'REQUEST_INVALID'],
      ['/v1/runs', { ...request, seed: 'x' }, 400, 'REQUEST_INVALID'],
      ['/v1/runs', { ...request, input: { folder: '/absent' } }, 400, 'INPUT_NOT_FOUND'],
      ['/v1/runs', { ...request, pipeline: '/absent.yaml' }, 400, 'PIPELINE_NOT_FOUND'],
      ['/v1/runs', { ...request, pipeline: { name: 'x' } }, 400, 'PIPELINE_INVALID'],
    ];
    for (const [path, body, status, code] of refusals) {
      const answer = await call<Record<string, unknown>>(url + path, body);
      expect(answer.type).toContain('application/problem+json');
      expect(answer).toMatchObject({
        status,
        body: { code, status, type: `urn:openclaw:error:${code}`, title: expect.any(String) },
      });
      expect(JSON.stringify(answer.body)).not.toContain('.ts:');
    }
    const hostile = await new Promise<number | undefined>((resolve, reject) => {
      const sent = httpRequest(
        { port, host: '127.0.0.1', path: '/v1/runs', headers: { host: 'evil.example' } },
        (answer) => resolve(answer.resume().statusCode),
      );
      sent.on('error', reject).end();
    });
    expect(hostile).toBe(403);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/runs/${nobody}/events`);
    const refused = await new Promise<number | undefined>((resolve) => {
      socket.once('unexpected-response', (_, answer) => resolve(answer.statusCode));
      socket.once('error', () => resolve(undefined));
    });
    expect(refused).toBe(404);
    expect((await call<{ runs: RunView[] }>(`${url}/v1/runs`)).body.runs).toEqual([]);
  });
});
