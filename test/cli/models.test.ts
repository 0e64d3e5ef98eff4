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
  expect(header).toMatch(/^MODEL +BACKEND +TIER +STATE +DEVICE +MEMORY +CONTEXT/);
  expect(line).toMatch(
    /^in-memory \(default\) +llama\.cpp +small +idle +cpu +5 MiB +2048 +1 +0 +123 +abab/,
  );
  const { stdout: json } = await run(['models', '--json'], { owner });
  expect(JSON.parse(json)).toMatchObject({ models: [{ name: 'in-memory' }] });
});

test('claw models tells what a model that is loaded takes and holds', async () => {
  const before = runtime.modelStatuses;
  onTestFinished(() => {
    runtime.modelStatuses = before;
  });
  const [status] = before;
  if (status === undefined) throw new Error('there is a model');
  const usage = {
    sequences: 4,
    active: 1,
    parked: 2,
    tokensRead: 900,
    tokensHeld: 700,
    offloaded: 0,
    restored: 0,
    files: { files: 3, bytes: 2 ** 21, refused: 0 },
    speculation: {
      kind: 'off',
      on: false,
      guessed: 0,
      confirmed: 0,
      perSecond: { plain: null, guessing: null },
    },
    window: { tokens: 1_024, tokensMax: 2_048, growths: 2 },
    memory: { weights: 4 * 2 ** 20, contexts: 2 ** 23, vram: 5 * 2 ** 20 },
  } as const;
  runtime.modelStatuses = [{ ...status, usage }];
  const { stdout } = await run(['models'], { owner });
  const [, line, inUse] = stdout.split('\n');
  expect(line).toContain(' 1024 of 2048 ');
  expect(inUse).toBe(
    'in-memory: 4 MiB of weights, 8 MiB of contexts, 5 MiB of GPU memory, 2 MiB in 3 files; 1 of 4 sequences active, 2 parked; 900 prompt tokens read, 700 held',
  );
});

test('claw generate shows images and recordings to an endpoint, and refuses what is neither', async () => {
  const far = await startEndpointServer((response) => sayWhole(response, 'a dot'));
  onTestFinished(() => far.close());
  const folder = mkdtempSync(join(tmpdir(), 'claw-models-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'config.yaml');
  writeFileSync(config, `models:\n  - { name: far, baseUrl: "${far.baseUrl}" }\n`);
  const file = (name: string, bytes: string) => {
    writeFileSync(join(folder, name), bytes, 'latin1');
    return join(folder, name);
  };
  const png = file('dot', '\x89PNG\r\n\x1a\nrest');
  const wav = file('dot.bin', 'RIFF\0\0\0\0WAVEfmt ');
  const ask = (...attached: string[]) => {
    const named = attached.flatMap((path) => ['--attach', path]);
    return run(['generate', '--config', config, '--prompt', 'What?', '--ask', 'far', ...named]);
  };
  const { status, stdout } = await ask(png, wav);
  expect([status, stdout.trim()]).toEqual([exitStatus.ok, 'a dot']);
  const encoded = (bytes: string) => Buffer.from(bytes, 'latin1').toString('base64');
  expect(far.calls.at(-1)?.body.messages[0]?.content).toEqual([
    { type: 'text', text: 'What?' },
    {
      type: 'image_url',
      image_url: { url: `data:image/png;base64,${encoded('\x89PNG\r\n\x1a\nrest')}` },
    },
    {
      type: 'input_audio',
      input_audio: { data: encoded('RIFF\0\0\0\0WAVEfmt '), format: 'wav' },
    },
  ]);
  for (const [path, word] of [
    [file('text', 'PNG'), 'neither PNG'],
    [file('large', `\x89PNG\r\n\x1a\n${' '.repeat(800_000)}`), 'larger than 768 KiB'],
    [folder, 'not a regular file'],
    [join(folder, 'absent'), 'cannot be read'],
  ] as const) {
    const refused = await ask(path);
    expect(refused.status).toBe(exitStatus.badInput);
    expect(refused.stderr).toContain(word);
  }
  const own = ['generate', '--config', config, '--prompt', 'What?', '--attach', png];
  expect((await run(own)).stderr).toContain('CONTENT_UNSUPPORTED');
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
