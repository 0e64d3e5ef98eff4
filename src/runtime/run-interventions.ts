/**
 * What the supervisors of a run did about doubtful answers, with the evidence.
 * A fold of the journal: the messages to the agents, and what they answer.
 */
import type { Finding } from '../actors/detectors/finding.ts';
import type { ActorEvent, RetryEvent } from '../actors/event.ts';
import { type IntentionKey, parseIntentionKey } from '../kernel/ids.ts';
import { type EventBody, eventOf, rawBodyOf } from './event-record.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { InterventionView } from './views.ts';

type Told = Extract<ActorEvent, { type: 'retry' | 'settle' | 'hold' | 'accept' }>;

const told: ReadonlySet<string> = new Set(['retry', 'settle', 'hold', 'accept']);

/** What a supervisor heard before it told an agent something. */
interface Heard {
  readonly step: string;
  readonly attempt: number;
  readonly detector: string | null;
  readonly reasons: readonly string[];
}

/**
 * In the order in which the agents heard of them; also plain retries and ends
 * without rules, of older journals too.
 * @throws RuntimeError BLOB_MISSING
 */
export function runInterventions(follower: JournalFollower, entry: RunEntry): InterventionView[] {
  const blobs = follower.blobsOf(entry.id);
  const doubts = new Map<string, Heard>();
  const found: InterventionView[] = [];
  const sequences = entry.events.keys().map((index) => index + 1);
  for (const { sequence, record } of follower.records(entry, sequences)) {
    const { type } = (rawBodyOf(record) as EventBody).event;
    if (type !== 'agent-doubt' && !told.has(type)) continue;
    const body = eventOf(record, blobs);
    const { event, actor } = body;
    if (event.type === 'agent-doubt') {
      const { step, attempt, detector, reasons } = event;
      doubts.set(placeOf(actor, record.actorSequence), { step, attempt, detector, reasons });
    } else if (isTold(event)) {
      const heard = body.cause === null ? undefined : doubts.get(causeOf(body.cause));
      found.push({ sequence, time: record.timeMs, actor, ...viewOf(event, heard) });
    }
  }
  return found;
}

function isTold(event: ActorEvent): event is Told {
  return told.has(event.type);
}

function placeOf(actor: string, sequence: number): string {
  return `${actor}:${sequence}`;
}

/** The supervisor's step that told it; of a fork's parent too. */
function causeOf(key: string): string {
  const { actor, sequence } = parseIntentionKey(key as IntentionKey); // Of a record, so it is one.
  return placeOf(actor, sequence);
}

function viewOf(
  event: Told,
  heard: Heard | undefined,
): Omit<InterventionView, 'sequence' | 'time' | 'actor'> {
  const next = event.type === 'retry' ? attemptOf(event) : null;
  const { intervention } = event;
  if (intervention !== undefined) {
    const { rule, when, attempt, findings, decided } = intervention;
    return { rule, when, did: intervention.do, attempt, findings, decided: decided ?? null, next };
  }
  return {
    rule: null,
    when: null,
    did: event.type,
    attempt: heard?.attempt ?? null,
    findings: findingsOf(heard),
    decided: null,
    next,
  };
}

function findingsOf(heard: Heard | undefined): Finding[] {
  return (heard?.reasons ?? []).map((evidence) => ({
    source: heard?.detector ?? 'check',
    evidence,
  }));
}

function attemptOf({ attempt, temperature, seed, model, grounding }: RetryEvent) {
  return { attempt, temperature, seed, model: model ?? null, prompt: grounding };
}
