/**
 * Who may tell whom what: denied unless it is listed here. An actor's place in
 * the run follows from its name, so the table needs nobody's word for it. What it
 * may ask an actuator for is in its profile (actor-profile.ts).
 *
 * ```
 * run ─ pipeline          run/document-3 ─ pipeline of a document
 *  └ run/supervisor        └ run/document-3/supervisor
 *     └ …/STEP ─ agent, `STEP.2` after a failure; `STEP.critic-1`
 *        └ …/panel-1-1 ─ panel
 * ```
 *
 * Invariants
 *   W1. Messages go between an actor and its parent, or come from the runtime.
 */
import type { ActorId } from '../kernel/ids.ts';
import type { ActorEvent } from './event.ts';
import type { MachineName } from './intention.ts';

const place =
  /^run(?:\/document-\d+)?(?:\/(?<supervisor>supervisor)(?:\/(?<agent>[A-Za-z0-9_-]+(?:\.\d+|\.critic-\d+)?)(?:\/(?<panel>panel-\d+-\d+))?)?)?$/;

/** What an actor of this name is; null: no actor of a run has such a name. */
function machineOf(actor: string): MachineName | null {
  const groups = place.exec(actor)?.groups;
  if (groups === undefined) return null;
  const { supervisor, agent, panel } = groups;
  if (supervisor === undefined) return 'pipeline';
  if (agent === undefined) return 'supervisor';
  return panel === undefined ? 'agent' : 'panel';
}

type Relation = 'parent' | 'child' | 'runtime';

/** Types of events that a machine takes, by who they come from. */
const messages: Readonly<Record<MachineName, Readonly<Record<Relation, readonly string[]>>>> = {
  pipeline: {
    runtime: ['start', 'cancel', 'amend'],
    parent: ['start', 'cancel', 'shared-step-done'],
    child: ['document-done', 'document-cancelled', 'step-done', 'stop-run', 'supervisor-stopped'],
  },
  supervisor: {
    runtime: ['amend'],
    parent: ['start', 'run-step', 'cancel'],
    child: ['agent-doubt', 'agent-done', 'agent-failed', 'agent-cancelled'],
  },
  agent: {
    runtime: ['amend'],
    parent: ['start', 'retry', 'settle', 'hold', 'accept', 'cancel'],
    child: ['panel-done', 'panel-failed', 'panel-cancelled'],
  },
  panel: { runtime: ['amend'], parent: ['start', 'cancel'], child: [] },
};

function parentOf(actor: string): string {
  return actor.slice(0, Math.max(0, actor.lastIndexOf('/')));
}

function relationOf(from: string, to: string): Relation | null {
  if (from === '@runtime') return 'runtime';
  if (from !== '' && parentOf(to) === from) return 'parent';
  return parentOf(from) === to && from !== to ? 'child' : null;
}

/** Whether this message may be (W1). Outcomes are no messages; their keys decide. */
export function mayTell(message: {
  readonly from: string;
  readonly to: ActorId;
  readonly event: Pick<ActorEvent, 'type'>;
}): boolean {
  const { from, to, event } = message;
  const machine = machineOf(to);
  const relation = relationOf(from, to);
  return machine !== null && relation !== null && messages[machine][relation].includes(event.type);
}
