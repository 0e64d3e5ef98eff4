/**
 * Compiles an XState machine to tables: for each state, the transitions by
 * event type with their guards and assigns, called as the same functions. What
 * a step costs is then those functions, not the interpreter around them.
 *
 * Only flat machines are compiled: a root whose states are atomic or final,
 * with `on`, `always`, `entry`, `exit`, guards and assigns as functions, and
 * one action that emits. Anything else (nested or parallel states, history,
 * invoke, after, raise, enqueueActions, wildcards, outputs, guards by name) is
 * left to XState; `compileMachine` says why.
 *
 * Invariants, as of XState 5
 *   C1. Of the candidates of an event the first whose guard holds is taken, the
 *       state's before the root's; a guard's error names event and state.
 *   C2. A transition with a target leaves its state and enters the target,
 *       unless the target is its own state and it does not reenter. Exit
 *       actions come first, then those of the transition, then entry actions;
 *       each assign is seen by what follows it.
 *   C3. Eventless transitions are taken until none is enabled, or one changed nothing.
 *   C4. A step that ends in a final state takes its exit actions too.
 */
import { type AnyStateMachine, getInitialSnapshot } from 'xstate';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import type { MachineEvent, MachineSnapshot, Stepped, Stepper } from './stepper.ts';

type Context = object;

interface Arguments {
  readonly context: Context;
  readonly event: MachineEvent;
}

type Guard = (arguments_: Arguments) => unknown;
type Assigned = ((arguments_: Arguments) => object) | Readonly<Record<string, unknown>>;

/** An assign, or an emitting action; exactly one of the two. */
type Action =
  | { readonly assignment: Assigned }
  | { readonly parameters: ((arguments_: Arguments) => unknown) | null; readonly fixed: unknown };

interface Transition {
  readonly guard: Guard | null;
  /** The state to enter, or null where the machine stays (C2). */
  readonly target: State | null;
  readonly actions: readonly Action[];
}

interface State {
  readonly key: string;
  readonly id: string;
  readonly isFinal: boolean;
  readonly entry: readonly Action[];
  readonly exit: readonly Action[];
  readonly on: Map<string, readonly Transition[]>;
  always: readonly Transition[];
}

/** One state node of XState, as far as it is compiled. */
type StateNode = AnyStateMachine['root'];
type TransitionNode = NonNullable<StateNode['always']>[number];

/** Why a machine is left to XState. */
class NotEligible extends Error {}

function require(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new NotEligible(reason);
}

/** What runs while one event is taken. */
class Step {
  context: Context;
  /** Whether anything but emitted actions came of it (C3). */
  changed = false;
  readonly emitted: unknown[] = [];
  readonly event: MachineEvent;

  constructor(context: Context, event: MachineEvent) {
    this.context = context;
    this.event = event;
  }

  run(actions: readonly Action[]): void {
    for (const action of actions) {
      const arguments_ = { context: this.context, event: this.event };
      if ('assignment' in action) {
        this.context = Object.assign({}, this.context, assignedBy(action.assignment, arguments_));
        this.changed = true;
      } else {
        this.emitted.push(
          action.parameters === null ? action.fixed : action.parameters(arguments_),
        );
      }
    }
  }
}

function assignedBy(assignment: Assigned, arguments_: Arguments): object {
  if (typeof assignment === 'function') return assignment(arguments_);
  const entries = Object.entries(assignment).map(
    ([key, value]) => [key, typeof value === 'function' ? value(arguments_) : value] as const,
  );
  return Object.fromEntries(entries);
}

function compileAction(machine: AnyStateMachine, action: unknown, only: string): Action {
  if (typeof action === 'function') {
    const { type, assignment } = action as { type?: unknown; assignment?: unknown };
    require(type === 'xstate.assign', 'an action is neither an assign nor the one that emits');
    return { assignment: assignment as Assigned };
  }
  const { type, params } = action as { type?: unknown; params?: unknown };
  require(type === only, 'an action is neither an assign nor the one that emits');
  const body: unknown = machine.implementations.actions[only];
  require(typeof body === 'function' && !('resolve' in body), 'the action is built from others');
  return typeof params === 'function'
    ? { parameters: params as (arguments_: Arguments) => unknown, fixed: undefined }
    : { parameters: null, fixed: params };
}

function compileActions(
  machine: AnyStateMachine,
  actions: readonly unknown[],
  only: string,
): readonly Action[] {
  return actions.map((action) => compileAction(machine, action, only));
}

function compileGuard(guard: unknown): Guard | null {
  if (guard === undefined) return null;
  require(typeof guard === 'function' && !('check' in guard), 'a guard is not a plain function');
  return guard as Guard;
}

class Compiler {
  readonly #machine: AnyStateMachine;
  readonly #action: string;
  readonly states = new Map<string, State>();

  constructor(machine: AnyStateMachine, action: string) {
    this.#machine = machine;
    this.#action = action;
  }

  /** @throws NotEligible */
  compile(): { readonly states: ReadonlyMap<string, State>; readonly root: State } {
    const { root, options, config } = this.#machine;
    require(typeof config.context !== 'function', 'the context is computed from an input');
    require(root.type === 'compound', 'the root has no states');
    require(root.entry.length === 0 &&
      root.exit.length === 0, 'the root has entry or exit actions');
    require(root.always === undefined, 'the root has eventless transitions');
    require(root.initial.actions.length === 0, 'the initial transition has actions');
    require(options.maxIterations ===
      Number.POSITIVE_INFINITY, 'the machine bounds its microsteps');
    const nodes = Object.values(root.states) as StateNode[];
    for (const node of nodes) this.states.set(node.key, this.#state(node));
    for (const node of nodes) this.#transitions(node, this.#known(node.key));
    const compiled = this.#state(root);
    this.#transitions(root, compiled);
    return { states: this.states, root: compiled };
  }

  #known(key: string): State {
    const state = this.states.get(key);
    assert(state !== undefined, `the machine ${this.#machine.id} has a state ${key}`);
    return state;
  }

  #state(node: StateNode): State {
    const isRoot = node.parent === undefined;
    require(isRoot || node.type === 'atomic' || node.type === 'final', 'a state has states');
    require(node.invoke.length === 0, 'a state invokes actors');
    require(node.output === undefined, 'a state has an output');
    return {
      key: node.key,
      id: node.id,
      isFinal: node.type === 'final',
      entry: compileActions(this.#machine, node.entry, this.#action),
      exit: compileActions(this.#machine, node.exit, this.#action),
      on: new Map(),
      always: [],
    };
  }

  #transitions(node: StateNode, state: State): void {
    for (const [type, candidates] of node.transitions) {
      require(!type.startsWith('xstate.'), 'a state waits for events of XState');
      require(!type.includes('*'), 'a state has a wildcard');
      state.on.set(
        type,
        candidates.map((each) => this.#transition(node, each)),
      );
    }
    state.always = (node.always ?? []).map((each) => this.#transition(node, each));
    const isInert = state.on.size === 0 && state.always.length === 0;
    require(!state.isFinal || isInert, 'a final state has transitions');
  }

  #transition(node: StateNode, { guard, target, actions, reenter }: TransitionNode): Transition {
    require(target === undefined || node.parent !== undefined, 'the root has a target');
    require(target === undefined || target.length === 1, 'a transition has several targets');
    const to = target?.[0];
    require(to === undefined || to.parent === node.parent, 'a target is not a state of the root');
    const stays = to === undefined || (to === node && !reenter); // (C2)
    return {
      guard: compileGuard(guard),
      target: stays ? null : this.#known(to.key),
      actions: compileActions(this.#machine, actions, this.#action),
    };
  }
}

/** First candidate whose guard holds (C1). */
function select(state: State, context: Context, event: MachineEvent): Transition | null {
  const candidates = state.on.get(event.type);
  if (candidates === undefined) return null;
  for (const candidate of candidates) {
    if (candidate.guard === null) return candidate;
    let holds: unknown;
    try {
      holds = candidate.guard({ context, event });
    } catch (error) {
      throw new Error(
        `Unable to evaluate guard in transition for event '${event.type}' in state node '${state.id}':\n${(error as Error).message}`,
      );
    }
    if (holds) return candidate;
  }
  return null;
}

function selectEventless(state: State, context: Context, event: MachineEvent): Transition | null {
  for (const candidate of state.always) {
    if (candidate.guard === null || candidate.guard({ context, event })) return candidate;
  }
  return null;
}

/** Takes one transition and returns the state behind it (C2, C4). */
function take(step: Step, from: State, { target, actions }: Transition): State {
  const to = target ?? from;
  if (target !== null) step.run(from.exit);
  step.run(actions);
  if (target !== null) {
    step.run(target.entry);
    if (target !== from) step.changed = true;
  }
  if (to.isFinal) step.run(to.exit);
  return to;
}

class CompactStepper implements Stepper {
  readonly kind = 'compact';
  readonly #machine: AnyStateMachine;
  readonly #states: ReadonlyMap<string, State>;
  readonly #root: State;
  readonly #initial: MachineSnapshot;

  constructor(machine: AnyStateMachine, action: string) {
    const { states, root } = new Compiler(machine, action).compile();
    this.#machine = machine;
    this.#states = states;
    this.#root = root;
    const initial = getInitialSnapshot(machine);
    require(initial.status !== 'error', 'the machine does not begin without an error');
    this.#initial = this.restore(initial);
  }

  initial(): MachineSnapshot {
    return this.#initial;
  }

  restore({ value, context }: MachineSnapshot): MachineSnapshot {
    return { value, context, status: this.#state(value).isFinal ? 'done' : 'active' };
  }

  step(snapshot: MachineSnapshot, event: MachineEvent): Stepped {
    assert(event.type !== '*' && !event.type.startsWith('xstate.'), 'no event of XState');
    const context = snapshot.context as Context;
    let state = this.#state(snapshot.value);
    const taken = select(state, context, event) ?? select(this.#root, context, event);
    const step = new Step(context, event);
    if (taken !== null) state = take(step, state, taken);
    state = this.#eventless(step, state);
    const { emitted } = step;
    if (!step.changed && state.key === snapshot.value) return { snapshot, emitted };
    const status = state.isFinal ? 'done' : 'active';
    return { snapshot: { value: state.key, context: step.context, status }, emitted };
  }

  /** Goes on until nothing more is enabled or one changes nothing (C3). */
  #eventless(step: Step, from: State): State {
    let state = from;
    for (let taken = 0; ; taken += 1) {
      assert(taken < limits.microstepsMax, `the machine ${this.#machine.id} comes to rest`);
      const next = selectEventless(state, step.context, step.event);
      if (next === null) return state;
      const before = step.changed;
      step.changed = false;
      state = take(step, state, next);
      const isAtRest = !step.changed;
      step.changed ||= before;
      if (isAtRest) return state;
    }
  }

  #state(value: unknown): State {
    const state = this.#states.get(value as string);
    assert(state !== undefined, `the machine ${this.#machine.id} has a state ${String(value)}`);
    return state;
  }
}

/** Tables of a machine whose only emitting action is `action`, or why it has none. */
export function compileMachine(
  machine: AnyStateMachine,
  action: string,
): { readonly stepper: Stepper } | { readonly reason: string } {
  try {
    return { stepper: new CompactStepper(machine, action) };
  } catch (error) {
    if (error instanceof NotEligible) return { reason: error.message };
    throw error;
  }
}
