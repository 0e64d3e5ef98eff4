import { type ChildProcess, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
/** Makes a process believe that it is an older Node.js. */
const oldNode =
  "--import=data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claw-bin-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function launch(
  words: readonly string[],
  cwd = folder,
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (bytes) => {
    stdout += String(bytes);
  });
  child.stderr?.on('data', (bytes) => {
    stderr += String(bytes);
  });
  const ended = new Promise<Ended>((settle) => {
    child.once('close', (status) => settle({ status, stdout, stderr }));
  });
  return { child, ended };
}

/** The launcher with its package.json in a folder of its own, next to what a test puts there. */
function copyLauncher(packageFolder: string): string {
  mkdirSync(join(packageFolder, 'bin'), { recursive: true });
  cpSync(join(root, 'package.json'), join(packageFolder, 'package.json'));
  cpSync(join(root, 'bin/claw.js'), join(packageFolder, 'bin/claw.js'));
  return join(packageFolder, 'bin/claw.js');
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
};

test('prints the version and no warning', async () => {
  const { ended } = launch([join(root, 'bin/claw.js'), '--version']);
  expect(await ended).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
});

describe('on an older Node.js', () => {
  test('hands over to the Node.js of the node package, with arguments and exit status', async () => {
    const good = launch([oldNode, join(root, 'bin/claw.js'), '--version']);
    expect(await good.ended).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    const bad = launch([oldNode, join(root, 'bin/claw.js'), 'nothing']);
    expect(await bad.ended).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('(USAGE)'),
    });
  });

  test('without that package it says so in one sentence', async () => {
    const launcher = copyLauncher(join(folder, 'alone'));
    const { ended } = launch([oldNode, launcher, 'runs', '--json']);
    const { status, stdout, stderr } = await ended;
    expect(status).toBe(4);
    expect(stderr).toMatch(/^claw: Node\.js 20\.1\.0 is too old; .*\(NODE_TOO_OLD\)\n$/);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'NODE_TOO_OLD' } });
  });

  test('passes signals on and ends with the status of the child', async () => {
    const launcher = copyLauncher(join(folder, 'here'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'here/node_modules'));
    mkdirSync(join(folder, 'here/src/cli'), { recursive: true });
    writeFileSync(
      join(folder, 'here/src/cli/main.ts'),
      `export async function main(): Promise<void> {
        process.on('SIGTERM', () => { console.log('stopped'); process.exit(9); });
        setInterval(() => undefined, 1_000);
        console.log('ready');
      }\n`,
    );
    const { child, ended } = launch([oldNode, launcher]);
    await new Promise((settle) => child.stdout?.once('data', settle));
    child.kill('SIGTERM');
    expect(await ended).toEqual({ status: 9, stdout: 'ready\nstopped\n', stderr: '' });
  });
});

describe('installed below node_modules', () => {
  test('starts the compiled files', async () => {
    const installed = join(folder, 'node_modules/openclaw-runtime');
    const launcher = copyLauncher(installed);
    mkdirSync(join(installed, 'dist/cli'), { recursive: true });
    writeFileSync(
      join(installed, 'dist/cli/main.js'),
      "export async function main() { console.log('compiled'); }\n",
    );
    expect(await launch([launcher]).ended).toEqual({ status: 0, stdout: 'compiled\n', stderr: '' });
  });
});

test('a missing package is one sentence, not a stack', async () => {
  const launcher = copyLauncher(join(folder, 'broken'));
  mkdirSync(join(folder, 'broken/src/cli'), { recursive: true });
  writeFileSync(join(folder, 'broken/src/cli/main.ts'), "import 'a-package-that-is-absent';\n");
  const { status, stdout, stderr } = await launch([launcher, '--json']).ended;
  expect(status).toBe(4);
  expect(stderr).toMatch(/^claw: .*a-package-that-is-absent.*\(NATIVE_PACKAGE_MISSING\)\n$/);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'NATIVE_PACKAGE_MISSING' } });
});

test('a reader that closes the pipe early is no error', async () => {
  const { child, ended } = launch([join(root, 'bin/claw.js'), '--help']);
  child.stdout?.destroy();
  expect(await ended).toMatchObject({ status: 0, stderr: '' });
});
