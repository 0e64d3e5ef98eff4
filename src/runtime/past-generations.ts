/**
 * The generations of a run with their tokens, and what is known of each answer:
 * whether the checks of its agent found it right. Read from the journal alone.
 *
 * Invariants
 *   G1. A label comes from checks in code. Where an agent has none but that of the
 *       confidence, nobody verified its answers; and what a detector stopped was
 *       never an answer.
 *   G2. A doubt of the confidence check is none here: it would prove a signal by itself.
 *   G3. A fork has the generations after its beginning; those before are its parent's.
 */
import { isDoubtOfCertainty } from '../actors/checks/confidence.ts';
import { agentOf, definitionOf, stepOf } from '../actors/definition.ts';
import type { ActorEvent } from '../actors/event.ts';
import type { AgentDefinition } from '../actors/pipeline-definition.ts';
import type { DetectorSettings, GeneratedToken } from '../inference/model-port.ts';
import { decodeTokenColumns } from '../inference/token-columns.ts';
import { parseIntentionKey } from '../kernel/ids.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { EventView } from './views.ts';

/** What is known of an answer: null for whether it is right where nobody verified it. */
export interface AnswerLabel {
  readonly right: boolean | null;
  /** One clause: how that is known, or why it is not. */
  readonly why: string;
}

export interface PastGeneration extends AnswerLabel {
  readonly run: string;
  /** The event of its outcome, as `claw events` counts. */
  readonly sequence: number;
  readonly actor: string;
  readonly pipeline: string;
  readonly agent: string;
  readonly model: string;
  readonly text: string;
  readonly tokens: readonly GeneratedToken[];
  /** It was kept to a JSON Schema. */
  readonly json: boolean;
  /** What stopped it, or null. */
  readonly stoppedBy: string | null;
  /** Thresholds of its agent, of those detectors that it has. */
  readonly thresholds: Partial<DetectorSettings>;
}

type Found = Omit<PastGeneration, keyof AnswerLabel> & {
  readonly actorSequence: number;
  readonly verified: boolean;
};

interface AgentActor {
  readonly step: string;
  definition: string;
}

interface Doubt {
  readonly actorSequence: number;
  readonly reasons: readonly string[];
}

/** What an agent's supervisor heard of it. */
interface Reports {
  readonly doubts: Doubt[];
  done: readonly string[] | null;
}

export function pastGenerations(follower: JournalFollower, entry: RunEntry): PastGeneration[] {
  const agents = new Map<string, AgentActor>();
  const reports = new Map<string, Reports>();
  const found: Found[] = [];
  for (let sequence = 1; sequence <= entry.events.length; sequence += 1) {
    const view = follower.event(entry, sequence);
    const event = view.event as unknown as ActorEvent;
    if (event.type === 'start' && event.machine === 'agent') {
      agents.set(view.actor, { step: event.step, definition: event.definition });
    }
    const agent = agents.get(view.actor);
    if (agent !== undefined && event.type === 'amend') agent.definition = event.definition;
    if (agent !== undefined && event.type === 'outcome') {
      const generation = generationOf(entry, view, event, agent);
      if (generation !== null) found.push(generation);
    }
    takeReport(reports, view, event);
  }
  const own = entry.started.parent?.at ?? 0;
  return found
    .filter(({ sequence }) => sequence > own) // (G3)
    .map((each) => labelled(each, found, reports.get(each.actor)));
}

function takeReport(reports: Map<string, Reports>, view: EventView, event: ActorEvent): void {
  if (event.type !== 'agent-doubt' && event.type !== 'agent-done') return;
  if (view.cause === null) return;
  const { actor, sequence } = parseIntentionKey(view.cause);
  const heard = reports.get(actor) ?? { doubts: [], done: null };
  reports.set(actor, heard);
  if (event.type === 'agent-done') heard.done = verifiedReasons(event.result.reasons);
  else heard.doubts.push({ actorSequence: sequence, reasons: verifiedReasons(event.reasons) });
}

function verifiedReasons(reasons: readonly string[]): string[] {
  return reasons.filter((reason) => !isDoubtOfCertainty(reason)); // (G2)
}

/** The generation that the outcome is, or null where it is of another operation or has no tokens. */
function generationOf(
  entry: RunEntry,
  view: EventView,
  { outcome }: Extract<ActorEvent, { type: 'outcome' }>,
  { step, definition }: AgentActor,
): Found | null {
  if (outcome.status !== 'completed') return null;
  const { text, tokens, halt, served } = (outcome.value ?? {}) as {
    readonly text?: unknown;
    readonly tokens?: unknown;
    readonly halt?: { readonly detector: string } | null;
    readonly served?: { readonly model: string; readonly sha256: string | null };
  };
  if (typeof text !== 'string' || typeof tokens !== 'string' || tokens === '') return null;
  const pipeline = definitionOf(definition);
  const does = stepOf(pipeline, step);
  const agent = agentOf(pipeline, does);
  if (agent === null) return null;
  return {
    run: entry.id,
    sequence: view.sequence,
    actor: view.actor,
    actorSequence: view.actorSequence,
    pipeline: pipeline.name,
    agent: does.agent ?? '',
    model: served === undefined ? (agent.model ?? entry.started.model) : servedName(served),
    text,
    tokens: decodeTokenColumns(tokens, text),
    json: agent.output !== undefined,
    stoppedBy: halt?.detector ?? null,
    thresholds: thresholdsOf(agent),
    verified: agent.checks.some(({ use }) => use !== 'confidence'),
  };
}

/** As a run's first record names a model. */
function servedName({ model, sha256 }: { model: string; sha256: string | null }): string {
  return sha256 === null ? model : `${model} sha256:${sha256}`;
}

function thresholdsOf({ supervise }: AgentDefinition): Partial<DetectorSettings> {
  const { minConfidence, repetition, spike, perplexity, collapse, nearRepetition, stall } =
    supervise;
  const all = { minConfidence, repetition, spike, perplexity, collapse, nearRepetition, stall };
  return Object.fromEntries(Object.entries(all).filter((each) => each[1] !== undefined));
}

function labelled(
  generation: Found,
  all: readonly Found[],
  reports: Reports | undefined,
): PastGeneration {
  const { actorSequence, verified, ...shown } = generation;
  const label = (right: boolean | null, why: string) => ({ ...shown, right, why });
  if (generation.stoppedBy !== null) return label(null, 'a detector stopped it'); // (G1)
  if (!verified) return label(null, 'no check verified it');
  const doubt = reports?.doubts.find((each) => each.actorSequence === actorSequence);
  if (doubt !== undefined) {
    const [reason] = doubt.reasons;
    return reason === undefined ? label(true, 'its checks passed') : label(false, reason);
  }
  if (reports === undefined || reports.done === null) return label(null, 'its step did not end');
  const told = new Set(reports.doubts.flatMap(({ reasons }) => reasons));
  const [untold] = reports.done.filter((reason) => !told.has(reason));
  if (untold === undefined) return label(true, 'its checks passed');
  const undoubted = all.filter(
    (each) =>
      each.actor === generation.actor &&
      !reports.doubts.some((one) => one.actorSequence === each.actorSequence),
  );
  // Of several answers of one step nobody can say which is meant.
  return undoubted.length === 1
    ? label(false, untold)
    : label(null, 'one of several answers is doubted');
}
