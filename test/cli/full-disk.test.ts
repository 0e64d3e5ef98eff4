/**
 * A disk that is full, through the real command: a small tmpfs in a mount
 * namespace of its own, which goes away with its last process. Where the
 * system allows no such namespace, the same fault is injected into the file
 * calls of the real command.
 */
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSoundInput } from './bad-input-files.ts';
import {
  claw,
  type Ended,
  expectFailure,
  listRuns,
  oneObject,
  plainEnvironment,
  projectRoot,
  temporaryFolder,
} from './claw-process.ts';

const { folder, remove } = temporaryFolder();
const disk = join(folder, 'disk');
const data = join(disk, 'data');
const unshare = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
const probe = ['unshare', ...unshare, 'mount', '-t', 'tmpfs', 'none', disk] as const;
const runFile = promisify(execFile);
const sentence = /disk is full.*; free disk space and (start|try) again\./;
let sound: { pipeline: string; input: string };
let run: string[];

mkdirSync(disk);
const mountable = spawnSync(probe[0], probe.slice(1)).status === 0;

beforeAll(() => {
  sound = writeSoundInput(folder);
  run = ['run', sound.pipeline, '--input', sound.input, '--json'];
});

afterAll(remove);

/** Shell lines around the command, all on one small disk; the ends of the `claw` lines in order. */
async function onSmallDisk(
  sizeMb: number,
  steps: readonly (string | string[])[],
): Promise<Ended[]> {
  const names: string[] = [];
  const lines = steps.map((step) => {
    if (typeof step === 'string') return step;
    const name = join(folder, `step-${names.length}`);
    names.push(name);
    const words = [process.execPath, join(projectRoot, 'bin/claw.js'), ...step];
    const command = words.map((word) => `'${word}'`).join(' ');
    return `${command} >${name}.out 2>${name}.err; echo $? >${name}.rc`;
  });
  const script = [`mount -t tmpfs -o size=${sizeMb}m none ${disk}`, ...lines].join('\n');
  await runFile('unshare', [...unshare, 'sh', '-c', script], {
    cwd: projectRoot,
    env: plainEnvironment(data),
  });
  return names.map((name) => ({
    status: Number(readFileSync(`${name}.rc`, 'utf8')),
    stdout: readFileSync(`${name}.out`, 'utf8'),
    stderr: readFileSync(`${name}.err`, 'utf8'),
  }));
}

const fill = `dd if=/dev/zero of=${disk}/fill bs=4k 2>/dev/null`;
const free = `rm ${disk}/fill`;

function isRun(ended: Ended | undefined): void {
  expect(oneObject(ended?.stdout ?? '')).toMatchObject({ status: 'succeeded' });
}

function runsIn(ended: Ended | undefined): number {
  expect(ended?.status).toBe(0);
  return (oneObject(ended?.stdout ?? '') as { runs: unknown[] }).runs.length;
}

test('a journal that cannot grow stops with one sentence, and works once there is room', async () => {
  const fault = [
    "import fs from 'node:fs';",
    'const write = fs.writeSync;',
    'fs.writeSync = (file, bytes, ...rest) => {',
    "  if (bytes.length >= 1 << 20) throw Object.assign(new Error('full'), { code: 'ENOSPC' });",
    '  return write(file, bytes, ...rest);',
    '};',
  ].join('\n');
  writeFileSync(join(folder, 'fault.mjs'), fault);
  const environment = { NODE_OPTIONS: `--import=${join(folder, 'fault.mjs')}` };
  const faulty = join(folder, 'faulty');
  expectFailure(await claw(run, { data: faulty, environment }), 'DISK_FULL', sentence);
  const up = ['up', '--port', '0', '--json'];
  expectFailure(await claw(up, { data: faulty, environment }), 'DISK_FULL', sentence);
  expect(await listRuns(faulty)).toEqual([]);
  isRun(await claw(run, { data: faulty }));
  expect(await listRuns(faulty)).toHaveLength(1);
});

// Registered only where it can run, because the test above shows the same fault anywhere.
if (mountable) {
  describe('a small disk', () => {
    test('that is full at the first start leaves nothing that a later start trips over', async () => {
      const ends = await onSmallDisk(8, [
        fill,
        run,
        free,
        run,
        ['doctor', '--port', '0', '--json'],
        ['runs', '--json'],
        `mount -o remount,size=40m ${disk}`,
        run,
      ]);
      const [full, tooSmall, doctor, runs, good] = ends;
      if (full === undefined || tooSmall === undefined) throw new Error('two ends are there');
      expectFailure(full, 'DISK_FULL', sentence);
      expectFailure(tooSmall, 'DISK_FULL', sentence);
      expect(doctor?.status).toBe(4);
      expect(doctor?.stdout).toMatch(/too little for a part of the journal; free some disk space/);
      expect(runsIn(runs)).toBe(0);
      isRun(good);
    });

    test('that fills up later loses nothing: what was there is read and goes on', async () => {
      const long = join(folder, 'long');
      mkdirSync(long);
      for (let index = 0; index < 40; index += 1) {
        // Hardly shorter when compressed.
        const noise =
          randomBytes(170_000)
            .toString('base64')
            .match(/.{1,76}/g) ?? [];
        writeFileSync(join(long, `${index}.txt`), `${index} ${noise.join('\n')}`);
      }
      const copying = join(folder, 'copying.yaml');
      writeFileSync(copying, `${readFileSync(sound.pipeline, 'utf8')}input: { workspace: big }\n`);
      mkdirSync(join(folder, 'big'));
      writeFileSync(join(folder, 'big/big.bin'), Buffer.alloc(6 * 1024 ** 2));
      const ends = await onSmallDisk(20, [
        run,
        ['run', copying, '--input', sound.input, '--json'],
        ['run', sound.pipeline, '--input', long, '--json'],
        `ls ${data}/workspaces | wc -l >${folder}/workspaces`,
        fill,
        run,
        ['up', '--port', '0', '--json'],
        ['runs', '--json'],
        free,
        run,
        ['runs', '--json'],
      ]);
      const [first, workspace, texts, start, up, before, again, after] = ends;
      isRun(first);
      for (const end of [workspace, texts, start, up]) {
        expect(end).toBeDefined();
        if (end !== undefined) expectFailure(end, 'DISK_FULL', sentence);
      }
      expect(readFileSync(join(folder, 'workspaces'), 'utf8').trim()).toBe('1');
      expect(runsIn(before)).toBe(1);
      isRun(again);
      expect(runsIn(after)).toBe(2);
    });
  });
}
