import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ExecutionCgroup, sweepGroups, treesOf } from '../../../src/sandbox/layers/cgroup.ts';
import { hostLayers } from '../../../src/sandbox/layers/host-layers.ts';
import { eventually } from '../processes.ts';
import { runNode } from './confined-node.ts';

test('in version 1 memory and pids are two trees, each at the place of this process', () => {
  const mounts = [
    '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
    '39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids',
    '23 1 8:1 / / rw - ext4 /dev/sda rw',
  ].join('\n');
  expect(treesOf(mounts, '8:pids:/\n4:memory:/jobs/7\n2:cpu,cpuacct:/\n')).toEqual([
    { version: 1, memory: '/sys/fs/cgroup/memory/jobs/7', pids: '/sys/fs/cgroup/pids' },
  ]);
});

test('in version 2 groups lie beside that of this process, or below it at the root', () => {
  const mounts = '30 20 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw';
  const tree = (folder: string) => ({ version: 2, memory: folder, pids: folder });
  expect(treesOf(mounts, '0::/user.slice/app.scope\n')).toEqual([
    tree('/sys/fs/cgroup/user.slice'),
    tree('/sys/fs/cgroup/user.slice/app.scope'),
  ]);
  expect(treesOf(mounts, '0::/\n').at(-1)).toEqual(tree('/sys/fs/cgroup'));
});

test('in a container the mount begins at the group of the container', () => {
  const mounts = '30 20 0:27 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup2 rw';
  expect(treesOf(mounts, '0::/docker/ab/inner\n')[0]?.memory).toBe('/sys/fs/cgroup');
});

test('nothing is taken for a tree where nothing is mounted', () => {
  expect(treesOf('', '')).toEqual([]);
});

const host = await hostLayers();
const { cgroup: tree } = host.inUse('isolate');

describe.runIf(tree !== null)('the group of an execution', () => {
  test('ends what takes more memory than it allows, and says so', async () => {
    const { exit } = await runNode(
      `const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));`,
      { ...host.inUse('isolate') },
      { memoryBytes: 128 << 20, tasks: 64 },
    );
    expect(exit.outOfMemory).toBe(true);
  });

  test('bounds processes and threads', async () => {
    const { output } = await runNode(
      `const { spawn } = require('node:child_process');
       const children = [];
       const end = (word) => { for (const child of children) child.kill('SIGKILL'); console.log(word); process.exit(); };
       const more = () => { if (children.length === 100) return end('unbounded');
         const child = spawn('sleep', ['60'], { stdio: 'ignore' }); children.push(child);
         child.once('error', (error) => end(error.code)); child.once('spawn', more); };
       more();`,
      { bubblewrap: null, seccomp: null, cgroup: tree },
      { memoryBytes: 1 << 30, tasks: 24 },
    );
    expect(output).toBe('EAGAIN\n');
  });

  test('is gone after it', async () => {
    if (tree === null) throw new Error('there is no tree');
    const folders = (name: string) => [tree.memory, tree.pids].map((folder) => join(folder, name));
    const { group } = await runNode(
      `setTimeout(() => {}, 50)`,
      { bubblewrap: null, seccomp: null, cgroup: tree },
      { memoryBytes: 256 << 20, tasks: 64 },
    );
    expect(group).toMatch(/^openclaw-/);
    await eventually(() => folders(`${group}`).every((folder) => !existsSync(folder)));
  });

  test('of a runtime that is no more is removed by the next one, one of a living stays', async () => {
    if (tree === null) throw new Error('there is no tree');
    const { pid: dead } = spawnSync('true');
    const [stale, living] = [dead, process.pid].map((pid) =>
      join(tree.memory, `openclaw-${pid}-0-0`),
    );
    for (const folder of [`${stale}`, `${living}`]) mkdirSync(folder);
    await sweepGroups(tree);
    expect([existsSync(`${stale}`), existsSync(`${living}`)]).toEqual([false, true]);
    rmdirSync(`${living}`);
  });

  test('is refused where it cannot be made, and leaves nothing', async () => {
    if (tree === null) throw new Error('there is no tree');
    const bounds = { memoryBytes: 64 << 20, tasks: 8 };
    const missing = { ...tree, pids: join(tree.pids, 'no-such-folder') };
    await expect(ExecutionCgroup.create(missing, bounds)).rejects.toThrow(/ENOENT/);
    const left = readdirSync(tree.memory).filter((name) =>
      name.startsWith(`openclaw-${process.pid}-`),
    );
    await eventually(() => left.every((name) => !existsSync(join(tree.memory, name))));
  });
});
