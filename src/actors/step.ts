/**
 * The one place that steps a machine: `(state, event) → (state', intentions)`.
 * It is pure; a faster stepper can take its place if it returns the same.
 */
import { type AnyStateMachine, getInitialSnapshot, transition } from 'xstate';
import { assert } from '../kernel/assert.ts';
import { canonicalJson, type Sha256, sha256 } from '../kernel/hash.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { agentMachine } from './agent.ts';
import type { TimedEvent } from './event.ts';
import type { IntendParameters } from './intend.ts';
import type { Intention, MachineName } from './intention.ts';
import { pipelineMachine } from './pipeline.ts';
import { supervisorMachine } from './supervisor.ts';

const machines: Readonly<Record<MachineName, AnyStateMachine>> = {
  pipeline: pipelineMachine,
  supervisor: supervisorMachine,
  agent: agentMachine,
};

export type Snapshot = ReturnType<typeof transition<AnyStateMachine>>[0];

/** A machine in some state. Opaque: `stateToJson` is its plain form. */
export interface MachineState {
  readonly machine: MachineName;
  readonly snapshot: Snapshot;
}

/** The state as plain JSON: what is hashed, journaled and sent between threads. */
export interface MachineStateJson {
  readonly value: Json;
  readonly context: JsonObject;
  readonly status: 'active' | 'done';
}

/** Name and version of a machine, `agent@1`, as the journal records it. */
export function machineVersion(name: MachineName): string {
  return `${name}@${machines[name].version ?? '0'}`;
}

export function isMachineName(name: string): name is MachineName {
  return Object.hasOwn(machines, name);
}

export function initialState(machine: MachineName): MachineState {
  return { machine, snapshot: getInitialSnapshot(machines[machine]) };
}

/**
 * Takes one transition of any machine and collects the parameters of its only
 * action; nothing is executed.
 */
export function stepMachine<Parameters>(
  machine: AnyStateMachine,
  snapshot: Snapshot,
  taken: { readonly event: { readonly type: string }; readonly action: string },
): { snapshot: Snapshot; emitted: readonly Parameters[] } {
  const [next, actions] = transition(machine, snapshot, taken.event);
  assert(next.status !== 'error', `the machine ${machine.id} does not fail`);
  const emitted = actions.map((action) => {
    // XState's types know only its own actions here, not those of a setup.
    const { type, params } = action as { type: string; params: unknown };
    assert(type === taken.action, `the machine ${machine.id} has no action ${type}`);
    return params as Parameters;
  });
  return { snapshot: next, emitted };
}

export function step(
  state: MachineState,
  event: TimedEvent,
): { state: MachineState; intentions: readonly Intention[] } {
  const { machine } = state;
  const taken = { event, action: 'intend' };
  const { snapshot, emitted } = stepMachine<IntendParameters>(
    machines[machine],
    state.snapshot,
    taken,
  );
  const intentions = emitted.flatMap((parameters) => parameters.intentions);
  assert(intentions.length <= limits.intentionsPerStepMax, 'a step stays within its intentions');
  return { state: { machine, snapshot }, intentions };
}

export function isDone(state: MachineState): boolean {
  return state.snapshot.status === 'done';
}

export function stateToJson(state: MachineState): MachineStateJson {
  const { value, context, status } = state.snapshot;
  return {
    value: value as Json,
    context: context as JsonObject,
    status: status === 'done' ? 'done' : 'active',
  };
}

export function stateFromJson(machine: MachineName, json: MachineStateJson): MachineState {
  const { value, context } = json;
  const snapshot = machines[machine].resolveState({
    value: value as string,
    context,
    status: json.status,
  });
  return { machine, snapshot };
}

/** Actor hash (DESIGN 4a): machine id, version and canonical JSON of the state. */
export function actorHash(state: MachineState): Sha256 {
  return sha256(`${machineVersion(state.machine)}\n${canonicalJson(stateToJson(state))}`);
}
