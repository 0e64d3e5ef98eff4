/** What a user can type or hand over wrongly, through the real command and the real API. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import {
  folderMistakes,
  pipelineMistakes,
  soundPipeline,
  writeSoundInput,
} from './bad-input-files.ts';
import {
  claw,
  expectFailure,
  expectProblem,
  listRuns,
  oneObject,
  type Server,
  startServer,
  temporaryFolder,
} from './claw-process.ts';

const { folder, remove } = temporaryFolder();
/** Nobody serves this one, and no test makes a run in it. */
const data = join(folder, 'data');
const served = join(folder, 'served');
let sound: { pipeline: string; input: string };
let server: Server;

beforeAll(async () => {
  sound = writeSoundInput(folder);
  server = await startServer({ data: served });
});

afterAll(async () => {
  const { status } = await server.stop();
  remove();
  expect(status).toBe(0);
});

/** Neither a run nor a workspace came of what was refused. */
async function expectNothingLeft(): Promise<void> {
  expect(await (await fetch(`${server.url}/v1/runs`)).json()).toEqual({ runs: [] });
  expect(readdirSync(join(served, 'workspaces'))).toEqual([]);
}

describe('the command line', () => {
  const wrong: readonly [string, ErrorCode, RegExp][] = [
    ['runs --port abc', 'CONFIG_INVALID', /--port is not a port from 0 to 65535: "abc"; choose/],
    ['runs --port 70000', 'CONFIG_INVALID', /"70000"/],
    ['run p.yaml --input in --seed -1', 'USAGE', /'-1' is invalid.*see claw --help\./],
    ['run p.yaml --input in --seed 1.5', 'USAGE', /'1\.5' is invalid/],
    ['run p.yaml --input in --seed 2147483648', 'USAGE', /from 0 to 2147483647/],
    ['events r --limit 0', 'USAGE', /A whole number from 1 to 1000/],
    ['events r --from x', 'USAGE', /'x' is invalid/],
    ['generate --prompt x --max-tokens 0', 'USAGE', /A whole number from 1/],
    ['sandbox exec x.js --timeout-ms 0', 'USAGE', /A whole number from 1 to 60000/],
    ['nothing', 'USAGE', /unknown command 'nothing'/],
    ['run', 'USAGE', /--input <dir>/],
    ['run --input in', 'USAGE', /missing required argument 'pipeline'/],
    ['events', 'USAGE', /missing required argument 'run'/],
    ['runs --config absent.yaml', 'CONFIG_INVALID', /absent\.yaml cannot be read; check the path/],
    ['runs --config /dev/zero', 'CONFIG_INVALID', /\/dev\/zero cannot be read/],
    ['events r', 'RUN_NOT_FOUND', /no run r; claw runs lists them\./],
    ['replay r', 'RUN_NOT_FOUND', /no run r; claw runs lists them\./],
    ['cancel r', 'RUN_NOT_FOUND', /no run r; claw runs lists them\./],
  ];
  test.each(wrong)('%s', async (line, code, says) => {
    expectFailure(await claw([...line.split(' '), '--json'], { data, cwd: folder }), code, says);
    // Nothing of this is worth a data directory.
    expect(readdirSync(folder)).not.toContain('data');
  });

  test('of a data directory that is not there yet, the runs are none', async () => {
    const { status, stdout, stderr } = await claw(['runs'], { data });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toBe(`No runs yet in ${data}.\n`);
    expect(await listRuns(data)).toEqual([]);
    expect(readdirSync(folder)).not.toContain('data');
  });

  test('the trace is shown with --debug only', async () => {
    const words = ['run', 'absent.yaml', '--input', 'in', '--debug'];
    const { stderr } = await claw(words, { data: served, cwd: folder });
    expect(stderr).toMatch(/\(PIPELINE_NOT_FOUND\)\n.*\n\s+at /);
  });
});

describe('the output of a run', () => {
  test.each([
    ['none/report.md', /the folder .*none does not exist; choose another path with --out\./],
    ['sound', /sound cannot be written, because it is a folder; choose/],
  ])('%s', async (out, says) => {
    const words = ['run', sound.pipeline, '--input', sound.input, '--out', out, '--json'];
    expectFailure(await claw(words, { data: served, cwd: folder }), 'OUTPUT_NOT_WRITABLE', says);
    await expectNothingLeft();
  });
});

describe('a pipeline', () => {
  test.each(pipelineMistakes)('$name', async ({ name, text, code, says }) => {
    const pipeline = join(folder, `${name}.yaml`);
    if (text !== null) writeFileSync(pipeline, text);
    const words = ['run', pipeline, '--input', sound.input, '--json'];
    expectFailure(await claw(words, { data: served }), code, says);
    await expectProblem(server, { pipeline, input: { folder: sound.input } }, code, says);
    await expectNothingLeft();
  });

  test('that is a folder, or a pipe that nobody writes into', async () => {
    const pipe = join(folder, 'pipe.yaml');
    execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
    for (const pipeline of [folder, pipe]) {
      const words = ['run', pipeline, '--input', sound.input, '--json'];
      expectFailure(await claw(words, { data: served }), 'PIPELINE_NOT_FOUND', /is not a file/);
    }
  });
});

describe('an input folder', () => {
  test.each(folderMistakes)('$name', async ({ name, make, code, says }) => {
    const input = join(folder, `input-${name}`);
    make(input);
    const words = ['run', sound.pipeline, '--input', input, '--json'];
    expectFailure(await claw(words, { data: served }), code, says);
    await expectProblem(server, { pipeline: sound.pipeline, input: { folder: input } }, code, says);
    await expectNothingLeft();
  });
});

test('without a server the same sentences come, and the data directory is sound', async () => {
  const alone = join(folder, 'alone');
  const [cycle] = pipelineMistakes.filter(({ name }) => name === 'cycle');
  const pipeline = join(folder, 'cycle.yaml');
  writeFileSync(pipeline, cycle?.text ?? '');
  const words = ['run', pipeline, '--input', sound.input, '--json'];
  expectFailure(await claw(words, { data: alone }), 'PIPELINE_CYCLE', cycle?.says ?? /^$/);
  expect(await listRuns(alone)).toEqual([]);
  expect(readdirSync(join(alone, 'workspaces'))).toEqual([]);
  const good = await claw(['run', sound.pipeline, '--input', sound.input, '--json'], {
    data: alone,
  });
  expect(oneObject(good.stdout)).toMatchObject({ status: 'succeeded' });
  expect(await listRuns(alone)).toMatchObject([{ status: 'succeeded' }]);
});

describe('the API', () => {
  const input = { folder: '/nowhere' };
  test.each([
    ['no JSON', 'nonsense', /not valid JSON/],
    ['nothing', '{}', /field pipeline/],
    ['a seed that is no seed', { pipeline: 'p', input, seed: -1 }, /field seed/],
    ['a seed too large', { pipeline: 'p', input, seed: 2 ** 31 }, /field seed/],
    ['a field too many', { pipeline: 'p', input, speed: 1 }, /speed/],
  ])('%s', (_, body, says) => expectProblem(server, body, 'REQUEST_INVALID', says));

  test('an inline pipeline is refused by the path of its value', async () => {
    const says = /^steps\[0\]\.agent: there is no agent "nobody"; there are a\.$/;
    const pipeline = {
      name: 'inline',
      agents: { a: { prompt: 'x' } },
      steps: [{ id: 's', agent: 'nobody' }],
    };
    const body = { pipeline, input: { folder: sound.input } };
    await expectProblem(server, body, 'PIPELINE_UNKNOWN_REFERENCE', says);
    await expectNothingLeft();
  });

  test.each([
    ['GET', '/v1/runs/r', 404, 'RUN_NOT_FOUND'],
    ['GET', '/v1/runs/r/events', 404, 'RUN_NOT_FOUND'],
    ['POST', '/v1/runs/r/cancel', 404, 'RUN_NOT_FOUND'],
    ['GET', '/v1/nothing', 404, 'NOT_FOUND'],
    ['GET', '/v1/runs/%ff', 400, 'REQUEST_INVALID'],
  ])('%s %s', async (method, path, status, code) => {
    const response = await fetch(`${server.url}${path}`, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ code, status });
  });

  test.each(['events', 'replay', 'cancel'])('claw %s of an unknown run', async (command) => {
    const ended = await claw([command, 'r', '--json'], { data: served });
    expectFailure(ended, 'RUN_NOT_FOUND', /no run r; claw runs lists them\./);
  });
});

describe('a schema', () => {
  const schemas: readonly [string, string | null, RegExp, ErrorCode?][] = [
    ['absent.json', null, /absent\.json cannot be read; check the path/, 'USAGE'],
    ['words.json', 'not JSON', /words\.json is not JSON \(.*\); correct it\./, 'USAGE'],
    ['list.json', '[1]', /holds no JSON object; write a JSON Schema\./],
    ['long.json', ' '.repeat(limits.schemaBytesMax + 1), /larger than 64 KiB; make it/, 'USAGE'],
    ['strange.json', '{"type":"object","patternProperties":{}}', /patternProperties/],
    ['/dev/zero', null, /is not a regular file/, 'USAGE'],
  ];
  test.each(schemas)('%s', async (name, text, says, code = 'SCHEMA_UNSUPPORTED') => {
    if (text !== null) writeFileSync(join(folder, name), text);
    const words = ['generate', '--prompt', 'x', '--schema', name, '--json'];
    expectFailure(await claw(words, { data: served, cwd: folder }), code, says);
  });
});

describe('a script', () => {
  const scripts: readonly [string, string | Buffer | null, RegExp][] = [
    ['absent.js', null, /absent\.js cannot be read; check the path/],
    ['/dev/zero', null, /is not a regular file/],
    ['binary.js', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0]), /has a NUL byte, so it is not text/],
    ['latin1.js', Buffer.from('"\u00e9"', 'latin1'), /is not UTF-8 text; save it as UTF-8\./],
    ['huge.js', Buffer.alloc(limits.sandboxScriptBytesMax + 1, ' '), /larger than 256 KiB/],
  ];
  test.each(scripts)('%s', async (name, content, says) => {
    if (content !== null) writeFileSync(join(folder, name), content);
    const ended = await claw(['sandbox', 'exec', name, '--json'], { data, cwd: folder });
    expectFailure(ended, 'SANDBOX_INPUT_INVALID', says);
  });

  test('that is a folder', async () => {
    mkdirSync(join(folder, 'folder.js'));
    const ended = await claw(['sandbox', 'exec', 'folder.js', '--json'], { data, cwd: folder });
    expectFailure(ended, 'SANDBOX_INPUT_INVALID', /is not a regular file/);
  });
});

test('a pipeline that is sound is not refused by any of this', async () => {
  const body = { pipeline: join(folder, 'again.yaml'), input: { folder: sound.input } };
  writeFileSync(body.pipeline, soundPipeline);
  const response = await fetch(`${server.url}/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(201);
  const { id } = (await response.json()) as { id: string };
  expect(await listRuns(served)).toMatchObject([{ id }]);
});
