/**
 * A public network of the test's own: a process in a new network namespace whose
 * loopback interface has public-looking addresses. Nothing of it reaches any
 * other machine, and the product needs no door for tests.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const addresses = ['8.8.8.8/32', '9.9.9.9/32'];
const setUp = [
  'ip link set lo up',
  ...addresses.map((address) => `ip addr add ${address} dev lo`),
  'ip -6 addr add 2606:4700::1111/128 dev lo 2>/dev/null || true',
].join(' && ');

export interface InNetwork {
  readonly environment?: Readonly<Record<string, string>>;
  readonly arguments?: readonly string[];
}

/** Runs a script of Node.js there; what it says on standard output. @throws Error unless it exits with 0 */
export async function inPublicNetwork(script: URL, options: InNetwork = {}): Promise<string> {
  const child = startInPublicNetwork(script, options);
  const [said, complaint, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  if (status !== 0) throw new Error(`the script ended with ${status}: ${complaint}\n${said}`);
  return said;
}

function startInPublicNetwork(
  script: URL,
  options: InNetwork,
): ChildProcessByStdio<null, Readable, Readable> {
  const run = `${setUp} && exec "$0" "$@"`;
  const command = [process.execPath, fileURLToPath(script), ...(options.arguments ?? [])];
  // As root of a user namespace of its own, so that nobody needs to be root for it.
  return spawn('unshare', ['--user', '--map-root-user', '--net', 'sh', '-c', run, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
  });
}
