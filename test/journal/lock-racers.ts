/** Processes that take the lock of a data directory when they are told to. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface Racer {
  readonly pid: number | undefined;
  /** Takes the lock and holds it: `owner`, `locked`, or another error. */
  take(folder: string): Promise<unknown>;
  release(): Promise<unknown>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

/** Racers that are ready, and end with the test. */
export async function startRacers(count: number): Promise<Racer[]> {
  const entry = fileURLToPath(new URL('./lock-racer.ts', import.meta.url));
  const children = Array.from({ length: count }, () => fork(entry, { execArgv: [] }));
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const racers = children.map(racerOf);
  for (const racer of racers) await racer.release();
  return racers;
}

function racerOf(child: ChildProcess): Racer {
  const ask = async (folder: string | null): Promise<unknown> => {
    const answer = once(child, 'message');
    child.send(JSON.stringify(folder));
    return (await answer)[0];
  };
  return {
    pid: child.pid,
    take: ask,
    release: () => ask(null),
    kill: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
