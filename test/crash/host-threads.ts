/** The host threads of the runtimes of this process, found as any program could find them. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';

const living = new Set<Worker>();

process.on('worker', (worker: Worker) => {
  if (worker.threadName?.startsWith('host-') !== true) return;
  living.add(worker);
  worker.once('exit', () => living.delete(worker));
});

/** Ends one host at whatever it is doing; `pick` from 0 to 1 chooses which. False when none lives. */
export async function killHost(pick = 0): Promise<boolean> {
  const hosts = [...living];
  const host = hosts[Math.min(hosts.length - 1, Math.floor(pick * hosts.length))];
  if (host === undefined) return false;
  await host.terminate();
  return true;
}

/** Ends one host as soon as one lives. */
export async function killNextHost(): Promise<void> {
  while (!(await killHost())) await turn();
}
