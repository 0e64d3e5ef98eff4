import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { InMemoryRuntime } from './in-memory-runtime.ts';

let runtime: InMemoryRuntime;
let api: ApiServer;

beforeEach(async () => {
  runtime = new InMemoryRuntime();
  api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  await api.close();
});

test('GET /v1/bus answers totals, rates and latencies of now', async () => {
  const { left } = runtime.countedBus;
  for (let index = 0; index < 4; index += 1) {
    left.received(1, 250);
    left.latency(1, 9);
  }
  left.shed(0);
  const response = await fetch(`${api.url}/v1/bus`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('application/json');
  expect(await response.json()).toMatchObject({
    windowMs: 2_000,
    threads: [
      {
        name: 'left',
        received: { total: 4, perSecond: 2 },
        receivedBytes: { total: 1_000, perSecond: 500 },
        latency: { samples: 4, p50Us: 9, p99Us: 9, maxUs: 9 },
        capacityBytes: 1_024,
      },
      { name: 'right', received: { total: 0, perSecond: 0 }, latency: null },
    ],
    topics: [
      { name: 'tick', shed: { total: 1, perSecond: 0.5 } },
      { name: 'tock', received: { total: 4, perSecond: 2 } },
    ],
    sideRings: [{ name: 'log', depthBytes: 5 }],
    arena: null,
    deadLetters: { total: 0, latest: [] },
  });
});

test('a host name that is no loopback name is refused here as everywhere', async () => {
  const status = await new Promise<number | undefined>((settle, fail) => {
    const request = httpRequest(
      { host: '127.0.0.1', port: api.port, path: '/v1/bus', headers: { host: 'evil.example' } },
      (response) => {
        response.resume();
        settle(response.statusCode);
      },
    );
    request.on('error', fail);
    request.end();
  });
  expect(status).toBe(403);
});

test('it can only be read', async () => {
  const response = await fetch(`${api.url}/v1/bus`, { method: 'POST' });
  expect(response.status).toBe(404);
});
