import { expect, test } from 'vitest';
import { mintAccessToken } from '../../src/identity/access-token.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { openDoor } from './door-harness.ts';

/** One of each kind of route that hands an error of the runtime on. */
const routes: [string, string, unknown][] = [
  ['POST', '/v1/runs', { pipeline: 'p', input: { folder: 'f' } }],
  ['POST', '/v1/generate', { prompt: 'Hi' }],
  ['POST', '/v1/generate', { prompt: 'Hi', stream: true }],
  ['POST', '/v1/backup', { folder: 'x' }],
  ['POST', '/v1/journal/compact', { before: { sequence: 1 } }],
];

async function answerOf(
  door: Awaited<ReturnType<typeof openDoor>>,
  [method, path, body]: (typeof routes)[number],
) {
  const response = await fetch(`${door.api.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.text();
}

test.each(routes)('%s %s %j shows no secret of an error of the runtime', async (...route) => {
  const door = await openDoor();
  const token = mintAccessToken();
  const message = `The file ${door.folder}/journal/1 and ${token} do not do, twice: ${door.folder}.`;
  door.runtime.failure = new RuntimeError('JOURNAL_FAILED', message);
  const text = await answerOf(door, route);
  expect(text).toContain('The file DATA/journal/1 and oc_… do not do, twice: DATA.');
  expect(text).toContain('JOURNAL_FAILED');
  expect(text).not.toContain(door.folder);
  expect(text).not.toContain(token);
});

test.each(routes)(
  '%s %s %j shows nothing of a fault inside, which is reported',
  async (...route) => {
    const door = await openDoor();
    for (const failure of [
      new Error('canary in a plain error'),
      new TypeError('canary in a fault of the program'),
      new RuntimeError('INTERNAL', 'canary from another thread'),
      Object.assign(new Error('canary of a library'), { statusCode: 500 }),
    ]) {
      door.runtime.failure = failure;
      const text = await answerOf(door, route);
      expect(text).toContain('INTERNAL');
      expect(text).not.toMatch(/canary|\.ts|at /);
      expect(door.faults.at(-1)).toBe(failure);
    }
  },
);

test('what the framework says of a request does not quote it', async () => {
  const door = await openDoor();
  const send = async (path: string, type: string, body: string): Promise<string> => {
    const headers = { 'content-type': type, 'x-canary': 'canary', cookie: 'canary=1' };
    return (await fetch(`${door.api.url}${path}`, { method: 'POST', headers, body })).text();
  };
  const answers = [
    await send('/v1/runs', 'application/json', '{"canary": canary}'),
    await send('/v1/runs', 'application/json', 'canary'),
    await send('/v1/runs', 'application/json', '{"__proto__": {"canary": 1}}'),
    await send('/v1/runs', 'text/canary', 'canary'),
    await send('/v1/runs', 'canary', 'canary'),
    await send('/%canary', 'application/json', '{}'),
    await send('/v1/runs', 'application/json', '{"pipeline": "canary", "input": 5}'),
    await send('/v1/generate', 'application/json', '{"prompt": "canary", "seed": "canary"}'),
    await send('/v1/sandbox', 'application/json', '{"source": "canary", "memoryMb": "canary"}'),
  ];
  for (const answer of answers) {
    expect(answer).toContain('REQUEST_INVALID');
    expect(answer).not.toContain('canary');
  }
});

test('the token that a request brings is in no answer, refused or not', async () => {
  const door = await openDoor({ api: { requireToken: true } });
  const good = await door.add('me', ['viewer']);
  const wrong = mintAccessToken();
  for (const token of [good, wrong, `${good}x`]) {
    for (const path of ['/healthz', '/nothing', '/v1/runs/x']) {
      const response = await door.get(path, token);
      const text = `${JSON.stringify([...response.headers])} ${await response.text()}`;
      expect(text).not.toContain(token);
    }
    const text = await (await door.post('/v1/runs', {}, token)).text();
    expect(text).not.toContain(token);
  }
  expect(JSON.stringify(door.refusals)).not.toContain('oc_');
  expect(door.refusals.map(({ reason }) => reason)).toContain('role-insufficient');
});
