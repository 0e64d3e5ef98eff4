/** What waiting sandbox processes take, by the kernel's account; null where there is no /proc. */
import { readdirSync, readFileSync } from 'node:fs';

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1')
      .split(' ')
      .filter(Boolean)
      .map(Number),
  );
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/**
 * MiB of everything that this process has started, together: resident, where
 * what processes share counts in each, and proportional, where it counts once.
 */
export function startedMemoryMb(): { resident: number; proportional: number } | null {
  try {
    const rollups = descendantsOf(process.pid).map((pid) =>
      readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'),
    );
    const sum = (field: string): number =>
      rollups.reduce(
        (total, text) =>
          total + Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0),
        0,
      ) / 1024;
    return { resident: sum('Rss'), proportional: sum('Pss') };
  } catch {
    return null;
  }
}
