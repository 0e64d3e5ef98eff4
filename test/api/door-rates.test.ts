import { connect } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type ApiRefusal, Refusals } from '../../src/api/refusals.ts';
import { clientAddress } from '../../src/api/request-rates.ts';
import { limits } from '../../src/kernel/limits.ts';
import { openDoor, problemOf, statusOf } from './door-harness.ts';

const validRun = { pipeline: 'p.yaml', input: { folder: 'in' } };

test('who asks too often is told when to come back; others are not touched', async () => {
  const door = await openDoor({ api: { rate: { requestsPerMinute: 3 } } });
  const one = await door.add('one', ['viewer']);
  const two = await door.add('two', ['viewer']);
  const ask = async (token?: string) => (await door.get('/healthz', token)).status;
  expect([await ask(one), await ask(one), await ask(one), await ask(one)]).toEqual([
    200, 200, 200, 429,
  ]);
  const response = await door.get('/healthz', one);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  expect((await problemOf(response)).slice(0, 2)).toEqual([429, 'RATE_LIMITED']);
  expect([await ask(two), await ask()]).toEqual([200, 200]);
  expect(door.refusals).toMatchObject([{ reason: 'rate-limited', token: 'one' }]);
});

test('failures to say who one is are counted apart and stricter, and lock no good token out', async () => {
  const door = await openDoor({ api: { requireToken: true, rate: { failuresPerMinute: 2 } } });
  const token = await door.add('me', ['viewer']);
  const statuses: number[] = [];
  for (const each of ['wrong', undefined, 'wrong', undefined]) {
    statuses.push((await door.get('/healthz', each)).status);
  }
  expect(statuses).toEqual([401, 401, 429, 429]);
  expect((await door.get('/healthz', token)).status).toBe(200);
});

test('a foreign page uses up nothing of what programs may ask', async () => {
  const door = await openDoor({ api: { rate: { requestsPerMinute: 2 } } });
  const page = ['GET /healthz HTTP/1.1', 'host: localhost', 'origin: http://evil.example'];
  for (let index = 0; index < 5; index += 1) expect(statusOf(await door.raw(page))).toBe(403);
  expect((await door.get('/healthz')).status).toBe(200);
});

test('a client has a bounded number of WebSockets, and gets the place of a closed one', async () => {
  const door = await openDoor();
  const { id } = await door.runtime.startRun(validRun);
  const open = (): WebSocket => {
    const socket = new WebSocket(`ws://127.0.0.1:${door.api.port}/v1/runs/${id}/events`);
    onTestFinished(() => socket.terminate());
    socket.on('error', () => undefined);
    return socket;
  };
  const opened = (socket: WebSocket): Promise<number> =>
    new Promise((settle) => {
      socket.on('open', () => settle(101));
      socket.on('unexpected-response', (_, { statusCode }) => settle(statusCode ?? 0));
    });
  const sockets = Array.from({ length: limits.apiSocketsPerClientMax }, open);
  const statuses = await Promise.all(sockets.map(opened));
  expect(new Set(statuses)).toEqual(new Set([101]));
  expect(await opened(open())).toBe(429);
  expect(door.refusals).toMatchObject([{ reason: 'too-many-sockets' }]);
  sockets[0]?.terminate();
  await expect.poll(() => opened(open())).toBe(101);
});

test('what is not HTTP is answered by a problem that repeats none of it', async () => {
  const door = await openDoor();
  const answer = await new Promise<string>((settle) => {
    const socket = connect(door.api.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.on('close', () => settle(text));
    socket.write('canary-secret nonsense\r\n\r\n');
  });
  expect(statusOf(answer)).toBe(400);
  expect(answer).toContain('application/problem+json');
  expect(answer).not.toContain('canary');
  const long = await door.raw(['GET /healthz HTTP/1.1', `host: ${'x'.repeat(20_000)}`]);
  expect(statusOf(long)).toBe(431);
  expect((await door.get('/healthz')).status).toBe(200);
});

test('a request that never becomes whole ends by its time, and others are answered meanwhile', async () => {
  const door = await openDoor();
  const slow = new Promise<string>((settle) => {
    const socket = connect(door.api.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.on('close', () => settle(text));
    socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ');
  });
  expect((await door.get('/healthz')).status).toBe(200);
  expect(statusOf(await slow)).toBe(408);
});

test('the addresses of one IPv6 network are one client, and an IPv4 address is one in either form', () => {
  expect(clientAddress('2001:db8::1')).toBe(clientAddress('2001:db8::ffff:2'));
  expect(clientAddress('2001:db8::1')).not.toBe(clientAddress('2001:db8:0:1::1'));
  expect(clientAddress('::ffff:10.1.2.3')).toBe(clientAddress('10.1.2.3'));
  expect(clientAddress('10.1.2.3')).not.toBe(clientAddress('10.1.2.4'));
});

test('refusals are reported when they first appear, and then by their count', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const events: ApiRefusal[] = [];
  const refusals = new Refusals((event) => events.push(event));
  const refusal = { reason: 'no-token', route: 'GET /healthz', role: null, token: null } as const;
  for (let index = 0; index < 100; index += 1) refusals.add({ ...refusal, address: 'a' });
  expect(events).toEqual([{ type: 'api-refused', ...refusal, address: 'a', count: 1 }]);
  vi.advanceTimersByTime(limits.refusalWindowMs);
  expect(events.map(({ count }) => count)).toEqual([1, 99]);
  vi.advanceTimersByTime(limits.refusalWindowMs);
  expect(events).toHaveLength(2);
  events.length = 0;
  for (let index = 0; index < 1_000; index += 1) refusals.add({ ...refusal, address: `b${index}` });
  refusals.flush();
  expect(events).toHaveLength(limits.refusalKindsMax + 1);
  expect(events.reduce((sum, { count }) => sum + count, 0)).toBe(1_000);
  expect(events.at(-1)).toMatchObject({ reason: 'other', count: 1_000 - limits.refusalKindsMax });
});
