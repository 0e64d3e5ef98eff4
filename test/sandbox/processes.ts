/** What the process table says of sandbox processes. Only where the platform has /proc. */
import { readdirSync, readFileSync } from 'node:fs';

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .split(' ')
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return []; // It has ended in between.
  }
}

/** Everything that `pid` has started, directly or not. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** The processes with an isolate that `parent` has started; not what wraps them. */
export function sandboxPids(parent: number): number[] {
  return descendantsOf(parent).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0] === process.execPath && words.some((word) => word.endsWith('.node'));
    } catch {
      return false;
    }
  });
}

/** Waits for a condition on the outside world. @throws Error when it does not come to hold. */
export async function eventually(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition never held');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
