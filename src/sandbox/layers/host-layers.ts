/**
 * Which layers work on this host: each is tried for real once, by starting
 * Node.js under it and looking at what the kernel says of the process.
 */
import { once } from 'node:events';
import { limits } from '../../kernel/limits.ts';
import { findBubblewrap } from './bubblewrap.ts';
import { type CgroupTree, cgroupTrees, enableBounds, sweepGroups } from './cgroup.ts';
import { ConfinedProcess, type LayersInUse } from './confined-process.ts';
import type { LayerName, LayerState, LayerStates } from './layer.ts';
import { nodeFiles } from './node-files.ts';
import { observedLayers } from './observed-layers.ts';
import { type SeccompProfile, seccompFilter } from './seccomp-filter.ts';

/** What was found, and what is needed to use it. */
export interface HostLayers {
  readonly states: LayerStates;
  /** All layers of the kernel that work, for a kind of process. */
  inUse(profile: SeccompProfile): LayersInUse;
}

const none: LayersInUse = { bubblewrap: null, seccomp: null, cgroup: null };
const mebibyte = 1024 * 1024;
const trialBounds = { memoryBytes: 512 * mebibyte, tasks: 64 };
/** How often a layer is tried on a host that is too busy to start a process. */
const trialsMax = 3;
const tooSlow = 'a process under it did not start in time';
/** Says that it runs, and ends when its input does. */
const trialProgram = 'process.stdout.write("."); process.stdin.resume()';

let found: Promise<HostLayers> | null = null;

/** Tried at the first call in this thread, remembered afterwards. Never rejects. */
export function hostLayers(): Promise<HostLayers> {
  found ??= detect();
  return found;
}

async function detect(): Promise<HostLayers> {
  if (process.platform !== 'linux') return onlyPermission();
  const [cgroup, namespaces] = await Promise.all([tryCgroup(), tryNamespaces()]);
  const { bubblewrap, seccomp } = namespaces;
  return {
    states: { bubblewrap: bubblewrap.state, seccomp, cgroup: cgroup.state, permission },
    inUse: (profile) => ({
      bubblewrap: bubblewrap.path,
      seccomp: seccomp.works ? seccompFilter(process.arch, profile) : null,
      cgroup: cgroup.tree,
    }),
  };
}

const permission: LayerState = { works: true, detail: 'Part of Node.js.' };

function onlyPermission(): HostLayers {
  const missing: LayerState = {
    works: false,
    reason: `${process.platform} has no such thing; only Linux has`,
    remedy: 'Run on Linux.',
  };
  return {
    states: { bubblewrap: missing, seccomp: missing, cgroup: missing, permission },
    inUse: () => none,
  };
}

interface Namespaces {
  readonly bubblewrap: { readonly path: string | null; readonly state: LayerState };
  readonly seccomp: LayerState;
}

async function tryNamespaces(): Promise<Namespaces> {
  const path = findBubblewrap();
  const noFilter: LayerState = {
    works: false,
    reason: 'bubblewrap loads the filter, and does not work here',
    remedy: 'See bubblewrap.',
  };
  if (path === null) {
    const state: LayerState = {
      works: false,
      reason: 'bwrap is not installed',
      remedy: 'Install the package bubblewrap.',
    };
    return { bubblewrap: { path, state }, seccomp: noFilter };
  }
  const filter = seccompFilter(process.arch, 'isolate');
  // Both at once, because usually both work.
  const both =
    filter === null
      ? null
      : await trial({ ...none, bubblewrap: path, seccomp: filter }, ['bubblewrap', 'seccomp']);
  const namespaces: LayerState = { works: true, detail: `${path}: all namespaces unshared.` };
  if (both === 'works') {
    const state: LayerState = { works: true, detail: `A filter for ${process.arch}.` };
    return { bubblewrap: { path, state: namespaces }, seccomp: state };
  }
  const alone = await trial({ ...none, bubblewrap: path }, ['bubblewrap']);
  if (alone !== 'works') {
    const state: LayerState = {
      works: false,
      reason: alone,
      remedy:
        'Allow user namespaces (sysctl kernel.unprivileged_userns_clone, AppArmor, the container).',
    };
    return { bubblewrap: { path: null, state }, seccomp: noFilter };
  }
  const seccomp: LayerState = {
    works: false,
    reason: both ?? `no filter is known for the processor ${process.arch}`,
    remedy: 'Use a kernel with CONFIG_SECCOMP_FILTER, on x64 or arm64.',
  };
  return { bubblewrap: { path, state: namespaces }, seccomp };
}

async function tryCgroup(): Promise<{ tree: CgroupTree | null; state: LayerState }> {
  let reason = 'no hierarchy with memory and pids is mounted';
  for (const tree of await cgroupTrees()) {
    await enableBounds(tree);
    const result = await trial({ ...none, cgroup: tree }, ['cgroup']);
    if (result === 'works') {
      void sweepGroups(tree);
      const detail = `Version ${tree.version}, memory and pids for each execution.`;
      return { tree, state: { works: true, detail } };
    }
    reason = result;
  }
  const remedy =
    'Delegate a control group with memory and pids to the runtime (systemd: Delegate=yes and DelegateSubgroup=).';
  return { tree: null, state: { works: false, reason, remedy } };
}

/**
 * 'works', or why not. Never rejects. A host that is too busy to start a
 * process is no host without the layer, and what is found is remembered: so it
 * is given time again.
 */
async function trial(layers: LayersInUse, wanted: readonly LayerName[]): Promise<string> {
  let result = tooSlow;
  for (let tries = 0; result === tooSlow && tries < trialsMax; tries += 1) {
    result = await tryOnce(layers, wanted);
  }
  return result;
}

async function tryOnce(layers: LayersInUse, wanted: readonly LayerName[]): Promise<string> {
  let started: ConfinedProcess;
  try {
    started = await ConfinedProcess.start(
      {
        file: process.execPath,
        args: ['--no-warnings', '-e', trialProgram],
        environment: {},
        readOnly: nodeFiles(),
        single: true,
        stderr: 'pipe',
        bounds: trialBounds,
      },
      layers,
    );
  } catch (error) {
    return firstLine((error as Error).message);
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    started.kill();
  }, limits.sandboxStartMsMax);
  let complaint = '';
  started.stderr?.on('data', (chunk: Buffer) => {
    if (complaint.length < 1_000) complaint += chunk.toString('utf8');
  });
  try {
    const pid = await started.started;
    await Promise.race([once(started.stdout, 'data'), started.exited]);
    const seen = pid === null ? [] : await observedLayers(pid, started.group?.name ?? null);
    started.stdin.end();
    const { code } = await started.exited;
    if (wanted.every((name) => seen.includes(name)) && code === 0) return 'works';
    if (isLate) return tooSlow;
    return firstLine(complaint) || `a process under it ended with status ${code}`;
  } catch (error) {
    return firstLine((error as Error).message);
  } finally {
    clearTimeout(timer);
    started.kill();
  }
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200);
}
