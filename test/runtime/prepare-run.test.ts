import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ModelInfo } from '../../src/inference/model-port.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { CpuPool } from '../../src/runtime/pool/client.ts';
import { type PrepareContext, prepareRun, rootStart } from '../../src/runtime/prepare-run.ts';
import type { StartRunRequest } from '../../src/runtime/views.ts';

const pool = new CpuPool({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), 'openclaw-prepare-'));
const dataDirectory = join(folder, 'data');
const [input, workspace] = [join(folder, 'input'), join(folder, 'workspace')];
mkdirSync(input);
mkdirSync(join(workspace, 'inside'), { recursive: true });
writeFileSync(join(workspace, 'b.csv'), 'x,1');
writeFileSync(join(workspace, 'a.txt'), 'hello');
writeFileSync(join(input, 'two.txt'), 'same words');
writeFileSync(join(input, 'one.txt'), 'same words');

afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

const pipeline = {
  name: 'demo',
  input: { workspace: './workspace' },
  agents: { echo: { prompt: '{{document.text}}' }, sum: { prompt: '{{items}}' } },
  steps: [
    { id: 'a', agent: 'echo', map: 'documents' },
    { id: 'b', agent: 'echo', map: 'documents' },
    { id: 'c', agent: 'sum' },
  ],
};
const file = join(folder, 'pipeline.yaml');
writeFileSync(file, JSON.stringify(pipeline));

const model: ModelInfo = {
  name: 'm',
  backend: 'llama.cpp',
  sha256: null,
  contextTokens: 2_048,
  demonstration: false,
  capabilities: {
    confidence: true,
    schema: true,
    seed: true,
    rollback: true,
    deterministic: true,
  },
};

function prepare(request: Partial<StartRunRequest> = {}, context: Partial<PrepareContext> = {}) {
  const admit = () => undefined;
  return prepareRun(
    { pipeline: file, input: { folder: input }, ...request },
    { dataDirectory, pool, model, admit, ...context },
  );
}

function workspaces(): string[] {
  const all = join(dataDirectory, 'workspaces');
  return existsSync(all) ? readdirSync(all) : [];
}

describe('what the model can never do', () => {
  const asking = (agent: object) => ({
    name: 'demo',
    agents: { echo: { prompt: 'x', ...agent } },
    steps: [{ id: 'a', agent: 'echo', map: 'documents' }],
  });
  const pattern = { type: 'object', properties: { a: { type: 'string', pattern: '^x' } } };
  const remote: ModelInfo = { ...model, backend: 'openai-compatible' };

  test('is refused before the run where the model is here, and left to an endpoint to decide', async () => {
    const schema = { pipeline: asking({ output: pattern }) };
    await expect(prepare(schema)).rejects.toMatchObject({
      code: 'SCHEMA_UNSUPPORTED',
      message: expect.stringContaining('agents.echo.output'),
    });
    await expect(prepare(schema, { model: remote })).resolves.toBeDefined();
    const other = { pipeline: asking({ model: 'other' }) };
    await expect(prepare(other)).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
    await expect(prepare({ pipeline: asking({ model: 'm' }) })).resolves.toBeDefined();
    await expect(prepare(other, { model: remote })).resolves.toBeDefined();
  });
});

describe('preparing a run', () => {
  test('names everything that its folds read, and fills the workspace beside the pipeline file', async () => {
    const { run, body, texts } = await prepare({ seed: 5 });
    const hash = sha256('same words');
    expect(body).toMatchObject({
      pipeline: 'demo',
      seed: 5,
      model: 'm',
      documents: ['one.txt', 'two.txt'].map((name) => ({ name, sha256: hash, part: null })),
      machines: ['pipeline@1', 'supervisor@1', 'agent@1'],
      stepsTotal: 5,
      workspace: [
        { name: 'a.txt', sha256: sha256('hello'), texts: [sha256('hello')] },
        { name: 'b.csv', sha256: sha256('x,1'), texts: [sha256('x,1')] },
      ],
    });
    expect([...texts].map(([key, bytes]) => [key, bytes.toString()])).toEqual([
      [hash, 'same words'],
      [sha256('hello'), 'hello'],
      [sha256('x,1'), 'x,1'],
    ]);
    const own = join(dataDirectory, 'workspaces', run);
    expect(readdirSync(own).sort()).toEqual(['a.txt', 'b.csv']);
    expect(readFileSync(join(own, 'a.txt'), 'utf8')).toBe('hello');
  });

  test('the first message carries the definition in the order of the file', async () => {
    const { run, body } = await prepare();
    const start = rootStart(run, body);
    expect(start).toMatchObject({ run, to: 'run', from: '@runtime', number: 1, cause: null });
    expect(start.event).toMatchObject({ type: 'start', scope: 'run', seed: 1 });
    const { definition } = start.event as { definition: string };
    expect(JSON.parse(definition).steps.map(({ id }: { id: string }) => id)).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(rootStart(run, body)).toEqual(start);
  });

  test('whatever is refused leaves no workspace behind', async () => {
    const before = workspaces();
    const refusals: readonly [Partial<StartRunRequest>, string][] = [
      [{ seed: -1 }, 'REQUEST_INVALID'],
      [{ seed: 1.5 }, 'REQUEST_INVALID'],
      [{ pipeline: join(folder, 'absent.yaml') }, 'PIPELINE_NOT_FOUND'],
      [{ pipeline: { ...pipeline, agents: {} } }, 'PIPELINE_UNKNOWN_REFERENCE'],
      [{ pipeline: { ...pipeline, input: { workspace: '/absent' } } }, 'INPUT_NOT_FOUND'],
      [{ input: { folder: workspace }, pipeline: emptyFor('*.eml') }, 'INPUT_EMPTY'],
    ];
    for (const [request, code] of refusals) {
      await expect(prepare(request)).rejects.toMatchObject({ code });
    }
    const admit = (): void => {
      throw new RuntimeError('TOO_MANY_RUNS', 'Too many; wait.');
    };
    await expect(prepare({}, { admit })).rejects.toMatchObject({ code: 'TOO_MANY_RUNS' });
    expect(workspaces()).toEqual(before);
  });
});

function emptyFor(include: string) {
  return { ...pipeline, input: { documents: { include: [include] } } };
}
