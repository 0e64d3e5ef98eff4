/** A Node.js that is too old, and packages whose native part did not build. */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSoundInput } from './bad-input-files.ts';
import {
  claw,
  expectFailure,
  listRuns,
  oneObject,
  projectRoot,
  temporaryFolder,
} from './claw-process.ts';

const { folder, remove } = temporaryFolder();
const data = join(folder, 'data');

afterAll(remove);

/** An older Node.js of this machine, else this one made to believe that it is older. */
function oldNode(): readonly [string, ...string[]] {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((place) => place !== '' && !place.includes('node_modules'))
    .map((place) => join(place, 'node'))
    .find((path) => Number.parseInt(versionOf(path), 10) < 24);
  if (found !== undefined) return [found];
  const version = "Object.defineProperty(process.versions,'node',{value:'20.1.0'})";
  return [process.execPath, `--import=data:text/javascript,${version}`];
}

function versionOf(path: string): string {
  try {
    accessSync(path, constants.X_OK);
    return spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.replace(/^v/, '');
  } catch {
    return 'none';
  }
}

/** The project in a folder of its own, its packages linked, but for those that `broken` makes. */
function copyProject(
  name: string,
  broken: Readonly<Record<string, (folder: string) => void>>,
): string {
  const copy = join(folder, name);
  const packages = join(copy, 'node_modules');
  mkdirSync(packages, { recursive: true });
  for (const part of ['bin', 'src', 'policies', 'package.json']) {
    cpSync(join(projectRoot, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(projectRoot, 'models'), join(copy, 'models'));
  for (const each of readdirSync(join(projectRoot, 'node_modules'))) {
    if (each in broken || each === '.bin') continue;
    symlinkSync(join(projectRoot, 'node_modules', each), join(packages, each));
  }
  for (const [each, make] of Object.entries(broken)) make(join(packages, each));
  return join(copy, 'bin/claw.js');
}

/** Without its binaries, as after an install whose build failed. */
function withoutBinaries(name: string, left: readonly string[]): (target: string) => void {
  return (target) => {
    mkdirSync(target);
    for (const part of left) {
      cpSync(join(projectRoot, 'node_modules', name, part), join(target, part), {
        recursive: true,
      });
    }
  };
}

describe('a Node.js below 24', () => {
  test('with nothing installed says what to do', async () => {
    const launcher = join(folder, 'alone/bin/claw.js');
    cpSync(join(projectRoot, 'bin/claw.js'), launcher);
    cpSync(join(projectRoot, 'package.json'), join(folder, 'alone/package.json'));
    const ended = await claw(['runs', '--json'], { data, program: [...oldNode(), launcher] });
    const says =
      /^claw: Node\.js \d+\.\d+\.\d+ is too old; install version 24 or newer, or run npm ci/;
    expectFailure(ended, 'NODE_TOO_OLD', says);
  });

  test('hands over to the one that npm ci brings', async () => {
    const program = [...oldNode(), join(projectRoot, 'bin/claw.js')] as const;
    const ended = await claw(['doctor', '--port', '0', '--json'], { data, program });
    expect(ended.status).toBe(0);
    expect(oneObject(ended.stdout)).toMatchObject({ healthy: true });
  });
});

describe('native packages that did not build', () => {
  let program: readonly [string, string];

  beforeAll(() => {
    const launcher = copyProject('unbuilt', {
      'isolated-vm': withoutBinaries('isolated-vm', ['package.json', 'isolated-vm.js']),
      'node-llama-cpp': withoutBinaries('node-llama-cpp', [
        'package.json',
        'dist',
        'llama/binariesGithubRelease.json',
        'llama/llama.cpp.info.json',
        'llama/package.json',
      ]),
      '@node-llama-cpp': () => undefined,
    });
    program = [process.execPath, launcher];
  });

  test('a model says so by name, and a runtime does not start', async () => {
    const says = /node-llama-cpp does not load on this machine; run npm ci again/;
    const words = ['generate', '--prompt', 'x', '--json'];
    expectFailure(await claw(words, { data, program }), 'NATIVE_PACKAGE_MISSING', says);
    const { pipeline, input } = writeSoundInput(folder);
    const run = ['run', pipeline, '--input', input, '--json'];
    expectFailure(await claw(run, { data, program }), 'NATIVE_PACKAGE_MISSING', says);
    expect(await listRuns(data)).toEqual([]);
  });

  test('a sandbox says so by name', async () => {
    const script = join(projectRoot, 'bin/claw.js');
    const ended = await claw(['sandbox', 'exec', script, '--json'], { data, program });
    expectFailure(ended, 'NATIVE_PACKAGE_MISSING', /The package isolated-vm .*run npm ci again/);
  });

  test('commands that need none of them work, and doctor names them', async () => {
    const runs = await claw(['runs', '--json'], { data, program });
    expect([runs.status, runs.stderr]).toEqual([0, '']);
    const doctor = await claw(['doctor', '--port', '0', '--json'], { data, program });
    expect(doctor.status).toBe(4);
    const { findings } = oneObject(doctor.stdout) as {
      findings: { check: string; status: string; detail: string }[];
    };
    const failed = findings.filter(({ status }) => status === 'failed');
    expect(failed.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['isolated-vm', 'node-llama-cpp', 'sandbox']),
    );
    for (const { detail } of failed) expect(detail).toMatch(/run npm ci again/);
  });

  test('a package that is not there at all is the same', async () => {
    const launcher = copyProject('absent', {
      'isolated-vm': () => undefined,
      yaml: () => undefined,
    });
    const absent = [process.execPath, launcher] as const;
    const ended = await claw(['runs', '--json'], { data, program: absent });
    expectFailure(ended, 'NATIVE_PACKAGE_MISSING', /'yaml'.*; run npm ci again/);
  });
});

describe('with an isolated-vm that lets scripts out', () => {
  let program: [string, ...string[]];

  beforeAll(() => {
    const launcher = copyProject('outdated', {
      'isolated-vm': (place) => {
        const original = join(projectRoot, 'node_modules/isolated-vm');
        mkdirSync(place);
        symlinkSync(join(original, 'prebuilds'), join(place, 'prebuilds'));
        cpSync(join(original, 'isolated-vm.js'), join(place, 'isolated-vm.js'));
        const manifest = JSON.parse(readFileSync(join(original, 'package.json'), 'utf8'));
        writeFileSync(
          join(place, 'package.json'),
          JSON.stringify({ ...manifest, version: '7.0.0' }),
        );
      },
    });
    program = [process.execPath, launcher];
  });

  test('no script runs and no runtime starts', async () => {
    const says = /isolated-vm 7\.0\.0 is older than 7\.0\.1\. Run npm ci again/;
    const script = join(projectRoot, 'bin/claw.js');
    const exec = await claw(['sandbox', 'exec', script, '--json'], { data, program });
    expectFailure(exec, 'ISOLATED_VM_OUTDATED', says);
    const own = join(folder, 'outdated-input');
    mkdirSync(own);
    const { pipeline, input } = writeSoundInput(own);
    const run = ['run', pipeline, '--input', input, '--json'];
    expectFailure(await claw(run, { data, program }), 'ISOLATED_VM_OUTDATED', says);
    expect(await listRuns(data)).toEqual([]);
  });

  test('doctor names it', async () => {
    const { status, stdout } = await claw(['doctor', '--port', '0', '--json'], { data, program });
    expect(status).toBe(4);
    const { findings } = oneObject(stdout) as {
      findings: { check: string; status: string; code?: string }[];
    };
    expect(findings.find(({ check }) => check === 'isolated-vm')).toMatchObject({
      status: 'failed',
      code: 'ISOLATED_VM_OUTDATED',
    });
  });
});
