/**
 * Every machine in every version that this program still has. A run goes on with
 * the versions that it began with, so a change of a machine breaks no run that
 * is there: it is a new version beside the old one (docs/changing-machines.md).
 */
import type { AnyStateMachine } from 'xstate';
import { assert } from '../kernel/assert.ts';
import { agentMachine } from './agent.ts';
import type { MachineName } from './intention.ts';
import { panelMachine } from './panel.ts';
import { pipelineMachine } from './pipeline.ts';
import { supervisorMachine } from './supervisor.ts';

/** Name and version of a machine, such as `agent@1`. */
export type MachineVersion = string;

/** The oldest first; the last one is that of new runs. */
const versions: Readonly<Record<MachineName, AnyStateMachine[]>> = {
  pipeline: [pipelineMachine],
  supervisor: [supervisorMachine],
  agent: [agentMachine],
  panel: [panelMachine],
};

const byVersion = new Map<MachineVersion, AnyStateMachine>();

for (const name of Object.keys(versions) as MachineName[]) {
  for (const machine of versions[name]) byVersion.set(versionOf(machine), machine);
}

function versionOf({ id, version }: AnyStateMachine): MachineVersion {
  return `${id}@${version ?? '0'}`;
}

export function isMachineName(name: string): name is MachineName {
  return Object.hasOwn(versions, name);
}

/** Whether this program has the machine in that version. */
export function hasMachine(version: MachineVersion): boolean {
  return byVersion.has(version);
}

/** The version of new runs. */
export function newestVersion(name: MachineName): MachineVersion {
  const newest = versions[name].at(-1);
  assert(newest !== undefined, `there is a machine ${name}`);
  return versionOf(newest);
}

/** The version that a run began with; the newest where its list names none, as in tests. */
export function versionIn(list: readonly MachineVersion[], name: MachineName): MachineVersion {
  return list.find((version) => version.startsWith(`${name}@`)) ?? newestVersion(name);
}

export function machineOf(version: MachineVersion): AnyStateMachine {
  const machine = byVersion.get(version);
  assert(machine !== undefined, `this program has the machine ${version}`);
  return machine;
}

/** Adds a later version of a machine, which new runs take from then on. */
export function addMachine(name: MachineName, machine: AnyStateMachine): void {
  assert(machine.id === name && !hasMachine(versionOf(machine)), 'another version of the machine');
  versions[name].push(machine);
  byVersion.set(versionOf(machine), machine);
}
