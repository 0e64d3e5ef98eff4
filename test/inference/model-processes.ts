/** The processes of models that this process, or a thread of it, has started. */
import { readdirSync, readFileSync } from 'node:fs';

/** Process ids, youngest last; reads /proc. */
export function modelProcesses(parent = process.pid): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isModelProcess(pid, parent))
    .sort((one, other) => one - other);
}

function isModelProcess(pid: number, parent: number): boolean {
  try {
    // The name in parentheses may hold spaces: what follows it begins with the state.
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=\w )/);
    const [state, ppid] = fields.split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return state !== 'Z' && Number(ppid) === parent && command.includes('child-model-entry');
  } catch {
    return false;
  }
}
