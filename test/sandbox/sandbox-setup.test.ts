/**
 * Goal: what the policy says of a missing layer is done, and outcomes name the
 * layers that held. Method: real pools, told that a layer of this host is
 * missing, or that it has one that it has not.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { PipeFrameWriter } from '../../src/bus/pipe-frames.ts';
import { limits } from '../../src/kernel/limits.ts';
import { childProgram } from '../../src/sandbox/child-program.ts';
import { executionLimits } from '../../src/sandbox/execution-limits.ts';
import { isolatedVmFiles } from '../../src/sandbox/isolated-vm-files.ts';
import { ConfinedProcess } from '../../src/sandbox/layers/confined-process.ts';
import { type HostLayers, hostLayers } from '../../src/sandbox/layers/host-layers.ts';
import { layerNames, layerPolicyDefault } from '../../src/sandbox/layers/layer.ts';
import { OverlayFileSystem } from '../../src/sandbox/overlay-file-system.ts';
import { jobTopic, runtimeEnd } from '../../src/sandbox/protocol-topics.ts';
import { SandboxPool } from '../../src/sandbox/sandbox.ts';
import { SandboxProcess } from '../../src/sandbox/sandbox-process.ts';
import { sandboxCommand } from '../../src/sandbox/sandbox-setup.ts';
import { eventually, sandboxPids } from './processes.ts';

const host = await hostLayers();
const folder = mkdtempSync(join(tmpdir(), 'openclaw-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bare: HostLayers = {
  states: {
    ...host.states,
    bubblewrap: { works: false, reason: 'bwrap is not installed', remedy: 'Install bubblewrap.' },
    seccomp: { works: false, reason: 'there is no bubblewrap', remedy: 'See bubblewrap.' },
    cgroup: { works: false, reason: 'nothing is mounted', remedy: 'Delegate a group.' },
  },
  inUse: () => ({ bubblewrap: null, seccomp: null, cgroup: null }),
};

test('an outcome names every layer that works on this host', async () => {
  const pool = new SandboxPool({ size: 0 });
  const { ok, layers } = await pool.execute({ source: '1' });
  expect(ok).toBe(true);
  expect(layers).toEqual(layerNames.filter((name) => host.states[name].works));
  await pool.close();
});

test('where a layer may be missing the script runs, and its outcome does not name it', async () => {
  const pool = new SandboxPool({ size: 0, host: bare });
  expect(await pool.execute({ source: '1' })).toMatchObject({ ok: true, layers: ['permission'] });
  await pool.close();
});

test.runIf(process.platform === 'linux')(
  'without namespaces too a script is ended, and its process is gone',
  async () => {
    const pool = new SandboxPool({ size: 0, host: bare });
    const { error } = await pool.execute({ source: 'for (;;);', timeoutMs: 200 });
    expect(error?.code).toBe('SANDBOX_TIMEOUT');
    await eventually(() => sandboxPids(process.pid).length === 0);
    await pool.close();
  },
);

test.each([
  ['every layer', host],
  ['no layer', bare],
])(
  'under %s a process ends by itself once nobody can speak to it any more',
  async (_name, { inUse }) => {
    const command = sandboxCommand(isolatedVmFiles(), await childProgram());
    const started = await ConfinedProcess.start(command, inUse('isolate'));
    await once(started.stdout, 'data');
    // In the middle of a script that never ends by itself.
    const jobs = new PipeFrameWriter(runtimeEnd, limits.sandboxFrameBytesMax);
    const job = {
      source: 'for (;;);',
      input: null,
      memoryMb: 64,
      timeoutMs: 60_000,
      seed: 0,
      timeMs: 0,
    };
    started.stdin.write(jobs.encode(jobTopic, job));
    await once(started.stdout, 'data');
    started.stdin.end();
    expect(await started.exited).toMatchObject({ outOfMemory: false });
  },
);

test('where it is required every execution is refused, with layer, reason and remedy', async () => {
  const policy = { ...layerPolicyDefault, bubblewrap: 'require' } as const;
  const pool = new SandboxPool({ size: 1, host: bare, policy });
  for (const source of ['1', '2']) {
    const { ok, error, layers } = await pool.execute({ source });
    expect([ok, error?.code, layers]).toEqual([false, 'SANDBOX_LAYER_MISSING', []]);
    expect(error?.message).toMatch(/bubblewrap \(bwrap is not installed\).*Install bubblewrap\./);
  }
  await pool.close();
});

test.runIf(process.platform === 'linux')(
  'a process that the kernel does not hold as it was asked to gets no script',
  async () => {
    const command = sandboxCommand(isolatedVmFiles(), await childProgram());
    // A stand-in for bubblewrap that reports a child and starts the command without any namespace.
    const fake = join(folder, 'bwrap');
    const program = `#!/bin/sh
while [ "$1" != "--info-fd" ]; do shift; done
info="$2"
while [ "$1" != "--" ]; do shift; done
shift
eval "printf '{ \\"child-pid\\": %d }' $$ >&$info"
exec "$@"
`;
    writeFileSync(fake, program, { mode: 0o755 });
    const layers = { bubblewrap: fake, seccomp: null, cgroup: null };
    const sandbox = new SandboxProcess(Promise.resolve({ command, layers }));
    expect(await sandbox.claim()).toEqual({ ready: false });
    // The same process is fine where nothing more is asked for.
    const honest = new SandboxProcess(
      Promise.resolve({ command, layers: { ...layers, bubblewrap: null } }),
    );
    expect(await honest.claim()).toEqual({ ready: true });
    await Promise.all([sandbox.end(), honest.end()]);
  },
);

test.runIf(host.states.cgroup.works)(
  'a script that the kernel ends for its memory is told so',
  async () => {
    const command = sandboxCommand(isolatedVmFiles(), await childProgram());
    const small = { ...command, bounds: { memoryBytes: 64 << 20, tasks: 64 } };
    const setup = { command: small, layers: host.inUse('isolate') };
    const sandbox = new SandboxProcess(Promise.resolve(setup));
    expect(await sandbox.claim()).toEqual({ ready: true });
    const own = executionLimits();
    if (typeof own === 'string') throw new TypeError(own);
    const job = {
      input: null,
      memoryMb: 64,
      timeoutMs: 20_000,
      seed: 0,
      timeMs: 0,
      language: 'js' as const,
      tools: [],
      limits: { calls: 1, messageBytes: 1_024 },
    };
    const source =
      'const a = []; for (let i = 0; i < 55; i++) a.push(new Uint8Array(1 << 20).fill(1)); 1';
    const outcome = await sandbox.run(
      { ...job, source },
      {
        cpuMs: 20_000,
        called: {
          fileSystem: new OverlayFileSystem({ limits: own }),
          tools: { names: [], call: async () => null },
          limits: own,
        },
      },
    );
    expect(outcome?.error?.code).toBe('SANDBOX_MEMORY');
    await sandbox.end();
  },
);

test('a process refuses an isolated-vm that lets scripts out', async () => {
  const manifest = join(folder, 'package.json');
  writeFileSync(manifest, '{"version": "7.0.0"}');
  const command = sandboxCommand({ ...isolatedVmFiles(), manifest }, await childProgram());
  const sandbox = new SandboxProcess(Promise.resolve({ command, layers: host.inUse('isolate') }));
  expect(await sandbox.claim()).toMatchObject({
    ready: false,
    refusal: { message: expect.stringContaining('isolated-vm 7.0.0 is older than 7.0.1') },
  });
  await sandbox.end();
});

test('the program of a process names no place of this host and no package', async () => {
  const text = (await childProgram()).toString();
  expect(text).not.toContain(process.cwd());
  const { modules } = JSON.parse(text) as { modules: Record<string, string> };
  const imported = Object.values(modules).flatMap((source) =>
    [...source.matchAll(/^import[^'"]*['"]([^'"]+)['"]/gm)].map(([, specifier]) => specifier),
  );
  expect(imported.filter((name) => !name?.startsWith('.') && !name?.startsWith('node:'))).toEqual(
    [],
  );
  expect(imported.length).toBeGreaterThan(10);
});
