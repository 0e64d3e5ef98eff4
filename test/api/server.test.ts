import { request as httpRequest } from 'node:http';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { errorCatalogue, RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { EffectView } from '../../src/runtime/views.ts';
import { InMemoryRuntime } from './in-memory-runtime.ts';

let runtime: InMemoryRuntime;
let api: ApiServer;
let faults: unknown[];

beforeEach(async () => {
  runtime = new InMemoryRuntime();
  faults = [];
  api = await startApi({
    runtime,
    host: '127.0.0.1',
    port: 0,
    onFault: (error) => faults.push(error),
  });
});

afterEach(async () => {
  await api.close();
});

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** A request whose Host and Origin headers fetch would not let us choose. */
function raw(options: {
  method: string;
  path: string;
  headers: Record<string, string>;
}): Promise<{ status: number; body: { code?: string } }> {
  return new Promise((settle, fail) => {
    const request = httpRequest({ host: '127.0.0.1', port: api.port, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        settle({ status: response.statusCode ?? 0, body: JSON.parse(text) as { code?: string } });
      });
    });
    request.on('error', fail);
    request.end();
  });
}

const validRun = { pipeline: 'p.yaml', input: { folder: 'in' }, seed: 7 };

describe('runs', () => {
  test('a started run answers 201 with its address and its view', async () => {
    const response = await post('/v1/runs', validRun);
    const run = (await response.json()) as { id: string; status: string };
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v1/runs/${run.id}`);
    expect(run.status).toBe('running');
    const again = await fetch(`${api.url}${response.headers.get('location')}`);
    expect(await again.json()).toEqual(run);
  });

  test('relative paths begin at the working directory of the server', async () => {
    await post('/v1/runs', validRun);
    expect(runtime.started).toEqual([
      { pipeline: resolve('p.yaml'), input: { folder: resolve('in') }, seed: 7 },
    ]);
  });

  test('an inline pipeline is passed on as it is', async () => {
    await post('/v1/runs', { ...validRun, pipeline: { name: 'x', steps: [] } });
    expect(runtime.started[0]?.pipeline).toEqual({ name: 'x', steps: [] });
  });

  test('labels of documents are passed on, and are patterns and levels', async () => {
    const labels = [{ match: 'hr-*', label: 'secret' }];
    await post('/v1/runs', { ...validRun, labels });
    expect(runtime.started[0]?.labels).toEqual(labels);
    const wrong = await post('/v1/runs', { ...validRun, labels: [{ match: '', label: 'a b' }] });
    expect(wrong.status).toBe(400);
    expect(runtime.started).toHaveLength(1);
  });

  test('the list holds every run', async () => {
    const first = await runtime.startRun(validRun);
    const second = await runtime.startRun(validRun);
    const { runs } = (await (await fetch(`${api.url}/v1/runs`)).json()) as {
      runs: { id: string }[];
    };
    expect(runs.map(({ id }) => id)).toEqual([first.id, second.id]);
  });

  test('the effects of a run are those that its journal tells', async () => {
    const { id } = await runtime.startRun(validRun);
    const effect: EffectView = {
      key: `${id}:run:1:0`,
      actor: 'run',
      operation: 'file.write',
      effect: 'idempotent',
      status: 'open',
      code: null,
      requested: { sequence: 1, time: 5 },
      answered: null,
    };
    runtime.addEffect(id, effect);
    const response = await fetch(`${api.url}/v1/runs/${id}/effects`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ effects: [effect] });
    expect((await fetch(`${api.url}/v1/runs/nobody/effects`)).status).toBe(404);
  });

  test('the contexts of a run are listed, and each is shown whole', async () => {
    const { id } = await runtime.startRun(validRun);
    const context = { hash: 'a'.repeat(64), parent: null, actor: 'run/x', sequence: 5, items: 1 };
    const messages = [{ role: 'user', content: 'Find the key.' }] as const;
    runtime.addContext(id, { ...context, messages });
    const address = `${api.url}/v1/runs/${id}/contexts`;
    expect(await (await fetch(address)).json()).toEqual({ contexts: [context] });
    const whole = await fetch(`${address}/aaaa`);
    expect(await whole.json()).toEqual({ ...context, messages });
    expect((await fetch(`${address}/bbbb`)).status).toBe(404);
    expect((await fetch(`${address}/XYZ`)).status).toBe(400);
    expect((await fetch(`${api.url}/v1/runs/nobody/contexts`)).status).toBe(404);
  });

  test('interventions are listed, and the window of a generation is shown', async () => {
    const { id } = await runtime.startRun(validRun);
    const address = `${api.url}/v1/runs/${id}`;
    const intervention = {
      sequence: 9,
      time: 5,
      actor: 'run/x',
      rule: 0,
      when: 'any',
      did: 'pause',
      decided: null,
      attempt: 0,
      findings: [{ source: 'format', evidence: 'odd' }],
      next: null,
    };
    runtime.addIntervention(id, intervention);
    expect(await (await fetch(`${address}/interventions`)).json()).toEqual({
      interventions: [intervention],
    });
    const window = await (await fetch(`${address}/window?at=7&actor=run%2Fx`)).json();
    expect(window).toMatchObject({ sequence: 7, actor: 'run/x', items: [] });
    expect((await fetch(`${address}/window`)).status).toBe(200);
    expect((await fetch(`${address}/window?at=0`)).status).toBe(400);
    expect((await fetch(`${address}/window?to=7`)).status).toBe(400);
    expect((await fetch(`${api.url}/v1/runs/nobody/window`)).status).toBe(404);
    expect((await fetch(`${api.url}/v1/runs/nobody/interventions`)).status).toBe(404);
  });

  test('a run is forked, and a fork has its address', async () => {
    const { id } = await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
    const fork = (body: unknown, of: string = id) => post(`/v1/runs/${of}/fork`, body);
    const request = { at: 3, set: { 'a.temperature': 0.5 }, allowEffects: true };
    const response = await fork(request);
    expect(response.status).toBe(201);
    const view = (await response.json()) as { id: string; parent: unknown };
    expect(view.parent).toEqual({ run: id, at: 3 });
    expect(response.headers.get('location')).toBe(`/v1/runs/${view.id}`);
    expect(runtime.forked).toEqual([{ id, request }]);
    for (const wrong of [{}, { at: 0 }, { at: 1.5 }, { at: 1, set: 'x' }, { at: 1, more: 1 }]) {
      expect((await fork(wrong)).status).toBe(400);
    }
    expect((await fork({ at: 1 }, 'nobody')).status).toBe(404);
  });

  test('a backup and a compaction say what they did, and what they take', async () => {
    const backup = await post('/v1/backup', { folder: '/somewhere' });
    expect(backup.status).toBe(200);
    expect(await backup.json()).toMatchObject({ folder: '/somewhere', seal: 'seal' });
    await post('/v1/backup', { folder: 'near' });
    expect(runtime.backups).toEqual(['/somewhere', resolve('near')]);
    const compact = (body: unknown) => post('/v1/journal/compact', body);
    const requests = [{ before: { sequence: 9 } }, { before: { timeMs: 8 }, dryRun: true }];
    const answers = await Promise.all(requests.map(async (body) => (await compact(body)).json()));
    expect(answers).toMatchObject([{ done: true }, { done: false }]);
    expect(runtime.compactions).toEqual(requests);
    for (const wrong of [{}, { folder: '' }, { folder: 'x'.repeat(5_000) }, { folder: 'a', to: 1 }])
      expect((await post('/v1/backup', wrong)).status).toBe(400);
    for (const before of [undefined, '30d', 9, {}, { sequence: -1 }, { sequence: 1, timeMs: 1 }])
      expect((await compact({ before })).status).toBe(400);
    expect((await compact({ before: { sequence: 1 }, dryRun: 'yes' })).status).toBe(400);
    runtime.failure = new RuntimeError('DATA_DIRECTORY_BUSY', 'Later.', { retryable: true });
    expect((await compact({ before: { sequence: 1 } })).status).toBe(409);
    expect((await post('/v1/backup', { folder: 'a' })).status).toBe(409);
  });

  test('a cancelled run answers its last view', async () => {
    const { id } = await runtime.startRun(validRun);
    const response = await fetch(`${api.url}/v1/runs/${id}/cancel`, { method: 'POST' });
    expect(response.status).toBe(200);
    expect(((await response.json()) as { status: string }).status).toBe('cancelled');
  });

  test('a run is erased, with its forks where that is said', async () => {
    const { id } = await runtime.startRun(validRun);
    const erase = (query: string) =>
      fetch(`${api.url}/v1/runs/${id}${query}`, { method: 'DELETE' });
    const response = await erase('');
    expect([response.status, await response.json()]).toEqual([200, { erased: [id] }]);
    expect((await erase('?forks=true')).status).toBe(200);
    const refused = await erase('?forks=yes');
    expect([refused.status, await refused.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'REQUEST_INVALID', detail: expect.stringMatching(/forks/) }),
    ]);
    expect(runtime.erased).toEqual([
      { id, forks: false },
      { id, forks: true },
    ]);
  });

  test.each([
    ['an unknown field', { ...validRun, sead: 1 }, 'sead'],
    ['a missing folder', { pipeline: 'p.yaml', input: {} }, 'input.folder'],
    ['a seed that is no whole number', { ...validRun, seed: 1.5 }, 'seed'],
    ['a pipeline of the wrong kind', { ...validRun, pipeline: 4 }, 'pipeline'],
  ])('%s is refused by name', async (_name, body, field) => {
    const response = await post('/v1/runs', body);
    const problem = (await response.json()) as { code: string; detail: string };
    expect(response.status).toBe(400);
    expect(problem.code).toBe('REQUEST_INVALID');
    expect(problem.detail).toContain(field);
    expect(runtime.started).toEqual([]);
  });
});

describe('events by pages', () => {
  test('pages join without a gap and end with null once the run has ended', async () => {
    const { id } = await runtime.startRun(validRun);
    runtime.append(id, 5);
    runtime.end(id);
    const seen: number[] = [];
    let next: number | null = 1;
    while (next !== null) {
      const response = await fetch(`${api.url}/v1/runs/${id}/events?from=${next}&limit=2`);
      const page = (await response.json()) as {
        events: { sequence: number }[];
        next: number | null;
      };
      seen.push(...page.events.map(({ sequence }) => sequence));
      next = page.next;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test('an open run always says where to ask again', async () => {
    const { id } = await runtime.startRun(validRun);
    runtime.append(id, 3);
    const response = await fetch(`${api.url}/v1/runs/${id}/events?from=4`);
    expect(await response.json()).toEqual({ events: [], next: 4 });
  });

  test.each([
    'from=0',
    'from=-1',
    'from=x',
    'limit=0',
    `limit=${limits.eventsPageMax + 1}`,
    'to=3',
  ])('the query %s is refused', async (query) => {
    const { id } = await runtime.startRun(validRun);
    const response = await fetch(`${api.url}/v1/runs/${id}/events?${query}`);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { code: string }).code).toBe('REQUEST_INVALID');
  });
});

describe('generation', () => {
  test('without stream the answer is one object', async () => {
    const response = await post('/v1/generate', { prompt: 'Hi', temperature: 0, maxTokens: 5 });
    expect(((await response.json()) as { text: string }).text).toBe('Hello there');
    expect(runtime.generations).toEqual([{ prompt: 'Hi', temperature: 0, maxTokens: 5 }]);
  });

  test('images and recordings come inside the body, larger than any other', async () => {
    const base64 = Buffer.alloc(700_000, 7).toString('base64');
    const parts = [
      { type: 'image', mediaType: 'image/png', base64 },
      { type: 'audio', format: 'mp3', base64 },
    ];
    const response = await post('/v1/generate', { prompt: 'Hi', parts });
    expect(response.status).toBe(200);
    expect(runtime.generations).toEqual([{ prompt: 'Hi', parts }]);
    const tooMuch = await post('/v1/generate', { prompt: 'Hi', parts: [...parts, ...parts] });
    expect(tooMuch.status).toBe(413);
    const large = { ...parts[1], base64: base64.slice(0, 700_000) };
    const more = await post('/v1/generate', { prompt: 'Hi', parts: [large, large, large] });
    expect([more.status, ((await more.json()) as { detail: string }).detail]).toEqual([
      400,
      expect.stringContaining('make them smaller'),
    ]);
    const unknown = await post('/v1/generate', {
      prompt: 'Hi',
      parts: [{ type: 'video', base64 }],
    });
    expect(unknown.status).toBe(400);
  });

  test('with stream each token is a line and the result is the last one', async () => {
    const response = await post('/v1/generate', { prompt: 'Hi', stream: true });
    expect(response.headers.get('content-type')).toContain('application/x-ndjson');
    const lines = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; text?: string });
    expect(lines.map(({ type }) => type)).toEqual(['token', 'token', 'result']);
    expect(lines[0]?.text).toBe('Hello');
  });

  test('a failure inside the stream is its last line, with its code', async () => {
    runtime.failure = new RuntimeError('INFERENCE_TIMEOUT', 'Too slow.');
    const response = await post('/v1/generate', { prompt: 'Hi', stream: true });
    expect(JSON.parse(await response.text())).toEqual({
      type: 'error',
      error: { code: 'INFERENCE_TIMEOUT', message: 'Too slow.', retryable: false },
    });
  });

  test.each([true, false])(
    'a client that leaves stops the generation (stream %s)',
    async (stream) => {
      runtime.answer = null;
      const controller = new AbortController();
      const pending = fetch(`${api.url}/v1/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: 'Hi', stream }),
        signal: controller.signal,
      });
      await expect.poll(() => runtime.generations.length).toBe(1);
      if (stream) await (await pending).body?.getReader().read();
      else pending.catch(() => undefined);
      controller.abort();
      await expect.poll(() => runtime.aborted).toBe(1);
    },
  );
});

test('a script is passed to the sandbox with its limits', async () => {
  const response = await post('/v1/sandbox', { source: '1+1', memoryMb: 32 });
  expect(await response.json()).toEqual({
    ok: true,
    value: 3,
    usage: { wallMs: 1, cpuMs: 1, memoryMb: 32 },
    layers: [],
  });
});

test('a client that leaves stops its script', async () => {
  runtime.endlessScripts = true;
  const controller = new AbortController();
  const pending = fetch(`${api.url}/v1/sandbox`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source: 'for (;;);' }),
    signal: controller.signal,
  });
  pending.catch(() => undefined);
  await expect.poll(() => runtime.scripts.length).toBe(1);
  expect(runtime.aborted).toBe(0);
  controller.abort();
  await expect.poll(() => runtime.aborted).toBe(1);
});

test('health tells the model and the threads', async () => {
  const response = await fetch(`${api.url}/healthz`);
  expect(await response.json()).toEqual(runtime.health());
});

describe('errors are RFC 9457 problems', () => {
  test('an error of the runtime keeps its code, status and sentence', async () => {
    const missing = '00000000-0000-7000-8000-000000000000';
    const response = await fetch(`${api.url}/v1/runs/${missing}`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toEqual({
      type: 'urn:openclaw:error:RUN_NOT_FOUND',
      title: errorCatalogue.RUN_NOT_FOUND.meaning,
      status: 404,
      detail: `No run has the id ${missing}.`,
      code: 'RUN_NOT_FOUND',
    });
  });

  test('an unknown address is NOT_FOUND', async () => {
    const response = await fetch(`${api.url}//nothing?here=1`);
    expect(response.status).toBe(404);
    expect(((await response.json()) as { code: string }).code).toBe('NOT_FOUND');
  });

  test.each([
    ['malformed JSON', '{"pipeline":', { status: 400 }],
    ['an empty body', '', { status: 400 }],
    [
      'a body over the limit',
      JSON.stringify('x'.repeat(limits.requestBodyBytesMax)),
      { status: 413 },
    ],
    ['a body that names a prototype', '{"pipeline":{"__proto__":{}}}', { status: 400 }],
    ['brackets without end', '['.repeat(limits.requestBodyBytesMax - 1), { status: 400 }],
  ])('%s is REQUEST_INVALID', async (_name, body, { status }) => {
    const response = await post('/v1/runs', body);
    expect(response.status).toBe(status);
    expect(((await response.json()) as { code: string }).code).toBe('REQUEST_INVALID');
  });

  test.each(['/v1/runs', '/v1/generate', '/v1/sandbox'])(
    'a body of %s nested beyond all use is refused before anything recurses into it',
    async (path) => {
      const nested = `{"pipeline":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`;
      const response = await post(path, nested);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 'REQUEST_INVALID',
        detail: expect.stringContaining(`${limits.requestBodyDepthMax} levels`),
      });
      expect(faults).toEqual([]);
    },
  );

  test.each([
    [0, 201],
    [1, 400],
  ])('a body %i levels beyond the deepest is answered %i', async (beyond, status) => {
    const levels = limits.requestBodyDepthMax - 1 + beyond;
    const pipeline = `${'{"a":'.repeat(levels)}"[[["${'}'.repeat(levels)}`;
    const response = await post('/v1/runs', `{"pipeline":${pipeline},"input":{"folder":"in"}}`);
    expect(response.status).toBe(status);
  });

  test('a body that is not declared as JSON is refused', async () => {
    const response = await post('/v1/runs', validRun, { 'content-type': 'text/plain' });
    expect(response.status).toBe(415);
    expect(runtime.started).toEqual([]);
  });

  test('a fault inside shows no message to the client and is reported', async () => {
    runtime.failure = new Error('secret detail');
    const response = await post('/v1/runs', validRun);
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).toContain('INTERNAL');
    expect(text).not.toContain('secret');
    expect(faults).toEqual([runtime.failure]);
  });

  test('a taken port is PORT_IN_USE with its number', async () => {
    const second = startApi({ runtime, host: '127.0.0.1', port: api.port });
    await expect(second).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(String(api.port)),
    });
  });
});

describe('the loopback guard', () => {
  test.each(['evil.example', 'evil.example:7420', '127.0.0.1.evil.example', '10.0.0.1'])(
    'the host name %s is refused',
    async (host) => {
      const answer = await raw({ method: 'GET', path: '/healthz', headers: { host } });
      expect([answer.status, answer.body.code]).toEqual([403, 'REQUEST_FORBIDDEN']);
    },
  );

  test.each(['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST:7420'])(
    'the host name %s is accepted',
    async (host) => {
      const answer = await raw({ method: 'GET', path: '/healthz', headers: { host } });
      expect(answer.status).toBe(200);
    },
  );

  test.each(['http://evil.example', 'null', 'https://127.0.0.1', 'http://localhost:1'])(
    'a change asked for by a page of %s is refused',
    async (origin) => {
      const { id } = await runtime.startRun(validRun);
      const answer = await raw({
        method: 'POST',
        path: `/v1/runs/${id}/cancel`,
        headers: { host: `127.0.0.1:${api.port}`, origin },
      });
      expect([answer.status, answer.body.code]).toEqual([403, 'REQUEST_FORBIDDEN']);
      expect(runtime.run(id).status).toBe('running');
    },
  );

  test('a change asked for by the own page is accepted', async () => {
    const { id } = await runtime.startRun(validRun);
    const answer = await raw({
      method: 'POST',
      path: `/v1/runs/${id}/cancel`,
      headers: { host: `localhost:${api.port}`, origin: `http://localhost:${api.port}` },
    });
    expect(answer.status).toBe(200);
  });
});
