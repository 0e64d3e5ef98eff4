import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { type StreamMessage, streamRun } from '../../src/api/websocket.ts';
import { limits } from '../../src/kernel/limits.ts';
import { InMemoryRuntime } from './in-memory-runtime.ts';

let runtime: InMemoryRuntime;
let api: ApiServer;
let id: string;

beforeEach(async () => {
  runtime = new InMemoryRuntime();
  api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
  id = (await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } })).id;
});

afterEach(async () => {
  await api.close();
});

class Client {
  readonly messages: StreamMessage[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly opened: Promise<void>;
  onMessage: () => void = () => undefined;

  constructor(query: string, { port }: { port: number } = api) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/v1/runs/${id}/events${query}`);
    this.socket.on('message', (bytes) => {
      this.messages.push(JSON.parse(String(bytes)) as StreamMessage);
      this.onMessage();
    });
    this.opened = new Promise((settle, fail) => {
      this.socket.once('open', settle);
      this.socket.once('error', fail);
    });
    this.closed = new Promise((settle) => {
      this.socket.once('close', (code, reason) => settle({ code, reason: String(reason) }));
    });
  }

  sequences(): number[] {
    return this.messages.flatMap((message) =>
      message.type === 'event' ? [message.event.sequence] : [],
    );
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

test('the past, the live events and the end arrive in order, then the socket closes', async () => {
  runtime.append(id, 250);
  const client = new Client('?from=1');
  // New events while the past is still being read, page by page.
  let added = 0;
  client.onMessage = () => {
    if (added < 300) {
      added += 3;
      runtime.append(id, 3);
    } else if (runtime.run(id).status === 'running') {
      runtime.end(id);
    }
  };
  expect(await client.closed).toEqual({ code: 1000, reason: 'the run has ended' });
  expect(client.sequences()).toEqual(range(1, 550));
  expect(client.messages.at(-1)).toEqual({ type: 'end', run: runtime.run(id) });
});

test('a client that comes back with its position misses and repeats nothing', async () => {
  runtime.append(id, 10);
  const first = new Client('');
  await expect.poll(() => first.messages.length).toBe(10);
  first.socket.close();
  await first.closed;
  runtime.append(id, 10);
  const second = new Client('?from=11');
  runtime.append(id, 1);
  runtime.end(id);
  await second.closed;
  expect([...first.sequences(), ...second.sequences()]).toEqual(range(1, 21));
});

test('a run that has ended is streamed whole and closed', async () => {
  runtime.append(id, 3);
  runtime.end(id, 'failed');
  const client = new Client('?from=2');
  expect((await client.closed).code).toBe(1000);
  expect(client.messages.map(({ type }) => type)).toEqual(['event', 'event', 'end']);
});

test('a run that ends before its last events are delivered is not cut short', async () => {
  const client = new Client('');
  await client.opened;
  await expect.poll(() => runtime.subscriptions(id)).toBe(1);
  runtime.end(id, 'succeeded', {}, 2);
  await new Promise(setImmediate);
  runtime.append(id, 2);
  await client.closed;
  expect(client.messages.map(({ type }) => type)).toEqual(['event', 'event', 'end']);
});

test('tokens come only when asked for, and only of this run', async () => {
  const other = (await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } })).id;
  const withTokens = new Client('?tokens=1');
  const without = new Client('');
  await Promise.all([withTokens.opened, without.opened]);
  await expect.poll(() => runtime.subscriptions(id)).toBe(3);
  runtime.token(other, 'no');
  runtime.token(id, 'yes');
  runtime.end(id);
  await Promise.all([withTokens.closed, without.closed]);
  expect(withTokens.messages.map(({ type }) => type)).toEqual(['token', 'end']);
  expect(withTokens.messages[0]).toMatchObject({ text: 'yes', run: id });
  expect(without.messages.map(({ type }) => type)).toEqual(['end']);
});

test('a socket that closes leaves no subscription behind', async () => {
  const client = new Client('?tokens=1');
  await client.opened;
  await expect.poll(() => runtime.subscriptions(id)).toBe(2);
  expect(runtime.waiting(id)).toBe(1);
  client.socket.terminate();
  await expect.poll(() => runtime.subscriptions(id)).toBe(0);
  expect(runtime.waiting(id)).toBe(0);
});

test('a server that stops closes a client that answers, and does not wait for one that never does', async () => {
  const [answering, silent] = [new Client(''), new Client('')];
  await Promise.all([answering.opened, silent.opened]);
  await expect.poll(() => runtime.subscriptions(id)).toBe(2);
  silent.socket.pause();
  await api.close();
  await expect.poll(() => runtime.subscriptions(id)).toBe(0);
  // 1005: a close frame came; 1006 would say that the connection just broke.
  expect((await answering.closed).code).toBe(1005);
  silent.socket.resume();
  await silent.closed;
});

test('a client too slow for the live events is closed with 1013 and may come back', async () => {
  const client = new Client('');
  await client.opened;
  await expect.poll(() => runtime.subscriptions(id)).toBe(1);
  client.socket.pause();
  const text = 'x'.repeat(1_024 * 1_024);
  // Appended in one turn: nothing can leave the process in between.
  runtime.append(id, limits.socketBufferBytesMax / text.length + 30, text);
  expect(runtime.subscriptions(id)).toBe(0);
  client.socket.resume();
  const { code, reason } = await client.closed;
  const next = Number(/from=(\d+)/.exec(reason)?.[1]);
  expect(code).toBe(1013);
  expect(client.sequences()).toEqual(range(1, next - 1));
  expect(next).toBeLessThan(runtime.run(id).events);
});

test('a long past is paced by the client instead of being buffered or cut', async () => {
  const text = 'x'.repeat(64 * 1_024);
  runtime.append(id, 300, text);
  runtime.end(id);
  const client = new Client('');
  expect((await client.closed).code).toBe(1000);
  expect(client.sequences()).toEqual(range(1, 300));
});

test('while a client does not read, little of a long past is taken into memory', async () => {
  const text = 'x'.repeat(1_024 * 1_024);
  runtime.append(id, 40, text);
  runtime.end(id);
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  let unsentMost = 0;
  server.once('connection', (socket) => {
    const send = socket.send.bind(socket) as (text: string, done: () => void) => void;
    socket.send = ((message: string, done: () => void) => {
      send(message, done);
      unsentMost = Math.max(unsentMost, socket.bufferedAmount);
    }) as typeof socket.send;
    streamRun(socket, runtime, { id, from: 1, tokens: false });
  });
  const client = new Client('', server.address() as AddressInfo);
  await client.opened;
  client.socket.pause();
  await expect.poll(() => unsentMost).toBeGreaterThan(text.length);
  client.socket.resume();
  expect((await client.closed).code).toBe(1000);
  expect(client.sequences()).toEqual(range(1, 40));
  // What may be unsent before a message, and the message.
  expect(unsentMost).toBeLessThan(1_024 * 1_024 + text.length + 1_024);
});

test.each([
  ['an unknown run', '/v1/runs/00000000-0000-7000-8000-000000000000/events', {}, 404],
  ['a bad position', '/events?from=zero', {}, 400],
  ['a page of another site', '/events', { origin: 'http://evil.example' }, 403],
])('%s is refused before the upgrade', async (_name, path, headers, status) => {
  const full = path.startsWith('/v1') ? path : `/v1/runs/${id}${path}`;
  const socket = new WebSocket(`ws://127.0.0.1:${api.port}${full}`, { headers });
  const refused = new Promise<number>((settle, fail) => {
    socket.once('unexpected-response', (_request, response) => settle(response.statusCode ?? 0));
    socket.once('open', () => fail(new Error('the upgrade was accepted')));
  });
  socket.on('error', () => undefined);
  expect(await refused).toBe(status);
  socket.terminate();
});
