/**
 * The server of llama.cpp, a real OpenAI-compatible endpoint, as Debian packages
 * it: unpacked into a folder with the libraries that it was built with, and
 * started from there. Nothing of the machine is changed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from '../../src/kernel/assert.ts';

/** Debian's current development version: stable ones have no llama.cpp. */
const source = 'deb http://deb.debian.org/debian sid main\n';
const packages = [
  'llama.cpp-tools',
  'libllama0',
  'libggml0',
  'libc6',
  'libgcc-s1',
  'libgomp1',
  'libstdc++6',
  'libssl3t64',
  'libzstd1',
  'zlib1g',
];
const startMsMax = 60_000;
const pollMs = 100;
const libraries = 'usr/lib/x86_64-linux-gnu';

/** Fetches 12 MB of packages by apt-get and unpacks them into `folder`. */
export function installLlamaServer(folder: string): void {
  const lists = join(folder, 'lists');
  const cache = join(folder, 'cache');
  const debs = join(folder, 'debs');
  for (const each of [join(lists, 'partial'), join(cache, 'archives/partial'), debs]) {
    mkdirSync(each, { recursive: true });
  }
  const sources = join(folder, 'sources.list');
  writeFileSync(sources, source);
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${cache}`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const apt = (...args: string[]): void => {
    execFileSync('apt-get', [...options, '-qq', ...args], { cwd: debs, stdio: 'inherit' });
  };
  apt('update');
  apt('download', ...packages);
  const root = join(folder, 'root');
  for (const deb of readdirSync(debs)) execFileSync('dpkg-deb', ['-x', join(debs, deb), root]);
}

export interface LlamaServer {
  /** Up to and with its `/v1`. */
  readonly baseUrl: string;
  /** Ends it at once, in the middle of whatever it does. */
  kill(): Promise<void>;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Starts what was installed in `folder`; resolves when it has loaded the model. */
export async function startLlamaServer(
  folder: string,
  { model, key }: { model: string; key: string },
): Promise<LlamaServer> {
  const root = join(folder, 'root');
  const own = join(root, libraries);
  const port = await freePort();
  const child = spawn(
    join(own, 'ld-linux-x86-64.so.2'),
    [
      ...['--library-path', `${own}:${join(own, 'llama')}`, join(root, 'usr/bin/llama-server')],
      ...['--model', model, '--host', '127.0.0.1', '--port', String(port), '--api-key', key],
      ...['--threads', '1', '--ctx-size', '2048', '--parallel', '1'],
    ],
    {
      env: { GGML_BACKEND_PATH: join(own, 'ggml/backends0/libggml-cpu-x64.so') },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  // Whatever becomes of this process, the server goes with it.
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-2_000);
  });
  const baseUrl = `http://127.0.0.1:${port}/v1`;
  await untilHealthy(child, `http://127.0.0.1:${port}/health`, () => said);
  return {
    baseUrl,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function untilHealthy(child: ChildProcess, url: string, said: () => string): Promise<void> {
  const deadline = performance.now() + startMsMax;
  while (performance.now() < deadline) {
    assert(child.exitCode === null, `the server ended: ${said()}`);
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await sleep(pollMs);
  }
  child.kill('SIGKILL');
  assert(false, `the server did not start: ${said()}`);
}
