import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ErrorAnswers } from '../../src/api/problem.ts';
import { requireRights, routeRights } from '../../src/api/route-rights.ts';
import { addRoutes } from '../../src/api/routes.ts';
import { type AccessRole, accessRoles } from '../../src/identity/access-rights.ts';
import { mintAccessToken } from '../../src/identity/access-token.ts';
import { openDoor, problemOf } from './door-harness.ts';
import { InMemoryRuntime } from './in-memory-runtime.ts';

const strict = { api: { requireToken: true } };
const validRun = { pipeline: 'p.yaml', input: { folder: 'in' } };

/** What a WebSocket comes to: 101, or the status of the answer instead of one. */
function upgrade(url: string, protocols: string[], headers = {}): Promise<[number, WebSocket]> {
  const socket = new WebSocket(url.replace('http', 'ws'), protocols, { headers });
  socket.on('error', () => undefined);
  return new Promise((settle) => {
    socket.on('open', () => settle([101, socket]));
    socket.on('unexpected-response', (_, answer) => {
      answer.resume();
      settle([answer.statusCode ?? 0, socket]);
    });
  });
}

test('on loopback a program needs no token, unless the settings say so', async () => {
  const open = await openDoor();
  expect((await open.post('/v1/runs', validRun)).status).toBe(201);
  const closed = await openDoor(strict);
  for (const path of ['/v1/runs', '/healthz', '/nothing']) {
    const response = await closed.get(path);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect((await problemOf(response)).slice(0, 2)).toEqual([401, 'UNAUTHENTICATED']);
  }
  expect((await closed.post('/v1/runs', validRun)).status).toBe(401);
  expect(closed.runtime.started).toEqual([]);
});

test('a good token opens; a mistyped, foreign, removed or expired one does not, needed or not', async () => {
  for (const options of [strict, {}]) {
    const door = await openDoor(options);
    const token = await door.add('me', ['viewer'], 5_000);
    expect((await door.get('/v1/runs', token)).status).toBe(200);
    const mistyped = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
    const wrong = [mistyped, token.slice(0, -1), `${token}A`, 'x', mintAccessToken()];
    for (const each of wrong) {
      const response = await door.get('/v1/runs', each);
      expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
      expect((await problemOf(response)).slice(0, 2)).toEqual([401, 'UNAUTHENTICATED']);
    }
    door.clock.advance(4_999);
    expect((await door.get('/v1/runs', token)).status).toBe(200);
    door.clock.advance(1);
    expect((await problemOf(await door.get('/v1/runs', token)))[2]).toContain('expired');
    const second = await door.add('again', ['viewer']);
    expect((await door.get('/v1/runs', second)).status).toBe(200);
    await door.remove('again');
    expect((await door.get('/v1/runs', second)).status).toBe(401);
  }
});

test.each(['Basic bWU6c2VjcmV0', 'Bearer', 'Bearer ', 'Token x', 'Bearer a b'])(
  'the Authorization header %j is no token, and does not count as none',
  async (authorization) => {
    const door = await openDoor();
    expect((await door.get('/v1/runs', undefined, { authorization })).status).toBe(401);
  },
);

test('a list of tokens that cannot be trusted opens for none, and says so without its place', async () => {
  const door = await openDoor(strict);
  const token = await door.add('me', ['viewer']);
  writeFileSync(join(door.folder, 'access.json'), '{"version":1,"tokens":[{}]}');
  const response = await door.get('/v1/runs', token);
  const [status, code, detail] = await problemOf(response);
  expect([status, code]).toEqual([503, 'ACCESS_FILE_UNUSABLE']);
  expect(detail).toContain('DATA/access.json');
  expect(detail).not.toContain(door.folder);
  expect(door.refusals).toMatchObject([{ reason: 'access-file-unusable' }]);
});

test('every route has its right in the table, and the table has no other', async () => {
  const app = fastify({ exposeHeadRoutes: false });
  const found: string[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) found.push(`${each} ${url}`);
  });
  addRoutes(app, new InMemoryRuntime(), new ErrorAnswers(null, () => undefined));
  await app.ready();
  expect(found.sort()).toEqual([...routeRights.keys()].sort());
  const careless = fastify({ exposeHeadRoutes: false });
  requireRights(careless);
  expect(() => careless.get('/v1/careless', async () => null)).toThrow('has no right');
  expect(() => careless.post('/healthz', async () => null)).toThrow('has no right');
});

const rights: Record<AccessRole, string[]> = {
  viewer: ['read'],
  operator: ['read', 'operate'],
  approver: ['read', 'approve'],
};

test.each(accessRoles)(
  'each route opens for a token of the role %s as its right says',
  async (role) => {
    const door = await openDoor(strict);
    const token = await door.add('me', [role]);
    for (const [route, right] of routeRights) {
      const [method = '', pattern = ''] = route.split(' ');
      const url = `${door.api.url}${pattern.replace(/:\w+/g, 'abc')}`;
      const response = await fetch(url, { method, headers: { authorization: `Bearer ${token}` } });
      const isOpen = response.status !== 403;
      expect([route, isOpen]).toEqual([route, rights[role].includes(right)]);
      expect(response.status).not.toBe(401);
      if (isOpen) await response.arrayBuffer();
      else {
        const [, code, detail] = await problemOf(response);
        expect(code).toBe('ROLE_INSUFFICIENT');
        expect(detail).toMatch(/operator|approver/);
      }
    }
  },
);

test('the roles of one token add up; an address that is not there says so to whoever is known', async () => {
  const door = await openDoor(strict);
  const token = await door.add('both', ['approver', 'operator']);
  expect((await door.post('/v1/runs', validRun, token)).status).toBe(201);
  expect((await door.get('/nothing', token)).status).toBe(404);
});

test('a token in an address is refused, and no answer repeats it', async () => {
  const door = await openDoor(strict);
  const token = await door.add('me', ['operator']);
  const encoded = token.replace('oc_', 'o%63_');
  for (const path of [
    `/v1/runs?token=${token}`,
    `/v1/runs?x=${encoded}`,
    `/v1/runs/${token}`,
    `/${token}`,
    '/v1/runs?access_token=abc',
  ]) {
    const response = await door.get(path, token);
    const [status, , detail] = await problemOf(response);
    expect([path, status]).toEqual([path, 400]);
    expect(detail).not.toContain(token);
    expect(detail).toContain('does not belong in an address');
  }
  expect(door.refusals[0]).toMatchObject({ reason: 'malformed' });
});

test('a WebSocket brings its token in the header, or as a subprotocol that is not repeated', async () => {
  const door = await openDoor(strict);
  const { id } = await door.runtime.startRun(validRun);
  const url = `${door.api.url}/v1/runs/${id}/events`;
  const token = await door.add('me', ['viewer']);
  const bearer = `openclaw.bearer.${token}`;
  const header = { authorization: `Bearer ${token}` };
  const tries: [string[], object, number][] = [
    [[], {}, 401],
    [[], header, 101],
    [['openclaw.v1', bearer], {}, 101],
    [[bearer, 'openclaw.v1'], {}, 101],
    [[bearer], {}, 400],
    [['openclaw.v1', bearer, 'openclaw.bearer.x'], {}, 400],
    [['openclaw.v1', bearer], header, 400],
    [['openclaw.v1', `openclaw.bearer.${mintAccessToken()}`], {}, 401],
  ];
  for (const [protocols, headers, status] of tries) {
    const [answered, socket] = await upgrade(url, protocols, headers);
    expect([protocols.length, answered]).toEqual([protocols.length, status]);
    if (answered === 101) expect(['', 'openclaw.v1']).toContain(socket.protocol);
    socket.terminate();
  }
  const [inAddress, socket] = await upgrade(`${url}?token=${token}`, []);
  socket.terminate();
  expect(inAddress).toBe(400);
});

test.each(['removed', 'expired'])('a WebSocket ends once its token is %s', async (how) => {
  const door = await openDoor(strict);
  const { id } = await door.runtime.startRun(validRun);
  const token = await door.add('me', ['viewer'], 60_000);
  const other = await door.add('other', ['viewer']);
  const url = `${door.api.url}/v1/runs/${id}/events`;
  const [, socket] = await upgrade(url, [], { authorization: `Bearer ${token}` });
  const [, stays] = await upgrade(url, [], { authorization: `Bearer ${other}` });
  const closed = new Promise((settle) => socket.once('close', settle));
  if (how === 'removed') await door.remove('me');
  else door.clock.advance(60_000);
  expect(await closed).toBe(1008);
  expect(stays.readyState).toBe(stays.OPEN);
  stays.terminate();
});

test('every answer keeps browsers from using it, whatever its status', async () => {
  const door = await openDoor();
  const { id } = await door.runtime.startRun(validRun);
  const answers = [
    await door.get('/healthz'),
    await door.get(`/v1/runs/${id}`),
    await door.get('/nothing'),
    await door.get('/v1/runs', 'wrong'),
    await door.get('/%zz'),
    await door.post('/v1/runs', 4),
    await door.post('/v1/generate', { prompt: 'Hi', stream: true }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 401, 400, 400, 200]);
  for (const { headers, status } of answers) {
    const shown = Object.fromEntries(headers);
    expect(shown, String(status)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    expect(Object.keys(shown).filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
});
