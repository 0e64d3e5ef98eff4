/**
 * Goal: code that has broken out of its isolate and of the permission model
 * reaches no file, process, network or privilege of the host. Method: Node.js
 * runs code of the test under the very layers of a sandbox process.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { ConfinedProcess, type LayersInUse } from '../../src/sandbox/layers/confined-process.ts';
import { hostLayers } from '../../src/sandbox/layers/host-layers.ts';
import { nodeFiles } from '../../src/sandbox/layers/node-files.ts';
import { runNode } from '../sandbox/layers/confined-node.ts';
import { descendantsOf } from '../sandbox/processes.ts';

const none: LayersInUse = { bubblewrap: null, seccomp: null, cgroup: null };
const host = await hostLayers();
const layers = host.inUse('isolate');

async function answer(code: string, used: LayersInUse = layers): Promise<unknown> {
  const { output } = await runNode(
    `Promise.resolve().then(async () => (${code})).then((v) => console.log(JSON.stringify(v)), (e) => console.log(JSON.stringify(e.code ?? String(e))))`,
    used,
  );
  return JSON.parse(output);
}

describe.runIf(host.states.bubblewrap.works)('namespaces', () => {
  test('show no file of the host but those of Node.js', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'openclaw-secret-'));
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'secret');
    const files = [
      secret,
      '/etc/passwd',
      homedir(),
      process.cwd(),
      '/proc',
      '/sys',
      '/dev',
      '/var',
    ];
    const seen = await answer(
      `${JSON.stringify(files)}.filter((path) => { try { fs.statSync(path); fs.readdirSync(path); return true } catch (e) { return e.code === 'ENOTDIR' } })`,
    );
    rmSync(folder, { recursive: true });
    // Folders on the way to Node's own files are there, and hold nothing else.
    const [first] = process.cwd().split('/').slice(1);
    expect((seen as string[]).filter((path) => !path.startsWith(`/${first}`))).toEqual([]);
    expect(
      await answer(
        `fs.readdirSync(${JSON.stringify(process.cwd())}).filter((name) => name !== 'node_modules')`,
      ),
    ).not.toContain('package.json');
  });

  test('let nothing be written', async () => {
    for (const path of ['/x', '/tmp/x', process.execPath, `${process.execPath}.new`]) {
      expect(await answer(`fs.writeFileSync(${JSON.stringify(path)}, 'x')`)).toMatch(
        /^(EROFS|EACCES|ENOENT|ETXTBSY)$/,
      );
    }
  });

  test('have no network but a loopback of their own, which reaches no server of the host', async () => {
    let calls = 0;
    const server = createServer((socket) => {
      calls += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const connecting = `await new Promise((resolve) => { const s = require('node:net').connect(${port}, '127.0.0.1'); s.once('connect', () => resolve('connected')); s.once('error', (e) => resolve(e.code)); })`;
    // The filter forbids the socket; without it there is still nobody at the address.
    if (layers.seccomp !== null) expect(await answer(connecting)).toBe('EPERM');
    expect(await answer(connecting, { ...layers, seccomp: null })).toBe('ECONNREFUSED');
    expect(await answer(connecting, none)).toBe('connected');
    expect(calls).toBe(1);
    server.close();
  });

  test('show no process and no name of the host, and give no privilege', async () => {
    expect(await answer('process.pid')).toBe(1);
    expect(
      await answer(
        `(() => { try { process.kill(${process.pid}, 0); return 'seen' } catch (e) { return e.code } })()`,
      ),
    ).toBe('ESRCH');
    expect(await answer("require('node:os').hostname()")).toBe('sandbox');
    expect(hostname()).not.toBe('sandbox');
    expect(await answer('[process.getuid(), process.getgid()]')).toEqual([65534, 65534]);
    expect(await answer('process.setuid(0)')).toBe('EINVAL');
  });

  test('end with the command that is killed', async () => {
    const started = await ConfinedProcess.start(
      {
        file: process.execPath,
        args: ['-e', 'console.log("up"); for (;;);'],
        environment: {},
        readOnly: nodeFiles(),
        single: true,
        bounds: { memoryBytes: 512 << 20, tasks: 64 },
      },
      layers,
    );
    await once(started.stdout, 'data');
    const pid = await started.started;
    expect(descendantsOf(process.pid)).toContain(pid);
    started.kill();
    await started.exited;
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});

describe.runIf(host.states.seccomp.works)('the filter', () => {
  test('is in force in the process and lets it have threads', async () => {
    const { output } = await runNode(
      `const { Worker } = require('node:worker_threads'); new Worker('', { eval: true }).once('exit', (c) => console.log('thread', c))`,
      layers,
    );
    expect(output).toBe('thread 0\n');
  });

  test.each([
    [
      'a socket',
      "await new Promise((r, j) => require('node:net').connect(1, '127.0.0.1').once('error', j))",
    ],
    [
      'a server',
      "await new Promise((r, j) => require('node:net').createServer().once('error', j).listen(0, '127.0.0.1'))",
    ],
    [
      'a local socket',
      "await new Promise((r, j) => require('node:net').connect('/x').once('error', j))",
    ],
    [
      'a datagram',
      "await new Promise((r, j) => { const s = require('node:dgram').createSocket('udp4'); s.once('error', j); s.bind(0) })",
    ],
    ['a program', "require('node:child_process').execFileSync(process.execPath, ['-v'])"],
  ])('gives a process no %s', async (_name, code) => {
    expect(await answer(code)).toBe('EPERM');
  });
});

test('without layers a process has nothing of the environment of the runtime', async () => {
  process.env.OPENCLAW_TEST_CANARY = 'canary';
  expect(await answer('process.env', none)).toEqual({ TZ: 'UTC' });
  delete process.env.OPENCLAW_TEST_CANARY;
});

test.runIf(process.platform === 'linux').each([
  ['every layer', 'isolate'],
  ['no layer', 'none'],
])(
  'under %s a file that the runtime itself was started with stays out of reach',
  async (_name, which) => {
    const folder = mkdtempSync(join(tmpdir(), 'openclaw-inherited-'));
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'inherited secret');
    const descriptor = openSync(secret, 'r');
    const helper = new URL('../sandbox/layers/confined-node.ts', import.meta.url).href;
    const detection = new URL('../../src/sandbox/layers/host-layers.ts', import.meta.url).href;
    const program = `import { readFileSync } from 'node:fs';
    import { runNode } from ${JSON.stringify(helper)};
    import { hostLayers } from ${JSON.stringify(detection)};
    const none = { bubblewrap: null, seccomp: null, cgroup: null };
    const layers = ${JSON.stringify(which)} === 'none' ? none : (await hostLayers()).inUse('isolate');
    const { output } = await runNode("console.log(fs.readFileSync(100, 'utf8') + '|')", layers);
    console.log(readFileSync(100, 'utf8') + '|' + output);`;
    const stdio: ('ignore' | 'pipe' | number)[] = Array.from({ length: 100 }, () => 'ignore');
    stdio[1] = 'pipe';
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: [...stdio, descriptor],
    });
    const said = parent.stdout === null ? '' : await text(parent.stdout);
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
    // The runtime has it; what it starts finds nothing there.
    expect(said.trim()).toBe('inherited secret||');
  },
);
