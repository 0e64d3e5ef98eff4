import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { examinationStatus } from '../../src/cli/doctor-checks.ts';
import { exitStatus, RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { EventView, RunView } from '../../src/runtime/views.ts';
import { LocalRuntime, run, start } from './harness.ts';

let folder: string;
let runtime: LocalRuntime;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claw-cli-'));
  runtime = new LocalRuntime();
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const pipelineWords = ['run', 'p.yaml', '--input', 'in'];

/** Ends the run with a report in its workspace. */
function endWithReport(id: string, text = '# Report\n'): void {
  writeFileSync(join(folder, 'report.md'), text);
  runtime.append(id, 3);
  runtime.end(id, 'succeeded', { workspace: folder, report: 'report.md' });
}

describe('the program', () => {
  test('help lists every command and every exit status on standard output', async () => {
    const { status, stdout, stderr } = await run(['--help']);
    expect(status).toBe(0);
    for (const word of [
      'up',
      'run',
      'runs',
      'events',
      'replay',
      'cancel',
      'generate',
      'sandbox',
      'top',
      'doctor',
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${word} `, 'm'));
    }
    for (const code of Object.values(exitStatus)) {
      expect(stdout).toMatch(new RegExp(`^  ${code} +[a-z]`, 'm'));
    }
    expect(stderr).toBe('');
  });

  test.each([
    [['nothing']],
    [['run', 'p.yaml']],
    [['run', 'p.yaml', '--input', 'x', 'extra']],
    [['runs', '--loud']],
    [['events', 'x', '--limit', '0']],
    [['generate', '--prompt', 'x', '--temperature', 'hot']],
    [['sandbox', 'exec', 'x.js', '--memory-mb', '4']],
    [['sandbox', 'nothing']],
  ])('%j is wrong usage: one sentence and status 2', async (words) => {
    const { status, stdout, stderr } = await run(words);
    expect(status).toBe(exitStatus.badInput);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^claw: .*claw --help\. \(USAGE\)\n$/);
  });

  test('its name alone is answered with the help', async () => {
    expect(await run([])).toEqual(await run(['--help']));
  });

  test('a command that needs another word answers with its help on standard error', async () => {
    const { status, stdout, stderr } = await run(['sandbox']);
    expect([status, stdout]).toEqual([exitStatus.badInput, '']);
    expect(stderr).toMatch(/^Usage: claw sandbox .*\n[\s\S]*\n {2}exec /);
    expect(stderr).not.toContain('outputHelp');
  });

  test('with --json an error is the one object on standard output', async () => {
    const { stdout, stderr } = await run(['runs', '--port', 'x', '--json']);
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'CONFIG_INVALID', message: expect.stringContaining('--port') },
    });
    expect(stderr).toMatch(/\(CONFIG_INVALID\)\n$/);
  });

  test('a fault inside shows no stack without --debug, and one with it', async () => {
    runtime.runs = () => {
      throw new Error('broken\nsecond line');
    };
    const quiet = await run(['runs'], { runtime });
    expect(quiet.status).toBe(exitStatus.unexpected);
    expect(quiet.stderr.split('\n')).toHaveLength(2);
    const loud = await run(['runs', '--debug'], { runtime });
    expect(loud.stderr).toContain('at ');
  });

  test('a package that does not load is NATIVE_PACKAGE_MISSING', async () => {
    runtime.runs = () => {
      throw Object.assign(new Error("Cannot find package 'isolated-vm' imported from x"), {
        code: 'ERR_MODULE_NOT_FOUND',
      });
    };
    const { status, stderr } = await run(['runs'], { runtime });
    expect(status).toBe(exitStatus.environment);
    expect(stderr).toMatch(/isolated-vm .*npm ci.* \(NATIVE_PACKAGE_MISSING\)\n$/);
  });
});

describe('claw run', () => {
  test('runs in this process, copies the report and stops the runtime', async () => {
    runtime.script = endWithReport;
    const { status, stdout } = await run([...pipelineWords, '--out', 'out.md', '--seed', '5'], {
      runtime,
      cwd: folder,
    });
    expect(status).toBe(0);
    expect(runtime.started).toEqual([
      { pipeline: join(folder, 'p.yaml'), input: { folder: join(folder, 'in') }, seed: 5 },
    ]);
    expect(readFileSync(join(folder, 'out.md'), 'utf8')).toBe('# Report\n');
    expect(stdout).toContain('succeeded');
    expect(stdout).toContain(`report       ${join(folder, 'out.md')}\n`);
    expect(stdout).not.toContain(join(folder, 'report.md'));
    expect(runtime.stopped).toBe(true);
  });

  test('with --out and --json the object tells where the report is', async () => {
    runtime.script = endWithReport;
    const words = [...pipelineWords, '--out', 'out.md', '--json'];
    const { stdout } = await run(words, { runtime, cwd: folder });
    expect(JSON.parse(stdout)).toEqual({ ...runtime.runs()[0], out: join(folder, 'out.md') });
  });

  test('with --out and no report it says so, and the object names none', async () => {
    const words = [...pipelineWords, '--out', 'out.md', '--json'];
    const { status, stdout, stderr } = await run(words, { runtime, cwd: folder });
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { out: null }]);
    expect(stderr).toContain('no report, so --out is not written');
  });

  test('--json prints the run and nothing else on standard output', async () => {
    runtime.script = endWithReport;
    const { stdout } = await run([...pipelineWords, '--json'], { runtime });
    expect(JSON.parse(stdout)).toEqual(runtime.runs()[0]);
  });

  test('a run that fails ends with status 6 and says why, once per stream', async () => {
    runtime.script = (id) => {
      runtime.end(id, 'failed');
    };
    const { status, stdout, stderr } = await run([...pipelineWords, '--json'], { runtime });
    expect(status).toBe(exitStatus.runFailed);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'failed' });
    expect(stderr).toMatch(/claw: The run ended as failed.*\(RUN_FAILED\)\n$/);
  });

  test.each([
    ['INFERENCE_PROTOCOL', 'INFERENCE_PROTOCOL', exitStatus.environment],
    ['CONTEXT_TOO_LONG', 'CONTEXT_TOO_LONG', exitStatus.badInput],
    ['RUN_FAILED', 'RUN_FAILED', exitStatus.runFailed],
    ['OF_ANOTHER_VERSION', 'RUN_FAILED', exitStatus.runFailed],
  ])('a run that failed with %s ends as %s, said once', async (code, shown, expected) => {
    runtime.script = (id) => {
      runtime.end(id, 'failed', {}, undefined, { code, message: 'The cause.' });
    };
    const { status, stderr } = await run(pipelineWords, { runtime });
    const { id = '' } = runtime.runs()[0] ?? {};
    expect(status).toBe(expected);
    expect(stderr.split('\n').at(-2)).toBe(
      `claw: The run ended as failed: The cause; claw events ${id} shows why. (${shown})`,
    );
  });

  test('an output that cannot be written is refused before the run begins', async () => {
    mkdirSync(join(folder, 'taken'));
    for (const out of ['absent/out.md', 'taken']) {
      const { status, stderr } = await run([...pipelineWords, '--out', out], {
        runtime,
        cwd: folder,
      });
      expect(status).toBe(exitStatus.badInput);
      expect(stderr).toContain('(OUTPUT_NOT_WRITABLE)');
    }
    expect(runtime.started).toEqual([]);
  });

  test('a failed run leaves an earlier output as it was', async () => {
    writeFileSync(join(folder, 'out.md'), 'old');
    runtime.script = (id) => {
      writeFileSync(join(folder, 'report.md'), 'half');
      runtime.end(id, 'failed', { workspace: folder, report: 'report.md' });
    };
    await run([...pipelineWords, '--out', 'out.md'], { runtime, cwd: folder });
    expect(readFileSync(join(folder, 'out.md'), 'utf8')).toBe('old');
  });

  test('an error of the start keeps its code and stops the runtime', async () => {
    runtime.failure = new RuntimeError('PIPELINE_NOT_FOUND', 'p.yaml does not exist; check it.');
    const { status, stderr } = await run(pipelineWords, { runtime });
    expect([status, stderr]).toEqual([
      exitStatus.badInput,
      'claw: p.yaml does not exist; check it. (PIPELINE_NOT_FOUND)\n',
    ]);
    expect(runtime.stopped).toBe(true);
  });

  test('an interrupt leaves the run open and stops the runtime', async () => {
    let begun = (): void => undefined;
    const running = new Promise<void>((settle) => {
      begun = settle;
    });
    runtime.script = () => begun();
    const command = start(pipelineWords, { runtime });
    await running;
    await expect.poll(() => command.stderr()).toContain('run ');
    command.signal();
    const { status, stderr } = await command.ended;
    expect(status).toBe(exitStatus.interrupted);
    expect(stderr).toContain('claw up goes on');
    expect(runtime.runs()[0]?.status).toBe('running');
    expect(runtime.stopped).toBe(true);
  });
});

describe('the summary of a run', () => {
  async function summary(outputs: RunView['outputs']): Promise<string> {
    runtime.script = (id) => {
      runtime.end(id, 'succeeded', outputs);
    };
    return (await run(pipelineWords, { runtime })).stdout;
  }

  test('without a report shows the outputs of the steps over all documents', async () => {
    const steps = { digest: { topics: ['a\nb'] }, count: 3, files: null };
    expect(await summary({ steps, report: null, workspace: folder })).toMatch(
      /^output {7}digest: {"topics":\["a\\nb"\]}\noutput {7}count: 3\nrun /,
    );
  });

  test('cuts outputs that are long, and says so', async () => {
    const text = await summary({ steps: { digest: 'x'.repeat(5_000) }, report: null });
    expect(text).toMatch(/^output {7}digest: "x{1900,2000} … \(cut; .*\)\nrun /);
  });

  test('without outputs says where the results are', async () => {
    const text = await summary({ steps: {}, report: null, workspace: folder });
    const { id = '' } = runtime.runs()[0] ?? {};
    expect(text).toContain(`results      claw events ${id} --json`);
    expect(text).toContain(`files        ${folder}\n`);
  });

  test('with a report shows the report alone', async () => {
    writeFileSync(join(folder, 'report.md'), 'x');
    const text = await summary({ steps: { a: 1 }, report: 'report.md', workspace: folder });
    expect(text).toMatch(/^report {7}.*\nrun /);
  });

  test('counts the documents that have something for a person', async () => {
    const documents = { total: 27, handedToHuman: 0 };
    expect(await summary({ documents })).toMatch(
      /^supervisor {3}0 interventions; 0 of 27 documents have something for a person$/m,
    );
    expect(await summary({ documents: { total: 1 } })).toContain('; 0 of 1 document has something');
    expect(await summary({})).toContain('; 0 documents have something for a person\n');
  });
});

describe('beside a live server', () => {
  let api: ApiServer;
  let owner: { pid: number; port: number };
  let server: LocalRuntime;

  beforeEach(async () => {
    server = new LocalRuntime();
    api = await startApi({ runtime: server, host: '127.0.0.1', port: 0 });
    owner = { pid: 4_711, port: api.port };
  });

  afterEach(async () => {
    await api.close();
  });

  test('claw run goes through its API and leaves it running', async () => {
    server.script = (id) => {
      writeFileSync(join(folder, 'report.md'), 'from the server');
      server.append(id, 150);
      server.end(id, 'succeeded', { workspace: folder, report: 'report.md' });
    };
    const { status, stdout } = await run([...pipelineWords, '--out', 'o.md', '--json'], {
      owner,
      cwd: folder,
    });
    expect(status).toBe(0);
    expect(server.started[0]?.pipeline).toBe(join(folder, 'p.yaml'));
    expect(JSON.parse(stdout)).toEqual({ ...server.runs()[0], out: join(folder, 'o.md') });
    expect(readFileSync(join(folder, 'o.md'), 'utf8')).toBe('from the server');
    expect(server.stopped).toBe(false);
  });

  test('a refusal of the server keeps its code and status', async () => {
    server.failure = new RuntimeError('PIPELINE_CYCLE', 'a needs b, b needs a; remove one.');
    const { status, stderr } = await run(pipelineWords, { owner });
    expect(status).toBe(exitStatus.badInput);
    expect(stderr).toBe('claw: a needs b, b needs a; remove one. (PIPELINE_CYCLE)\n');
  });

  test('a server that goes away during a run is SERVER_UNREACHABLE', async () => {
    server.script = () => {
      void expect
        .poll(() => server.subscriptions(server.runs()[0]?.id ?? ''))
        .toBe(1)
        .then(() => api.close());
    };
    const { status, stderr } = await run(pipelineWords, { owner });
    expect(status).toBe(exitStatus.environment);
    expect(stderr).toContain('(SERVER_UNREACHABLE)');
  });

  test('an interrupt of claw run leaves the run to it, and says so', async () => {
    server.script = () => undefined;
    const command = start(pipelineWords, { owner });
    await expect.poll(() => server.subscriptions(server.runs()[0]?.id ?? '')).toBe(1);
    command.signal();
    const { status, stderr } = await command.ended;
    const { id = '' } = server.runs()[0] ?? {};
    expect(status).toBe(exitStatus.interrupted);
    expect(stderr).toContain(
      `The run ${id} goes on in the server at ${api.url}; claw cancel ${id}`,
    );
    expect(stderr).not.toContain('claw up');
    expect(server.run(id).status).toBe('running');
    // Nothing of the command is left that would keep its process.
    await expect.poll(() => server.subscriptions(id)).toBe(0);
  });

  test('claw cancel cancels there', async () => {
    server.script = () => undefined;
    const { id } = await server.startRun({ pipeline: 'p', input: { folder: 'f' } });
    const { stdout } = await run(['cancel', id], { owner });
    expect(stdout).toBe(`The run ${id} is cancelled.\n`);
    expect(server.run(id).status).toBe('cancelled');
  });

  test('claw generate asks its model and streams on a terminal', async () => {
    const plain = await run(['generate', '--prompt', 'Hi'], { owner });
    expect(plain.stdout).toBe('Hello there\n');
    const live = await run(['generate', '--prompt', 'Hi'], { owner, terminal: true });
    expect(live.stdout).toBe('Hello there\n');
    const json = await run(['generate', '--prompt', 'Hi', '--json', '--max-tokens', '9'], {
      owner,
    });
    expect(JSON.parse(json.stdout)).toMatchObject({ text: 'Hello there', minConfidence: 0.5 });
    expect(server.generations.at(-1)).toEqual({
      prompt: 'Hi',
      temperature: 0,
      seed: 1,
      maxTokens: 9,
    });
  });

  test('an interrupt stops a generation there', async () => {
    server.answer = null;
    const command = start(['generate', '--prompt', 'Hi'], { owner });
    await expect.poll(() => server.generations.length).toBe(1);
    command.signal();
    const { status, stderr } = await command.ended;
    expect(status).toBe(exitStatus.interrupted);
    expect(stderr).toContain('(INFERENCE_ABORTED)');
    await expect.poll(() => server.aborted).toBe(1);
  });

  test('claw up names the owner instead of starting a second one', async () => {
    const { status, stderr } = await run(['up'], { owner, runtime });
    expect(status).toBe(exitStatus.environment);
    expect(stderr).toContain('4711');
    expect(stderr).toContain(api.url);
    expect(stderr).toContain('(DATA_DIRECTORY_LOCKED)');
  });
});

test('an owner without an API is named, not fought with', async () => {
  const { status, stderr } = await run(pipelineWords, { owner: { pid: 4_711, port: null } });
  expect(status).toBe(exitStatus.environment);
  expect(stderr).toMatch(/4711.*\(DATA_DIRECTORY_LOCKED\)/);
});

test('an owner that answers nonsense is SERVER_UNREACHABLE', async () => {
  const other = createServer((_request, response) => response.writeHead(500).end('<html>'));
  await new Promise<void>((settle) => other.listen(0, '127.0.0.1', settle));
  const { port } = other.address() as AddressInfo;
  const { stderr } = await run(pipelineWords, { owner: { pid: 1, port } });
  expect(stderr).toContain('(SERVER_UNREACHABLE)');
  await new Promise((settle) => other.close(settle));
});

describe('reading', () => {
  test('claw runs lists, and says when there is none', async () => {
    expect((await run(['runs'], { runtime })).stdout).toBe('No runs yet in /nowhere/data.\n');
    const { id } = await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
    await runtime.startRun({ pipeline: 'q', input: { folder: 'f' } });
    runtime.append(id);
    const { stdout } = await run(['runs'], { runtime });
    const [header = '', ...rows] = stdout.trimEnd().split('\n');
    expect(header).toMatch(/^RUN +STATUS +STARTED +STEPS +PIPELINE$/);
    expect(rows).toHaveLength(2);
    for (const [column, text] of [
      ['RUN', id],
      ['STATUS', 'succeeded'],
      ['STARTED', '1970-01-01T00:00:00.001Z'],
      ['STEPS', '0/2'],
      ['PIPELINE', 'p'],
    ] as const) {
      expect(rows[0]?.indexOf(text)).toBe(header.indexOf(column));
    }
    // The same columns on every line.
    expect(rows[1]?.indexOf('1970-')).toBe(header.indexOf('STARTED'));
    expect(rows[1]?.at(header.indexOf('PIPELINE'))).toBe('q');
    const json = await run(['runs', '--json'], { runtime });
    expect(JSON.parse(json.stdout)).toEqual({ runs: runtime.runs() });
  });

  test('claw events pages through a run and says where it goes on', async () => {
    const { id } = await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
    runtime.append(id, 5);
    const first = await run(['events', id, '--limit', '3', '--json'], { runtime });
    const page = JSON.parse(first.stdout) as { events: EventView[]; next: number | null };
    expect([page.events.map(({ sequence }) => sequence), page.next]).toEqual([[1, 2, 3], 4]);
    const rest = await run(['events', id, '--from', '4', '--json'], { runtime });
    expect(JSON.parse(rest.stdout)).toMatchObject({ run: id, next: null });
    const plain = await run(['events', id, '--limit', '2'], { runtime });
    expect(plain.stdout.trim().split('\n')).toHaveLength(2);
    expect(plain.stderr).toContain('--from 3');
  });

  test('an unknown run is RUN_NOT_FOUND', async () => {
    const { status, stderr } = await run(['events', 'nope'], { runtime });
    expect([status, stderr.includes('(RUN_NOT_FOUND)')]).toEqual([exitStatus.badInput, true]);
  });

  test('claw replay answers 0 when equal', async () => {
    const { id } = await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
    runtime.append(id, 5);
    const { status, stdout } = await run(['replay', id, '--json'], { runtime });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      run: id,
      events: 5,
      equal: true,
      stateHash: 's5',
      divergence: null,
    });
  });

  test('claw replay answers 3 when not, with the first divergence and no error object', async () => {
    const { id } = await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
    const divergence = {
      sequence: 4,
      actor: 'run',
      event: {},
      expected: 'aaaa',
      actual: 'bbbb',
      difference: 'The state is another.',
      state: {
        expected: { value: 'waiting' },
        actual: { value: 'done' },
        changes: [{ path: '/value', before: 'waiting', after: 'done' }],
      },
    };
    const replay = { run: id, events: 4, equal: false, stateHash: 'cc', divergence };
    const json = await run(['replay', id, '--json'], { runtime, replay });
    expect(json.status).toBe(exitStatus.diverged);
    expect(JSON.parse(json.stdout)).toEqual(replay);
    const plain = await run(['replay', id], { runtime, replay });
    const diff =
      'actual   {"value":"done"}\nFrom expected to actual:\n  ~ /value: "waiting" → "done"';
    for (const part of ['event 4', 'aaaa', 'bbbb', divergence.difference, diff]) {
      expect(plain.stdout).toContain(part);
    }
  });
});

describe('claw up', () => {
  const words = ['up', '--port', '0'];

  test('serves until the first signal, then stops the runtime', async () => {
    runtime.recovered = { runs: 2 };
    const command = start([...words, '--json'], { runtime });
    await expect.poll(() => command.stdout()).toContain('}');
    const { url, recovered } = JSON.parse(command.stdout()) as {
      url: string;
      recovered: { runs: number };
    };
    expect(recovered).toEqual({ runs: 2 });
    expect(url).toBe(`http://127.0.0.1:${runtime.announcedPort}`);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    command.signal();
    const ended = await command.ended;
    expect(ended.status).toBe(0);
    expect(ended.stdout.trim().split('\n')).toHaveLength(1);
    expect(runtime.stopped).toBe(true);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  test('says which open runs go on, and how they end', async () => {
    runtime.script = () => undefined;
    const { id } = await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
    const command = start(words, { runtime });
    await expect.poll(() => command.stdout()).toContain('until Ctrl-C');
    expect(command.stderr()).toContain(`Going on with the open run ${id}`);
    endWithReport(id);
    await expect.poll(() => command.stderr()).toContain(join(folder, 'report.md'));
    command.signal();
    await command.ended;
  });

  test('one Ctrl-C that arrives twice, from the terminal and from npm, is one', async () => {
    const command = start(words, { runtime });
    await expect.poll(() => command.stdout()).toContain('until Ctrl-C');
    command.signal();
    command.signal();
    expect((await command.ended).status).toBe(0);
  });

  test('the banner says that the embedded model is a demonstration', async () => {
    const command = start(words, { runtime });
    await expect.poll(() => command.stdout()).toContain('until Ctrl-C');
    expect(command.stdout()).toContain('demonstration model');
    expect(command.stdout()).toContain('/nowhere/data');
    const cpuThreads = Math.min(Math.max(1, availableParallelism() - 1), limits.poolThreadsMax);
    expect(command.stdout()).toMatch(
      new RegExp(
        `^pools    sandbox \\(${limits.sandboxPoolSize} warm processes, up to ${limits.sandboxConcurrencyMax} at once\\), CPU \\(piscina, up to ${cpuThreads} thread`,
        'm',
      ),
    );
    command.signal();
    await command.ended;
  });

  test('with --example and no runs it runs the example, shows it and replays it', async () => {
    runtime.script = endWithReport;
    const command = start([...words, '--example'], { runtime });
    await expect.poll(() => command.stdout()).toContain('until Ctrl-C');
    expect(runtime.started[0]?.pipeline).toMatch(/examples.inbox.pipeline\.yaml$/);
    expect(command.stdout()).toContain(join(folder, 'report.md'));
    expect(command.stdout()).toContain('Replay: equal');
    command.signal();
    await command.ended;
  });

  test('with --example and earlier runs it only serves', async () => {
    await runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
    const command = start([...words, '--example'], { runtime });
    await expect.poll(() => command.stdout()).toContain('until Ctrl-C');
    expect(runtime.started).toHaveLength(1);
    command.signal();
    await command.ended;
  });

  test('a runtime that fails by itself ends the command with its code', async () => {
    const command = start(words, { runtime });
    await expect.poll(() => command.stdout()).toContain('until Ctrl-C');
    runtime.hooks.onFailure?.(new RuntimeError('DISK_FULL', 'The disk is full; free some space.'));
    const { status, stderr } = await command.ended;
    expect(status).toBe(exitStatus.environment);
    expect(stderr).toContain('(DISK_FULL)');
    expect(runtime.stopped).toBe(true);
  });

  test('a taken port is named before the runtime starts', async () => {
    const other = createServer();
    await new Promise<void>((settle) => other.listen(0, '127.0.0.1', settle));
    const { port } = other.address() as AddressInfo;
    const { status, stderr } = await run(['up', '--port', String(port)], { runtime });
    expect(status).toBe(exitStatus.environment);
    expect(stderr).toMatch(new RegExp(`Port ${port} is taken.*\\(PORT_IN_USE\\)`));
    expect(runtime.announcedPort).toBe(null);
    await new Promise((settle) => other.close(settle));
  });
});

describe('claw sandbox exec', () => {
  test('the completion value of the script is the answer', async () => {
    writeFileSync(join(folder, 's.js'), 'const twenty = await Promise.resolve(20); twenty * 2 + 2');
    const { status, stdout } = await run(['sandbox', 'exec', 's.js', '--json'], { cwd: folder });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      value: 42,
      layers: expect.arrayContaining(['permission']),
    });
  });

  test('a script that fails is reported with its code and status 6', async () => {
    writeFileSync(join(folder, 's.js'), 'throw new Error("on purpose")');
    const { status, stdout, stderr } = await run(['sandbox', 'exec', 's.js', '--json'], {
      cwd: folder,
    });
    expect(status).toBe(exitStatus.runFailed);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      error: { code: 'SANDBOX_SCRIPT_ERROR', message: expect.stringContaining('on purpose') },
    });
    expect(stderr).toContain('(SANDBOX_SCRIPT_ERROR)');
  });

  test('a script that cannot be read is bad input', async () => {
    const { status, stderr } = await run(['sandbox', 'exec', 'absent.js'], { cwd: folder });
    expect([status, stderr.includes('(SANDBOX_INPUT_INVALID)')]).toEqual([
      exitStatus.badInput,
      true,
    ]);
  });
});

describe('claw generate without a server', () => {
  test('the embedded model answers with the confidence of each token', async () => {
    const { status, stdout } = await run([
      'generate',
      '--prompt',
      'Facts: Priya lives in Leeds. Question: Where does Priya live?',
      '--json',
    ]);
    const answer = JSON.parse(stdout) as {
      text: string;
      tokens: { text: string; confidence: number }[];
    };
    expect(status).toBe(0);
    expect(answer.text).toBe('Leeds');
    expect(answer.tokens.map(({ text }) => text).join('')).toBe(answer.text);
    for (const { confidence } of answer.tokens) {
      expect(confidence).toBeGreaterThan(0);
      expect(confidence).toBeLessThanOrEqual(1);
    }
  });

  test('a schema constrains the answer', async () => {
    writeFileSync(
      join(folder, 'schema.json'),
      JSON.stringify({ type: 'object', properties: { route: { enum: ['support', 'billing'] } } }),
    );
    const { stdout } = await run(
      [
        'generate',
        '--system',
        'You route requests to one of: billing, support. Answer with JSON.',
        '--prompt',
        'The printer is broken again.',
        '--schema',
        'schema.json',
      ],
      { cwd: folder },
    );
    expect(['support', 'billing']).toContain((JSON.parse(stdout) as { route: string }).route);
  });

  test.each([
    ['absent.json', null, 'USAGE'],
    ['broken.json', '{"type":', 'USAGE'],
    ['list.json', '[]', 'SCHEMA_UNSUPPORTED'],
  ])('the schema file %s is refused by name', async (name, text, code) => {
    if (text !== null) writeFileSync(join(folder, name), text);
    const { status, stderr } = await run(['generate', '--prompt', 'x', '--schema', name], {
      cwd: folder,
    });
    expect(status).toBe(exitStatus.badInput);
    expect(stderr).toContain(name);
    expect(stderr).toContain(`(${code})`);
  });

  test('a model that is absent is MODEL_NOT_FOUND', async () => {
    const { status, stderr } = await run(['generate', '--prompt', 'x', '--model', 'absent.gguf'], {
      cwd: folder,
    });
    expect(status).toBe(exitStatus.badInput);
    expect(stderr).toContain('(MODEL_NOT_FOUND)');
  });
});

describe('claw doctor', () => {
  test('damaged data weighs more than whatever else is wrong, and a warning nothing', () => {
    const detail = 'A sentence.';
    const warning = { check: 'data directory', status: 'warning', detail } as const;
    const port = { check: 'port', status: 'failed', detail, code: 'PORT_IN_USE' } as const;
    const damage = { ...port, check: 'journal', code: 'JOURNAL_CORRUPT' } as const;
    expect(examinationStatus([warning])).toBe(exitStatus.ok);
    expect(examinationStatus([warning, port])).toBe(exitStatus.environment);
    expect(examinationStatus([port, damage, port])).toBe(exitStatus.dataDamaged);
  });

  test('on a whole installation everything is in order', async () => {
    const data = join(folder, 'data');
    const { status, stdout } = await run(['doctor', '--json', '--data', data, '--port', '0']);
    const { healthy, findings } = JSON.parse(stdout) as {
      healthy: boolean;
      findings: { check: string; status: string; detail: string }[];
    };
    expect(findings.filter((finding) => finding.status === 'failed')).toEqual([]);
    expect([status, healthy]).toEqual([0, true]);
    expect(findings.map(({ check }) => check)).toEqual([
      'node',
      'isolated-vm',
      'node-llama-cpp',
      'sandbox',
      'layer bubblewrap',
      'layer seccomp',
      'layer cgroup',
      'layer permission',
      'layer connect filter',
      'model',
      'data directory',
      'journal',
      'snapshots',
      'audit',
      'port',
      'door',
    ]);
    expect(existsSync(data)).toBe(false);
  });

  test('a layer that is required and missing is a failure, else a warning', async () => {
    const missing = { works: false, reason: 'bwrap is absent', remedy: 'Install it.' } as const;
    const works = { works: true, detail: 'It works.' } as const;
    const layers = { bubblewrap: missing, seccomp: missing, cgroup: works, permission: works };
    writeFileSync(join(folder, 'c.yaml'), 'sandbox: { bubblewrap: require }\n');
    const words = ['doctor', '--config', join(folder, 'c.yaml'), '--data', join(folder, 'data')];
    const { status, stdout } = await run(words, { layers });
    expect(status).toBe(exitStatus.environment);
    expect(stdout).toMatch(
      /^FAILED {3}layer bubblewrap: .*bwrap is absent\. Install it\. It is required/m,
    );
    expect(stdout).toMatch(/^warning {2}layer seccomp: .*their outcomes say so/m);
    expect(stdout).toMatch(/^ok {7}layer cgroup: It works\. Policy: degrade/m);
    expect(stdout).toMatch(/^warning {2}layer connect filter: /m);
  });

  test('a run in another process is no fault', async () => {
    const owner = { pid: process.pid, port: null };
    const { stdout } = await run(['doctor', '--data', join(folder, 'data')], { owner });
    expect(stdout).toMatch(/^ok {7}snapshots: No server is running/m);
  });

  test('what is wrong is named with its remedy, and the status is 4', async () => {
    writeFileSync(join(folder, 'm.gguf'), 'not a model');
    writeFileSync(join(folder, 'file'), '');
    const { status, stdout } = await run(['doctor', '--model', 'm.gguf', '--data', 'file'], {
      cwd: folder,
    });
    expect(status).toBe(exitStatus.environment);
    expect(stdout).toMatch(
      /FAILED {3}model: .*m\.gguf cannot be used: it does not begin with GGUF; use a GGUF file/,
    );
    expect(stdout).toMatch(/FAILED {3}journal: /);
  });
});
