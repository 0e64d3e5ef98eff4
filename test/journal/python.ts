/** Python, for the second reader of the journal. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface PythonEnd {
  readonly status: number | null;
  readonly lines: readonly unknown[];
}

/** Runs a script of the project; every line that it prints is JSON. */
export function runPython(script: string, args: readonly string[], input = ''): PythonEnd {
  const { status, stdout, stderr, error } = spawnSync('python3', ['-B', script, ...args], {
    cwd: root,
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 ** 2,
  });
  if (error !== undefined) throw new Error('python3 is not here; install it.', { cause: error });
  if (stderr !== '') throw new Error(stderr);
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
  return { status, lines };
}
