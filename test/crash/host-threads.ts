/** The host threads of the runtimes of this process, found as any program could find them. */
import { subscribe } from 'node:diagnostics_channel';
import { setImmediate as turn } from 'node:timers/promises';
import { type HostWorker, hostBegan } from '../../src/runtime/host-worker/client.ts';

type Host = Pick<HostWorker, 'exited' | 'terminate'>;

const living = new Set<Host>();

subscribe(hostBegan.name, (message) => {
  const host = message as Host;
  living.add(host);
  void host.exited.then(() => living.delete(host));
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
