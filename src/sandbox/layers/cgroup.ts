/**
 * Control groups for single executions: the kernel itself bounds memory and
 * the number of tasks, between two looks of the watchdog too.
 *
 * Both versions are served. In version 1 memory and pids are two trees. In
 * version 2 a group with processes has no children with controllers, so the
 * groups are made beside the runtime's own, where they are delegated there.
 *
 * Invariants
 *   G1. Nothing of the event loop waits for the kernel: moving a process into
 *       a group takes milliseconds, so every access is asynchronous.
 *   G2. Groups that a killed runtime left are removed by the next one.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';

export interface CgroupBounds {
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly tasks: number;
}

/** Where groups can be made: one folder for each controller, the same one twice in version 2. */
export interface CgroupTree {
  readonly version: 1 | 2;
  readonly memory: string;
  readonly pids: string;
}

/** How often a group that still has a dying process is tried to be removed, and the time between. */
const removalTriesMax = 40;
const removalRetryMs = 25;

const files = {
  1: { memory: 'memory.limit_in_bytes', events: 'memory.oom_control' },
  2: { memory: 'memory.max', events: 'memory.events' },
} as const;

let groupsMade = 0;

/** The group of one execution. */
export class ExecutionCgroup {
  readonly name: string;
  readonly #tree: CgroupTree;

  private constructor(tree: CgroupTree, name: string) {
    this.#tree = tree;
    this.name = name;
  }

  /** @throws the system's error when the tree takes no more groups. */
  static async create(tree: CgroupTree, bounds: CgroupBounds): Promise<ExecutionCgroup> {
    groupsMade += 1;
    const group = new ExecutionCgroup(tree, `openclaw-${process.pid}-${threadId}-${groupsMade}`);
    try {
      for (const folder of group.#folders()) await mkdir(folder);
      await group.bound(bounds);
    } catch (error) {
      await group.remove();
      throw error;
    }
    return group;
  }

  async bound({ memoryBytes, tasks }: CgroupBounds): Promise<void> {
    const { memory, pids, version } = this.#tree;
    await writeFile(join(memory, this.name, files[version].memory), String(memoryBytes));
    await writeFile(join(pids, this.name, 'pids.max'), String(tasks));
    // What is swapped out counts as little as if there were no bound; not every kernel has the file.
    if (version === 2)
      await writeFile(join(memory, this.name, 'memory.swap.max'), '0').catch(() => {});
  }

  /** Moves a process in, with its threads; what it starts later is in too. */
  async add(pid: number): Promise<void> {
    for (const folder of this.#folders())
      await writeFile(join(folder, 'cgroup.procs'), String(pid));
  }

  /** Whether the kernel has killed a process of the group for its memory. */
  async hasKilled(): Promise<boolean> {
    try {
      const { memory, version } = this.#tree;
      const text = await readFile(join(memory, this.name, files[version].events), 'latin1');
      return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
    } catch {
      return false;
    }
  }

  /** Removes the group; a process that is dying may hold it for a moment. Never rejects. */
  async remove(): Promise<void> {
    for (const folder of this.#folders()) await removeGroup(folder);
  }

  #folders(): string[] {
    const { memory, pids } = this.#tree;
    return [...new Set([join(memory, this.name), join(pids, this.name)])];
  }
}

async function removeGroup(folder: string): Promise<void> {
  for (let tries = 0; tries < removalTriesMax; tries += 1) {
    try {
      await rmdir(folder);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') return;
      await sleep(removalRetryMs, undefined, { ref: false });
    }
  }
}

/** Trees in which this process could make groups, likeliest first; whether it may is to be tried. */
export async function cgroupTrees(): Promise<CgroupTree[]> {
  const [mounts, own] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8').catch(() => ''),
    readFile('/proc/self/cgroup', 'utf8').catch(() => ''),
  ]);
  return treesOf(mounts, own);
}

/**
 * Lets groups of a tree have bounds. In version 2 that is a setting of the
 * folder that they are made in; where it may not be set, the trial will tell.
 */
export async function enableBounds({ version, memory }: CgroupTree): Promise<void> {
  if (version === 1) return;
  await writeFile(join(memory, 'cgroup.subtree_control'), '+memory +pids').catch(() => {});
}

/** From the texts of /proc/self/mountinfo and /proc/self/cgroup. */
export function treesOf(mounts: string, own: string): CgroupTree[] {
  const places = cgroupMounts(mounts);
  const ownPath = (controller: string): string | undefined => {
    for (const line of own.split('\n')) {
      const [, controllers = '', ...path] = line.split(':');
      if (controllers.split(',').includes(controller)) return path.join(':');
    }
    return undefined;
  };
  const trees: CgroupTree[] = [];
  const unified = places.find(({ version }) => version === 2);
  const unifiedPath = ownPath('');
  if (unified !== undefined && unifiedPath !== undefined) {
    const mine = inside(unified, unifiedPath);
    // Beside the own group first (see above); the root alone may have both.
    for (const folder of new Set([dirname(mine), mine])) {
      if (folder.startsWith(unified.point))
        trees.push({ version: 2, memory: folder, pids: folder });
    }
  }
  const [memory, pids] = ['memory', 'pids'].map((controller) => {
    const place = places.find(
      ({ version, options }) => version === 1 && options.includes(controller),
    );
    const path = ownPath(controller);
    return place === undefined || path === undefined ? undefined : inside(place, path);
  });
  if (memory !== undefined && pids !== undefined) trees.push({ version: 1, memory, pids });
  return trees;
}

interface CgroupMount {
  readonly version: 1 | 2;
  /** Which part of the hierarchy is mounted, and where. */
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

function cgroupMounts(text: string): CgroupMount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    return [{ version: type === 'cgroup' ? 1 : 2, root, point, options: options.split(',') }];
  });
}

/** The folder of a group; in a container the mount may begin at the container's own group. */
function inside({ root, point }: CgroupMount, path: string): string {
  const relative = root !== '/' && path.startsWith(root) ? path.slice(root.length) : path;
  return resolve(join(point, relative));
}

/** Removes empty groups of runtimes that are no more (G2). */
export async function sweepGroups(tree: CgroupTree): Promise<void> {
  for (const folder of new Set([tree.memory, tree.pids])) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names) {
      const pid = Number(/^openclaw-(\d+)-\d+-\d+$/.exec(name)?.[1]);
      if (Number.isSafeInteger(pid) && !isAlive(pid))
        await rmdir(join(folder, name)).catch(() => {});
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
