import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { exitStatus } from '../../src/kernel/errors.ts';
import { sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { draftModelFile } from '../inference/requests.ts';
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
    models: [{ default: true, state: 'closed', memoryBytes: 14_598_592, sequences: 4 }],
  });
});

test('claw generate asks one of them without a server too, and no endpoint with --local-only', async () => {
  const far = await startEndpointServer((response) => sayWhole(response, 'seen'));
  onTestFinished(() => far.close());
  const folder = mkdtempSync(join(tmpdir(), 'claw-models-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'config.yaml');
  writeFileSync(
    config,
    `models:
  - { name: far, baseUrl: "${far.baseUrl}" }
  - { name: quick, file: ${draftModelFile} }
`,
  );
  const words = ['generate', '--prompt', 'Hello!', '--max-tokens', '2', '--config', config];
  const quick = await run([...words, '--ask', 'quick', '--json']);
  expect(JSON.parse(quick.stdout)).toMatchObject({ model: 'quick' });
  const secret = await run([...words, '--ask', 'far', '--local-only']);
  expect(secret.stderr).toContain('PRIVACY_LOCAL_ONLY');
  expect(secret.status).toBe(exitStatus.badInput);
  expect(far.calls).toEqual([]);
  expect((await run([...words, '--ask', 'far'])).stdout).toBe('seen\n');
});

test('claw doctor looks at the models of the configuration, and asks no endpoint', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'claw-models-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'config.yaml');
  const doctor = ['doctor', '--json', '--data', join(folder, 'data'), '--port', '0'];
  const findingFor = async (text: string): Promise<unknown> => {
    writeFileSync(config, text);
    const { stdout } = await run([...doctor, '--config', config]);
    const { findings } = JSON.parse(stdout) as { findings: { check: string }[] };
    return findings.find(({ check }) => check === 'models');
  };
  const quick = `models: [{ name: quick, file: ${draftModelFile} }]\n`;
  expect(await findingFor(quick)).toMatchObject({ status: 'ok' });
  expect(await findingFor(`${quick}modelMemoryMb: 1\n`)).toMatchObject({
    status: 'failed',
    detail: expect.stringContaining('quick'),
  });
  expect(await findingFor('models: [{ name: lost, file: lost.gguf }]\n')).toMatchObject({
    status: 'failed',
    detail: expect.stringContaining('lost'),
  });
  const keyless = 'models: [{ name: far, baseUrl: "http://x.test/v1", apiKeyEnv: NO_KEY }]\n';
  expect(await findingFor(keyless)).toMatchObject({ code: 'CONFIG_INVALID' });
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
