/**
 * Open files that a started program would get besides its pipes: Node.js marks
 * what it opens so that nobody inherits it, but not all that it was itself
 * started with, nor what a native package opens.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** O_CLOEXEC, in the octal `flags` of /proc/self/fdinfo. */
const closeOnExec = 0o2000000;

/** Descriptors of this process beyond standard error that a child inherits. Only Linux tells. */
export function inheritableDescriptors(): number[] {
  if (process.platform !== 'linux') return [];
  try {
    return readdirSync('/proc/self/fd')
      .map(Number)
      .filter((descriptor) => descriptor > 2 && isInheritable(descriptor));
  } catch {
    return [];
  }
}

function isInheritable(descriptor: number): boolean {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1');
    const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(text)?.[1] ?? '', 8);
    return (flags & closeOnExec) === 0;
  } catch {
    return false; // It was closed in between: the one by which the folder was read.
  }
}
