import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openDoor, statusOf } from './door-harness.ts';

const validRun = { pipeline: 'p.yaml', input: { folder: 'in' } };

test.each([
  'evil.example',
  'evil.example:7420',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  'localhost.',
  'localhost:',
  'localhost:0',
  'localhost:99999',
  'localhost:7420@evil.example',
  'evil.example@localhost',
  '127.0.0.1#evil',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '0.0.0.0',
  '[::]',
  '[::1',
  '::1',
  '[::ffff:127.0.0.1]',
  '[::1%25lo]',
  'localhost, evil.example',
  ' ',
  '*',
])('the Host %j is no name of the API', async (host) => {
  const { raw, refusals } = await openDoor();
  expect(statusOf(await raw(['GET /healthz HTTP/1.1', `host: ${host}`]))).toBe(403);
  expect(refusals).toMatchObject([{ reason: 'foreign-page-or-host', route: 'GET /healthz' }]);
});

test.each([
  '127.0.0.1',
  'LocalHost:1',
  '[::1]:65535',
  '[0:0:0:0:0:0:0:1]',
  'claw.example',
  'CLAW.example:443',
  '[fd00::5]',
  '[FD00:0::0005]:80',
])('the Host %j is', async (host) => {
  const { raw } = await openDoor({ api: { allowedHosts: ['Claw.Example', 'fd00:0:0::5'] } });
  expect(statusOf(await raw(['GET /healthz HTTP/1.1', `host: ${host}`]))).toBe(200);
});

test('a request without a Host, or with an absolute address, is refused', async () => {
  const { raw } = await openDoor();
  expect(statusOf(await raw(['GET /healthz HTTP/1.0']))).toBe(403);
  expect(statusOf(await raw(['GET /healthz HTTP/1.1']))).toBe(400);
  for (const target of ['http://evil.example/healthz', 'http://localhost/healthz', '*']) {
    const answer = await raw([`GET ${target} HTTP/1.1`, 'host: localhost']);
    expect([target, statusOf(answer)]).toEqual([target, 400]);
  }
});

test.each([
  ['host', 'localhost'],
  ['Origin', 'http://localhost'],
  ['Authorization', 'Bearer x'],
  ['Sec-Fetch-Site', 'none'],
])('a second header %s is refused, whichever of them would count', async (name, value) => {
  const { raw } = await openDoor();
  const second = `${name.toUpperCase()}: ${value}`;
  const host = name === 'host' ? [] : ['host: localhost'];
  const answer = await raw(['GET /healthz HTTP/1.1', ...host, `${name}: ${value}`, second]);
  expect(statusOf(answer)).toBe(400);
  expect(answer).toContain('REQUEST_INVALID');
});

test.each([
  ['http://evil.example', 403],
  ['null', 403],
  ['https://localhost', 403],
  ['http://localhost:3000', 403],
  ['http://localhost', 200],
])(
  'a read with the Origin %s is answered %i, and never with a header of CORS',
  async (origin, status) => {
    const { raw } = await openDoor();
    const answer = await raw(['GET /v1/runs HTTP/1.1', 'host: localhost', `origin: ${origin}`]);
    expect(statusOf(answer)).toBe(status);
    expect(answer.toLowerCase()).not.toContain('access-control');
  },
);

test('a preflight is refused', async () => {
  const { raw } = await openDoor();
  const answer = await raw([
    'OPTIONS /v1/runs HTTP/1.1',
    'host: localhost',
    'origin: http://evil.example',
    'access-control-request-method: POST',
  ]);
  expect(statusOf(answer)).toBe(403);
  expect(answer.toLowerCase()).not.toContain('access-control-allow');
});

test.each([
  ['cross-site', 403],
  ['same-site', 403],
  ['anything', 403],
  ['same-origin', 200],
  ['none', 200],
])('a browser that says Sec-Fetch-Site: %s is answered %i', async (site, status) => {
  const { raw } = await openDoor();
  const answer = await raw(['GET /v1/runs HTTP/1.1', 'host: localhost', `sec-fetch-site: ${site}`]);
  expect(statusOf(answer)).toBe(status);
});

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  '',
])('a body of the type %j, which a page may send unasked, starts nothing', async (type) => {
  const { raw, runtime } = await openDoor();
  const body = JSON.stringify(validRun);
  const answer = await raw(
    [
      'POST /v1/runs HTTP/1.1',
      'host: localhost',
      ...(type === '' ? [] : [`content-type: ${type}`]),
      `content-length: ${body.length}`,
    ],
    body,
  );
  expect(statusOf(answer)).toBe(415);
  expect(runtime.started).toEqual([]);
});

test('a forwarded address or host is not believed', async () => {
  const { raw, refusals } = await openDoor();
  const forwarded = ['x-forwarded-for: 10.9.8.7', 'x-forwarded-host: localhost'];
  const answer = await raw(['GET /healthz HTTP/1.1', 'host: evil.example', ...forwarded]);
  expect(statusOf(answer)).toBe(403);
  expect(refusals).toMatchObject([{ address: '127.0.0.1' }]);
});

test.each([
  [{}, 101],
  [{ origin: 'http://evil.example' }, 403],
  [{ origin: 'null' }, 403],
  [{ host: 'evil.example' }, 403],
  [{ 'sec-fetch-site': 'cross-site' }, 403],
])('an upgrade with %j is answered %i', async (headers, status) => {
  const { api, runtime } = await openDoor();
  const { id } = await runtime.startRun(validRun);
  const socket = new WebSocket(`ws://127.0.0.1:${api.port}/v1/runs/${id}/events`, { headers });
  const answered = await new Promise((settle) => {
    socket.on('open', () => settle(101));
    socket.on('unexpected-response', (_, { statusCode }) => settle(statusCode));
    socket.on('error', () => undefined);
  });
  socket.terminate();
  expect(answered).toBe(status);
});
