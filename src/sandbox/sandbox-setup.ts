/**
 * What every sandbox process of a pool is started with: the command, and the
 * layers that the host has and the policy wants.
 */
import type { ErrorCode } from '../kernel/errors.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { bootSource, childProgram } from './child-program.ts';
import { type IsolatedVmFiles, isolatedVmFiles } from './isolated-vm-files.ts';
import type { CgroupBounds } from './layers/cgroup.ts';
import type { ConfinedCommand, LayersInUse } from './layers/confined-process.ts';
import type { HostLayers } from './layers/host-layers.ts';
import { type LayerPolicy, missingLayers, missingLayersMessage } from './layers/layer.ts';
import { nodeFiles } from './layers/node-files.ts';
import { permissionFlags } from './layers/node-permission.ts';

export interface SandboxSetup {
  readonly command: ConfinedCommand;
  readonly layers: LayersInUse;
}

/** Why no process can be started at all. */
export interface SandboxRefusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** V8 needs fewer threads for one script than for a server. */
const nodeFlags = ['--no-warnings', '--v8-pool-size=1'];
const mebibyte = 1024 * 1024;

/** Never rejects. */
export async function prepareSandbox(
  policy: LayerPolicy,
  host: HostLayers,
): Promise<SandboxSetup | SandboxRefusal> {
  const missing = missingLayers(policy, host.states);
  if (missing.length > 0) {
    return { code: 'SANDBOX_LAYER_MISSING', message: missingLayersMessage(missing, host.states) };
  }
  try {
    const files = isolatedVmFiles();
    return { command: sandboxCommand(files, await childProgram()), layers: host.inUse('isolate') };
  } catch (error) {
    if (error instanceof RuntimeError) return { code: error.code, message: error.message };
    const reason = error instanceof Error ? error.message : String(error);
    return { code: 'SANDBOX_CRASHED', message: `The sandbox cannot be prepared: ${reason}` };
  }
}

/** The command of a sandbox process that runs `program`. */
export function sandboxCommand(
  { manifest, addon }: IsolatedVmFiles,
  program: Buffer,
): ConfinedCommand {
  return {
    file: process.execPath,
    args: [...nodeFlags, ...permissionFlags([manifest, addon]), '-e', bootSource, manifest, addon],
    // Only the time zone, so that a script formats dates alike on every host.
    environment: { TZ: 'UTC' },
    readOnly: [...nodeFiles(), { from: manifest }, { from: addon }],
    single: true,
    inputs: [program],
    bounds: sandboxBounds(limits.sandboxMemoryMbDefault),
  };
}

/**
 * What the kernel lets a process have for a script of `memoryMb`. It is above
 * what the watchdog allows, which counts better: it stops what is faster than
 * two looks of the watchdog.
 */
export function sandboxBounds(memoryMb: number): CgroupBounds {
  const allowedMb = memoryMb * 1.25 + limits.sandboxMemorySlackMb + limits.sandboxIdleMemoryMb;
  return { memoryBytes: Math.ceil(allowedMb) * mebibyte, tasks: limits.sandboxTasksMax };
}
