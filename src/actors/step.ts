/**
 * The one place that steps a machine: `(state, event) → (state', intentions)`.
 * It is pure. A state goes on with the stepper that it began with; both kinds
 * return the same.
 */
import type { AnyStateMachine } from 'xstate';
import { assert } from '../kernel/assert.ts';
import { canonicalJson, type Sha256, sha256 } from '../kernel/hash.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { TimedEvent } from './event.ts';
import type { IntendParameters } from './intend.ts';
import type { Intention, MachineName } from './intention.ts';
import { type MachineVersion, machineOf, versionIn } from './machines.ts';
import type { MachineSnapshot, StepperKind } from './stepper.ts';
import { stepperOf } from './steppers.ts';

const action = 'intend';

/** A machine in some state. Opaque: `stateToJson` is its plain form. */
export interface MachineState {
  readonly machine: MachineName;
  readonly version: MachineVersion;
  readonly snapshot: MachineSnapshot;
  readonly stepper: StepperKind;
}

/** The state as plain JSON: what is hashed, journaled and sent between threads. */
export interface MachineStateJson {
  readonly value: Json;
  readonly context: JsonObject;
  readonly status: 'active' | 'done';
}

/** @param list Versions of the run; a machine that it does not name is the newest. */
export function initialState(
  machine: MachineName,
  stepper: StepperKind = 'compact',
  list: readonly MachineVersion[] = [],
): MachineState {
  const version = versionIn(list, machine);
  const snapshot = stepperOf(machineOf(version), action, stepper).initial();
  return { machine, version, snapshot, stepper };
}

/**
 * Takes one transition of any machine and collects the parameters of its only
 * action; nothing is executed.
 */
export function stepMachine<Parameters>(
  machine: AnyStateMachine,
  snapshot: MachineSnapshot,
  taken: { readonly event: { readonly type: string }; readonly action: string },
  stepper: StepperKind = 'compact',
): { snapshot: MachineSnapshot; emitted: readonly Parameters[] } {
  const stepped = stepperOf(machine, taken.action, stepper).step(snapshot, taken.event);
  return { snapshot: stepped.snapshot, emitted: stepped.emitted as readonly Parameters[] };
}

export function step(
  state: MachineState,
  event: TimedEvent,
): { state: MachineState; intentions: readonly Intention[] } {
  const { machine, version, stepper } = state;
  const { snapshot, emitted } = stepMachine<IntendParameters>(
    machineOf(version),
    state.snapshot,
    { event, action },
    stepper,
  );
  const intentions = emitted.flatMap((parameters) => parameters.intentions);
  assert(intentions.length <= limits.intentionsPerStepMax, 'a step stays within its intentions');
  return { state: { machine, version, snapshot, stepper }, intentions };
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

/** For many states of one machine: from the plain form of a state to the state. */
export function stateReader(
  machine: MachineName,
  stepper: StepperKind = 'compact',
  list: readonly MachineVersion[] = [],
): (json: MachineStateJson) => MachineState {
  const version = versionIn(list, machine);
  const machineStepper = stepperOf(machineOf(version), action, stepper);
  return (json) => ({ machine, version, snapshot: machineStepper.restore(json), stepper });
}

export function stateFromJson(
  machine: MachineName,
  json: MachineStateJson,
  stepper: StepperKind = 'compact',
  list: readonly MachineVersion[] = [],
): MachineState {
  return stateReader(machine, stepper, list)(json);
}

/** Actor hash (DESIGN 4a): machine id, version and canonical JSON of the state. */
export function actorHash(state: MachineState): Sha256 {
  return sha256(`${state.version}\n${canonicalJson(stateToJson(state))}`);
}
