/**
 * Node.js with code of the test under layers: what a script finds that has
 * broken out of its isolate and of the permission model.
 */
import { text } from 'node:stream/consumers';
import type { CgroupBounds } from '../../../src/sandbox/layers/cgroup.ts';
import {
  type ConfinedExit,
  ConfinedProcess,
  type LayersInUse,
} from '../../../src/sandbox/layers/confined-process.ts';
import { nodeFiles } from '../../../src/sandbox/layers/node-files.ts';

export interface Confined {
  readonly output: string;
  readonly exit: ConfinedExit;
  /** Name of its control group, if it had one. */
  readonly group: string | null;
}

const generous: CgroupBounds = { memoryBytes: 512 << 20, tasks: 64 };

/** Runs `code` to its end. */
export async function runNode(
  code: string,
  layers: LayersInUse,
  bounds: CgroupBounds = generous,
): Promise<Confined> {
  const started = await ConfinedProcess.start(
    {
      file: process.execPath,
      args: ['--no-warnings', '-e', code],
      environment: { TZ: 'UTC' },
      readOnly: nodeFiles(),
      single: true,
      bounds,
    },
    layers,
  );
  const [output, exit] = await Promise.all([text(started.stdout), started.exited]);
  return { output, exit, group: started.group?.name ?? null };
}
