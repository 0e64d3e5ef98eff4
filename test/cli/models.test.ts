import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { exitStatus } from '../../src/kernel/errors.ts';
import { LocalRuntime, run } from './harness.ts';

let runtime: LocalRuntime;
let api: ApiServer;
let owner: { pid: number; port: number };

beforeEach(async () => {
  runtime = new LocalRuntime();
  api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
  owner = { pid: 1, port: api.port };
});

afterEach(async () => {
  await api.close();
});

test('GET /v1/models answers in the shape of other servers', async () => {
  const response = await fetch(`${api.url}/v1/models`);
  expect(await response.json()).toMatchObject({
    object: 'list',
    data: [{ id: 'in-memory', object: 'model', name: 'in-memory', state: 'idle' }],
  });
});

test('claw models lists those of the server, with hash, memory and speed', async () => {
  const { status, stdout } = await run(['models'], { owner });
  expect(status).toBe(exitStatus.ok);
  const [header, line] = stdout.split('\n');
  expect(header).toMatch(/^MODEL +BACKEND +TIER +STATE +MEMORY/);
  expect(line).toMatch(/^in-memory \(default\) +llama\.cpp +small +idle +5 MiB +1 +0 +123 +abab/);
  const { stdout: json } = await run(['models', '--json'], { owner });
  expect(JSON.parse(json)).toMatchObject({ models: [{ name: 'in-memory' }] });
});

test('claw models without a server lists those of the configuration, and loads none', async () => {
  const { status, stdout } = await run(['models', '--json']);
  expect(status).toBe(exitStatus.ok);
  expect(JSON.parse(stdout)).toMatchObject({
    models: [{ default: true, state: 'closed', memoryBytes: 6_734_272, sequences: 1 }],
  });
});

test('claw models reload names the model in its body and needs a server', async () => {
  expect((await run(['models', 'reload', 'in-memory'], { owner })).status).toBe(exitStatus.ok);
  expect(runtime.reloadedModels).toEqual(['in-memory']);
  const unknown = await run(['models', 'reload', 'x/y'], { owner });
  expect(unknown.stderr).toContain('MODEL_UNKNOWN');
  expect(unknown.status).toBe(exitStatus.badInput);
  const alone = await run(['models', 'reload', 'x', '--data', '/nowhere/else']);
  expect(alone.stderr).toContain('SERVER_NOT_RUNNING');
  expect(alone.stderr).toContain('/nowhere/else');
});
