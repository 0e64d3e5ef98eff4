/**
 * Which layers hold a process, by the kernel's own account of it. What was
 * asked for is not taken for what is: an outcome names what was seen.
 */
import { readFile } from 'node:fs/promises';
import type { LayerName } from './layer.ts';

/** Layers of the kernel around process `pid`; `group` is the name of its control group, if any. */
export async function observedLayers(pid: number, group: string | null): Promise<LayerName[]> {
  const [status, groups] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'latin1').catch(() => ''),
    group === null ? '' : readFile(`/proc/${pid}/cgroup`, 'latin1').catch(() => ''),
  ]);
  return layersOf(status, groups, group);
}

/** From the texts of /proc/<pid>/status and /proc/<pid>/cgroup. */
export function layersOf(status: string, groups: string, group: string | null): LayerName[] {
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
  // A process in a PID namespace of its own has a number in each of the two.
  const isolated = field('NSpid').split(/\s+/).length >= 2;
  const powerless = /^0+$/.test(field('CapEff')) && field('NoNewPrivs') === '1';
  const found: LayerName[] = [];
  if (isolated && powerless) found.push('bubblewrap');
  if (field('Seccomp') === '2') found.push('seccomp');
  if (group !== null && groups.split('\n').some((line) => line.endsWith(`/${group}`))) {
    found.push('cgroup');
  }
  return found;
}
