/** What may be wrong around the command: models, endpoints, ports, owners, data, disks, installs. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { type ErrorCode, errorCatalogue } from '../../src/kernel/errors.ts';
import { startEndpointServer } from '../inference/endpoint-server.ts';
import { askingPipeline, writeSoundInput } from './bad-input-files.ts';
import {
  claw,
  expectFailure,
  listRuns,
  oneObject,
  projectRoot,
  startClaw,
  startServer,
  temporaryFolder,
} from './claw-process.ts';

const { folder, remove } = temporaryFolder();
/** With one run that succeeded; tests take copies of it. */
const original = join(folder, 'original');
let sound: { pipeline: string; input: string };
let run: string;

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly detail: string;
}

beforeAll(async () => {
  sound = writeSoundInput(folder);
  const { stdout } = await claw(['run', sound.pipeline, '--input', sound.input, '--json'], {
    data: original,
  });
  run = (oneObject(stdout) as { id: string }).id;
});

afterAll(remove);

function copyOfData(name: string): string {
  const data = join(folder, name);
  cpSync(original, data, { recursive: true });
  return data;
}

/** What `claw doctor` finds wrong, and its exit status. */
async function complaints(
  data: string,
  { words = [], environment = {} }: { words?: string[]; environment?: Record<string, string> } = {},
): Promise<{ status: number | null; failed: Record<string, string> }> {
  const ended = await claw(['doctor', '--port', '0', '--json', ...words], { data, environment });
  const { findings } = oneObject(ended.stdout) as { findings: Finding[] };
  const failed = findings.filter(({ status }) => status === 'failed');
  return {
    status: ended.status,
    failed: Object.fromEntries(failed.map(({ check, detail }) => [check, detail])),
  };
}

async function portOf(server: HttpServer | ReturnType<typeof createNetServer>): Promise<number> {
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('a model file', () => {
  const whole = readFileSync(join(projectRoot, 'models/tiny-agent.gguf'));
  test.each([
    [
      'absent.gguf',
      null,
      'MODEL_NOT_FOUND',
      /absent\.gguf does not exist or cannot be read; check/,
    ],
    ['text.gguf', Buffer.from('hello'), 'MODEL_INVALID', /does not begin with GGUF; use a GGUF/],
    ['cut.gguf', whole.subarray(0, 60_000), 'MODEL_INVALID', /cut short|header is damaged/],
  ] as const)('%s', async (name, content, code, says) => {
    if (content !== null) writeFileSync(join(folder, name), content);
    const data = join(folder, `model-${name}`);
    const setting = { data, cwd: folder };
    expectFailure(
      await claw(['generate', '--prompt', 'x', '--model', name, '--json'], setting),
      code,
      says,
    );
    expect(existsSync(data)).toBe(false);
    const words = ['run', sound.pipeline, '--input', sound.input, '--model', name, '--json'];
    expectFailure(await claw(words, setting), code, says);
    expect(await listRuns(data)).toEqual([]);
    if (name !== 'cut.gguf') return;
    const up = await claw(['up', '--port', '0', '--model', name, '--json'], setting);
    expectFailure(up, code, says);
    const doctor = await complaints(data, { words: ['--model', join(folder, name)] });
    expect(doctor).toEqual({ status: 4, failed: { model: expect.stringMatching(says) } });
  });
});

describe('an endpoint', () => {
  const html: RequestListener = (_, response) => {
    response.setHeader('content-type', 'text/html').end('<html>hello</html>');
  };
  const forbidding: RequestListener = (_, response) => {
    response.writeHead(401).end('no\nway');
  };
  const strange: RequestListener = (request, response) => {
    if (request.method === 'GET') response.end('{"data":[{"id":"m"}]}');
    else response.setHeader('content-type', 'text/event-stream').end('data: garbage\n\n');
  };
  test.each([
    ['a web page', html, 'INFERENCE_PROTOCOL', /not JSON; check that OPENCLAW_BASE_URL ends/],
    ['a refusal', forbidding, 'INFERENCE_REJECTED', /HTTP 401 \(no way\); check OPENCLAW_API_KEY/],
    ['a strange stream', strange, 'INFERENCE_PROTOCOL', /a piece of its stream is not JSON; check/],
  ] as const)('%s', async (_, listener, code, says) => {
    const port = await portOf(createServer(listener));
    const environment = { OPENCLAW_BASE_URL: `http://127.0.0.1:${port}/v1` };
    const data = join(folder, 'never-made');
    const ended = await claw(['generate', '--prompt', 'x', '--json'], { data, environment });
    expectFailure(ended, code, says);
    if (listener === strange) await expectRunFailure(environment, code, says);
    if (listener !== html) return;
    const doctor = await complaints(data, { environment });
    expect(doctor).toEqual({
      status: 4,
      failed: { model: expect.stringMatching(/not as the protocol says; check/) },
    });
  });

  /** A run that such an endpoint ends has its code and status. */
  async function expectRunFailure(
    environment: Record<string, string>,
    code: ErrorCode,
    says: RegExp,
  ): Promise<void> {
    const pipeline = join(folder, 'asking-strange.yaml');
    writeFileSync(
      pipeline,
      askingPipeline.replace(', map: documents', '').replace('{{document.text}}', 'none.'),
    );
    const words = ['run', pipeline, '--input', sound.input, '--json'];
    const { status, stdout, stderr } = await claw(words, {
      data: join(folder, 'strange'),
      environment,
    });
    expect(status).toBe(errorCatalogue[code].exit);
    expect(oneObject(stdout)).toMatchObject({ status: 'failed', error: { code } });
    const last = stderr.trimEnd().split('\n').at(-1) ?? '';
    expect(last).toMatch(says);
    expect(last.split(code)).toHaveLength(2);
    expect(last.endsWith(` shows why. (${code})`)).toBe(true);
  }

  test('that is down, or does not even speak HTTP', async () => {
    const raw = createNetServer((socket) => socket.end('\u0000\u0001'));
    for (const port of [1, await portOf(raw)]) {
      const environment = { OPENCLAW_BASE_URL: `http://127.0.0.1:${port}/v1` };
      const setting = { data: join(folder, `down-${port}`), environment };
      const says = /cannot be reached; check OPENCLAW_BASE_URL and that the server runs\./;
      const words = ['run', sound.pipeline, '--input', sound.input, '--json'];
      expectFailure(await claw(words, setting), 'INFERENCE_UNAVAILABLE', says);
      expect(await listRuns(setting.data)).toEqual([]);
    }
  });

  test('whose address is none', async () => {
    const setting = { data: original, environment: { OPENCLAW_BASE_URL: 'nonsense' } };
    const ended = await claw(['generate', '--prompt', 'x', '--json'], setting);
    expectFailure(ended, 'CONFIG_INVALID', /not an http or https address: "nonsense"; give one/);
  });
});

describe('owners and ports', () => {
  test('of two servers that start at once on one data directory, one serves', async () => {
    const data = copyOfData('twice');
    const both = [1, 2].map(() => startClaw(['up', '--port', '0', '--json'], { data }));
    const loser = await Promise.race(both.map(({ ended }) => ended));
    expectFailure(
      loser,
      'DATA_DIRECTORY_LOCKED',
      /owns .*twice.*; use it, stop it, or choose another --data\./,
    );
    const winner = both.find(({ child }) => child.exitCode === null);
    const ready = JSON.parse((await winner?.until('stdout', /\n/)) ?? '') as { url: string };

    const again = await claw(['up', '--port', '0', '--json'], { data });
    expectFailure(again, 'DATA_DIRECTORY_LOCKED', /already owns .* and serves it at http:/);
    const elsewhere = join(folder, 'elsewhere');
    const { port } = new URL(ready.url);
    const taken = await claw(['up', '--port', port, '--json'], { data: elsewhere });
    expectFailure(
      taken,
      'PORT_IN_USE',
      /is taken; stop the other program or choose another with --port\./,
    );
    expect(existsSync(elsewhere)).toBe(false);
    expect((await complaints(elsewhere, { words: ['--port', port] })).failed).toEqual({
      port: expect.stringMatching(/is taken/),
    });
    expect(await listRuns(data)).toMatchObject([{ id: run, status: 'succeeded' }]);
    winner?.child.kill('SIGINT');
    expect((await winner?.ended)?.status).toBe(0);
  });

  test.each(['a web page', 'other JSON', 'no HTTP', 'a run, and then garbage'])(
    'on the port of the lock answers %s',
    async (what) => {
      const data = copyOfData(`stranger-${what.replaceAll(/\W/g, '-')}`);
      const port = await portOf(stranger(what));
      writeFileSync(
        join(data, 'lock'),
        JSON.stringify({ pid: process.pid, processStart: null, token: 'x', startedAtMs: 1, port }),
      );
      const says = /does not answer as it should; start it again with claw up/;
      const words = ['run', sound.pipeline, '--input', sound.input, '--json'];
      expectFailure(await claw(words, { data }), 'SERVER_UNREACHABLE', says);
      if (what !== 'a run, and then garbage') {
        const cancelled = await claw(['cancel', run, '--json'], { data });
        expectFailure(cancelled, 'SERVER_UNREACHABLE', says);
        const generated = await claw(['generate', '--prompt', 'x', '--json'], { data });
        expectFailure(generated, 'SERVER_UNREACHABLE', says);
      }
      expect(await listRuns(data)).toMatchObject([{ id: run }]);
    },
  );

  function stranger(what: string): HttpServer | ReturnType<typeof createNetServer> {
    if (what === 'no HTTP') return createNetServer((socket) => socket.end('\u0000\u0001'));
    const server = createServer((_, response) => {
      if (what === 'a web page') response.end('<html>');
      else if (what === 'other JSON') response.end('{"hello":1}');
      else response.writeHead(201).end('{"id":"r","status":"running","events":0}');
    });
    if (what === 'a run, and then garbage') {
      new WebSocketServer({ server }).on('connection', (socket) => socket.send('garbage'));
    }
    return server;
  }
});

test('an interrupted run stays open, keeps others out, and goes on with claw up', async () => {
  const data = join(folder, 'interrupted');
  const pipeline = join(folder, 'asking.yaml');
  writeFileSync(pipeline, askingPipeline);
  // The first request is never answered.
  const asked = Promise.withResolvers<void>();
  const endpoint = await startEndpointServer((response) => {
    asked.resolve();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  onTestFinished(() => endpoint.close());
  const waiting = startClaw(['run', pipeline, '--input', sound.input, '--json'], {
    data,
    environment: { OPENCLAW_BASE_URL: endpoint.baseUrl },
  });
  await asked.promise;
  const other = await claw(['run', pipeline, '--input', sound.input, '--json'], { data });
  expectFailure(other, 'DATA_DIRECTORY_LOCKED', /serves no API; wait until it ends, or choose/);
  expect(await listRuns(data)).toMatchObject([{ status: 'running' }]);

  waiting.child.kill('SIGINT');
  const { status, stdout, stderr } = await waiting.ended;
  const { id } = oneObject(stdout) as { id: string };
  expect(status).toBe(130);
  expect(stderr).toContain(`Stopped; claw up goes on with the run ${id}.\n`);

  const server = await startServer({ data });
  await server.until('stderr', /has ended/);
  expect((await server.stop()).status).toBe(0);
  expect(await listRuns(data)).toMatchObject([{ id, status: 'succeeded' }]);
  expect((await claw(['replay', id, '--json'], { data })).status).toBe(0);
});

describe('a data directory', () => {
  const readers = (): string[][] => [['runs'], ['events', run], ['replay', run]];
  const writers = (): string[][] => [
    ['up', '--port', '0'],
    ['run', sound.pipeline, '--input', sound.input],
  ];

  test('of a newer version is refused and left as it is', async () => {
    const data = copyOfData('newer');
    writeFileSync(join(data, 'VERSION'), '4\n');
    const says =
      /has version 4, and this program knows up to 3; upgrade it or choose another --data\./;
    for (const words of [...readers(), ...writers()]) {
      expectFailure(await claw([...words, '--json'], { data }), 'DATA_VERSION_NEWER', says);
    }
    expect(await complaints(data)).toMatchObject({
      status: 5,
      failed: { journal: expect.stringMatching(says) },
    });
    writeFileSync(join(data, 'VERSION'), '3\n');
    expect(await listRuns(data)).toMatchObject([{ id: run }]);
  });

  test('damaged below its durable end is refused, with the place, and not touched', async () => {
    const data = copyOfData('damaged');
    const segment = join(data, 'journal/0000000001.segment');
    const bytes = readFileSync(segment);
    bytes[300] = (bytes[300] ?? 0) ^ 0x01;
    writeFileSync(segment, bytes);
    const says =
      /Segment 1 of the journal is damaged at offset \d+: .* Restore the data directory from a copy, or see claw journal repair\./;
    for (const words of [...readers(), ...writers()]) {
      expectFailure(await claw([...words, '--json'], { data }), 'JOURNAL_CORRUPT', says);
    }
    expect(await complaints(data)).toMatchObject({
      status: 5,
      failed: { journal: expect.stringMatching(says) },
    });
    expect(readFileSync(segment).equals(bytes)).toBe(true);
  });

  test('with a torn tail works: what was never durable is cut, and that is said', async () => {
    const data = copyOfData('torn');
    const segment = join(data, 'journal/0000000001.segment');
    const bytes = Buffer.concat([readFileSync(segment), Buffer.alloc(512)]);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    bytes.fill(0xa5, end + 64, end + 164);
    writeFileSync(segment, bytes);
    expect(await listRuns(data)).toMatchObject([{ id: run }]);
    const ended = await claw(['run', sound.pipeline, '--input', sound.input, '--json'], { data });
    expect(ended.stderr).toMatch(
      /^The journal ended in \d+ bytes that were never durable; they were cut\.$/m,
    );
    expect(oneObject(ended.stdout)).toMatchObject({ status: 'succeeded' });
    expect(await listRuns(data)).toHaveLength(2);
    expect((await claw(['replay', run, '--json'], { data })).status).toBe(0);
  });

  test('that is something else is left alone', async () => {
    const foreign = join(folder, 'photos');
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'cat.jpg'), 'x');
    const says =
      /photos holds other files \(cat\.jpg\) and is not a data directory; choose an empty/;
    for (const words of [...readers(), ...writers()]) {
      const ended = await claw([...words, '--json'], { data: foreign });
      expectFailure(ended, 'DATA_DIRECTORY_UNUSABLE', says);
    }
    expect(readdirSync(foreign)).toEqual(['cat.jpg']);
  });

  const places: readonly [string, RegExp][] = [
    [join(import.meta.dirname, 'bad-state.test.ts'), /it is not a directory; choose another/],
    // Where no name can be made, even by root, and Node.js itself never gives up.
    ...(process.platform === 'linux'
      ? [['/proc/claw/data', /cannot be created there; choose another/] as [string, RegExp]]
      : []),
  ];
  test.each(places)('at %s cannot be used', async (data, says) => {
    for (const words of writers()) {
      const ended = await claw([...words, '--json'], { data, environment: { HOME: folder } });
      expectFailure(ended, 'DATA_DIRECTORY_UNUSABLE', says);
    }
    expect((await complaints(data)).status).toBe(4);
  });
});
