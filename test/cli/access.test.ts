import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startApi } from '../../src/api/server.ts';
import { AccessFile } from '../../src/identity/access-file.ts';
import { oneObject } from './claw-process.ts';
import { LocalRuntime, run, start } from './harness.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'claw-access-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Made {
  readonly name: string;
  readonly token: string;
  readonly roles: readonly string[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

async function add(data: string, ...words: string[]): Promise<Made> {
  const ended = await run(['access', 'add', ...words, '--data', data, '--json']);
  expect(ended.status).toBe(0);
  return oneObject(ended.stdout) as Made;
}

test('a token is made, shown once, listed without it, and removed', async () => {
  const data = join(newFolder(), 'new', 'data');
  const made = await add(data, 'me', '--role', 'viewer', '--role', 'operator', '--expires', '30d');
  expect(made.roles).toEqual(['viewer', 'operator']);
  expect((made.expiresAt ?? 0) - made.createdAt).toBe(30 * 86_400_000);
  expect(new AccessFile(data).judge(made.token, made.createdAt)).toMatchObject({ name: 'me' });
  const plain = await run(['access', 'add', 'you', '--role', 'approver', '--data', data]);
  expect(plain.stdout).toMatch(/^oc_[\w-]{48}\n$/);
  expect(plain.stderr).toContain('not shown again');
  const listed = await run(['access', 'list', '--data', data, '--json']);
  expect(oneObject(listed.stdout)).toMatchObject({
    tokens: [
      { name: 'me', roles: ['viewer', 'operator'], expired: false },
      { name: 'you', roles: ['approver'], expiresAt: null },
    ],
  });
  const shown = await run(['access', 'list', '--data', data]);
  expect(shown.stdout).toMatch(
    /^NAME +ROLES[\s\S]*\nme +viewer,operator[\s\S]*\nyou +approver.* never\n$/,
  );
  for (const text of [listed.stdout, shown.stdout]) {
    expect(text).not.toContain('oc_');
    expect(text).not.toContain('digest');
  }
  expect((await run(['access', 'rm', 'me', '--data', data])).status).toBe(0);
  expect(new AccessFile(data).judge(made.token, 0)).toEqual({ status: 'unknown' });
});

test.each([
  [['add', 'me'], 'USAGE'],
  [['add', 'me', '--role', 'root'], 'USAGE'],
  [['add', 'me', '--role', 'viewer', '--expires', '30'], 'USAGE'],
  [['add', 'me', '--role', 'viewer', '--expires', '0d'], 'USAGE'],
  [['add', 'me', '--role', 'viewer', '--expires', '3651d'], 'USAGE'],
  [['add', '../me', '--role', 'viewer'], 'ACCESS_NAME_INVALID'],
  [['rm', 'me'], 'ACCESS_NOT_FOUND'],
])('claw access %j is refused as %s', async (words, code) => {
  const data = join(newFolder(), 'data');
  const ended = await run(['access', ...words, '--data', data, '--json']);
  expect(ended.status).toBe(2);
  expect(oneObject(ended.stdout)).toMatchObject({ error: { code } });
  expect((await run(['access', 'list', '--data', data])).stdout).toContain('no access token');
});

test('a folder that is no data directory is left alone', async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'mine.txt'), 'x');
  const ended = await run(['access', 'add', 'me', '--role', 'viewer', '--data', folder, '--json']);
  expect(oneObject(ended.stdout)).toMatchObject({ error: { code: 'DATA_DIRECTORY_UNUSABLE' } });
});

test('claw shows its token: from a flag before the variable, and that before the file', async () => {
  const data = join(newFolder(), 'data');
  const good = (await add(data, 'me', '--role', 'viewer')).token;
  const runtime = new LocalRuntime();
  runtime.script = () => undefined;
  const { id } = await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
  const api = await startApi({
    runtime,
    host: '127.0.0.1',
    port: 0,
    tokens: new AccessFile(data),
    api: { requireToken: true },
  });
  onTestFinished(() => api.close());
  const file = (name: string, text: string): string => {
    writeFileSync(join(data, name), text);
    return join(data, name);
  };
  const [goodFile, badFile] = [file('good', `${good}\n`), file('bad', 'wrong')];
  const config = file('config.yaml', 'api: { tokenFile: good }');
  const badConfig = file('bad.yaml', 'api: { tokenFile: bad }');
  const models = async (words: string[], variable?: string) => {
    const environment = variable === undefined ? {} : { OPENCLAW_TOKEN: variable };
    const owner = { pid: 1, port: api.port };
    return run(['models', '--json', '--data', data, ...words], { owner, environment });
  };
  const unauthenticated = { error: { code: 'UNAUTHENTICATED' } };
  expect(oneObject((await models([])).stdout)).toMatchObject(unauthenticated);
  expect(oneObject((await models([], 'wrong')).stdout)).toMatchObject(unauthenticated);
  for (const [words, variable] of [
    [['--token-file', goodFile], undefined],
    [[], good],
    [['--config', config], undefined],
    [['--token-file', goodFile, '--config', badConfig], 'wrong'],
    [['--config', badConfig], good],
  ] as const) {
    expect((await models([...words], variable)).status).toBe(0);
  }
  expect((await models(['--token-file', badFile], good)).status).not.toBe(0);
  const odd = [join(data, 'none'), file('empty', ''), file('two', `${good} ${good}`), '/dev/zero'];
  for (const path of odd) {
    const ended = await models(['--token-file', path]);
    expect(oneObject(ended.stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
    expect(ended.stderr).not.toContain(good);
  }
  // What a viewer may not do, claw says in the words of the server.
  const cancelled = await run(['cancel', id, '--json', '--data', data], {
    owner: { pid: 1, port: api.port },
    environment: { OPENCLAW_TOKEN: good },
  });
  expect(oneObject(cancelled.stdout)).toMatchObject({ error: { code: 'ROLE_INSUFFICIENT' } });
  expect(runtime.run(id).status).toBe('running');
});

test.each([
  ['api: { host: 0.0.0.0 }', 'API_EXPOSED'],
  ['api: { host: 0.0.0.0, insecure: true }', 'API_EXPOSED'],
  ['api: { tls: { cert: none.pem, key: none.pem } }', 'TLS_INVALID'],
  ['api: { host: "http://x" }', 'CONFIG_INVALID'],
  ['api: { allowedHosts: ["*.example"] }', 'CONFIG_INVALID'],
  ['api: { allowedHosts: ["claw.example:80"] }', 'CONFIG_INVALID'],
  ['api: { token: oc_x }', 'CONFIG_INVALID'],
  ['api: { rate: { requestsPerMinute: 0 } }', 'CONFIG_INVALID'],
])('claw up with %s is refused before anything starts', async (text, code) => {
  const folder = newFolder();
  writeFileSync(join(folder, 'config.yaml'), text);
  const runtime = new LocalRuntime();
  const words = ['up', '--json', '--data', join(folder, 'data'), '--port', '0'];
  const ended = await run([...words, '--config', join(folder, 'config.yaml')], { runtime });
  expect(oneObject(ended.stdout)).toMatchObject({ error: { code } });
  expect(ended.stderr).not.toContain('Starting');
  expect(runtime.announcedPort).toBeNull();
});

test('claw up opens the door that the settings describe, and tells of refusals', async () => {
  const folder = newFolder();
  const data = join(folder, 'data');
  const { token } = await add(data, 'me', '--role', 'viewer');
  const config = join(folder, 'config.yaml');
  writeFileSync(config, 'api: { requireToken: true, allowedHosts: [claw.example] }');
  const runtime = new LocalRuntime();
  const up = start(['up', '--json', '--data', data, '--port', '0', '--config', config], {
    runtime,
  });
  await expect.poll(up.stdout).toContain('"url"');
  const { url } = JSON.parse(up.stdout()) as { url: string };
  const ask = async (path: string, given?: string, method = 'GET') => {
    const headers = given === undefined ? {} : { authorization: `Bearer ${given}` };
    return (await fetch(`${url}${path}`, { headers, method })).status;
  };
  expect(await ask('/healthz')).toBe(401);
  expect(await ask('/healthz', token)).toBe(200);
  expect(await ask('/v1/runs/x/cancel', token, 'POST')).toBe(403);
  const later = await add(data, 'later', '--role', 'operator');
  expect(await ask('/v1/runs/x/cancel', later.token, 'POST')).toBe(404);
  await run(['access', 'rm', 'later', '--data', data]);
  expect(await ask('/v1/runs/x/cancel', later.token, 'POST')).toBe(401);
  up.signal();
  const { status, stderr } = await up.ended;
  expect(status).toBe(0);
  expect(stderr).toContain('The API refused 127.0.0.1: no-token, GET /healthz.');
  expect(stderr).toContain(
    '127.0.0.1 with the token me: role-insufficient, POST /v1/runs/:id/cancel, which takes the role operator.',
  );
  expect(stderr).not.toContain(token);
  expect(readFileSync(join(data, 'access.json'), 'utf8')).not.toContain(token);
});
