/**
 * The bodies of journal records that speak of runs and actors. Long strings
 * are blobs, stored once however many events carry them (law D6).
 */
import type { Actor, ActorJson, Envelope, IntentionDigest, StepEffects } from '../actors/actor.ts';
import { actorToJson } from '../actors/actor.ts';
import { appendedContext, type EncodedContext, encodeContext } from '../actors/context-node.ts';
import type { ActorEvent, DocumentReference } from '../actors/event.ts';
import type { FinishIntention } from '../actors/intention.ts';
import type { Outcome } from '../actors/outcome.ts';
import type { Charter } from '../identity/charter.ts';
import {
  blobReference,
  externalize,
  internalize,
  mayRefer,
  type TextLookup,
} from '../journal/blob-store.ts';
import type { AppendRecord, StoredRecord } from '../journal/record.ts';
import type { RunStore } from '../journal/run-store.ts';
import { assert } from '../kernel/assert.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { type ActorId, parseIntentionKey, type RunId } from '../kernel/ids.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import type { RunPolicies } from './clearance-config.ts';
import type { WorkspaceFile } from './run-workspace.ts';

/** Body of an `event` record. */
export interface EventBody {
  readonly actor: ActorId;
  /** Name and version, `agent@1`. */
  readonly machine: string;
  readonly from: Envelope['from'];
  readonly number: number;
  readonly cause: string | null;
  readonly event: ActorEvent;
  readonly hash: Sha256;
  readonly intentions: readonly IntentionDigest[];
  /** The context that the step's generation is asked on, where it appends something. */
  readonly context?: ContextBody;
}

export interface ContextBody {
  /** Text of the node; its SHA-256 is the hash of the context. */
  readonly node: string;
  /** Texts that the node refers to, so that whoever keeps or carries what an event names has them too. */
  readonly texts: readonly string[];
}

/** Body of a `run-started` record: everything that the run's folds read, by value or by blob. */
export interface RunStartedBody {
  readonly pipeline: string;
  readonly definition: string;
  readonly seed: number;
  readonly model: string;
  readonly documents: readonly DocumentReference[];
  /** Files that the run's workspace began with. */
  readonly workspace: readonly WorkspaceFile[];
  /** Machine versions that the run began with. */
  readonly machines: readonly string[];
  readonly stepsTotal: number;
  /** What was sealed of it; absent in runs of older programs. */
  readonly charter?: Charter;
  /** The policies that were in force; absent in runs of older programs. */
  readonly policies?: RunPolicies;
  /** Only of a run from a redacted archive: how many texts each rule replaced. */
  readonly redacted?: Readonly<Record<string, number>>;
  /** Only of a fork. */
  readonly parent?: ForkedFrom;
}

/** How a fork begins: with events of another run, and what is another from there on. */
export interface ForkedFrom {
  readonly run: RunId;
  /** How many of its events. */
  readonly at: number;
  /** Whether the definition is another than the parent's there, so that each actor is told. */
  readonly amended: boolean;
  /** Outcomes of intentions that were in flight, by `actor:sequence:index`, in place of the parent's. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
  /** Whether effects that reach outside the run's own files are performed. */
  readonly allowEffects: boolean;
}

/** What a snapshot says of itself. */
export interface RunSnapshotClaim {
  /** How many of the run's events it holds. */
  readonly events: number;
  /** State hash of the run after them. */
  readonly stateHash: string;
  /** Digest of the program that took it. */
  readonly program: Sha256;
}

/** Body of a `snapshot` record that names no actor. */
export interface RunSnapshotBody extends RunSnapshotClaim {
  readonly run: RunId;
  readonly actors: readonly {
    readonly id: ActorId;
    readonly epoch: number;
    /** Digest of its last event. */
    readonly digest: string;
    readonly begins: boolean;
    /** The actor as JSON, its long texts as references. */
    readonly actor: string;
  }[];
  readonly sends: readonly Envelope[];
  /** The long texts of the actors. */
  readonly texts: readonly string[];
}

/** Body of a `run-ended` record. */
export type RunEndedBody = Omit<FinishIntention, 'kind'>;

export type BlobLookup = (hash: Sha256) => Buffer | null;

/** When a record is made, and where its body and its long texts go. */
export interface Recording {
  readonly timeMs: number;
  readonly store: RunStore;
}

/** A body as its record has it, and the records of the texts that it names. */
interface EncodedBody {
  readonly stored: Pick<AppendRecord, 'body' | 'encrypted'>;
  readonly blobs: AppendRecord[];
}

/** JSON of a value with its long strings as blobs. */
function encodeBody(value: unknown, { timeMs, store }: Recording): EncodedBody {
  const { value: short, blobs } = externalize(value as Json);
  const stored = store.body(Buffer.from(JSON.stringify(short)));
  return { stored, blobs: store.texts(blobs, timeMs) };
}

function decodeBody(record: StoredRecord, blobs: TextLookup): unknown {
  const text = record.body.toString('utf8');
  const value = JSON.parse(text) as Json;
  return mayRefer(text) ? internalize(value, blobs) : value;
}

const outside = {
  actor: null,
  actorSequence: 0,
  epoch: 0,
  cause: null,
  previousDigest: null,
} as const;

/** The context that a step appends to, or null; no step asks twice. */
export function contextOf({ acts }: Pick<StepEffects, 'acts'>): EncodedContext | null {
  if (acts.length === 0) return null;
  const nodes = acts.flatMap(({ intention }) => appendedContext(intention) ?? []);
  assert(nodes.length <= 1, 'a step asks one question at most');
  return nodes[0] === undefined ? null : encodeContext(nodes[0]);
}

/** A node is a blob whatever its length, because it is looked up by its hash. */
function encodeEvent(
  content: EventBody,
  context: EncodedContext | null,
  recording: Recording,
): EncodedBody {
  if (context === null) return encodeBody(content, recording);
  const { value, blobs } = externalize(content as unknown as Json);
  const { hash, text, texts } = context;
  const named = { node: blobReference(hash), texts: [...texts.keys()].map(blobReference) };
  const all = new Map([...blobs, ...texts, [hash, Buffer.from(text)] as const]);
  const { store, timeMs } = recording;
  const json = JSON.stringify({ ...(value as JsonObject), context: named });
  return { stored: store.body(Buffer.from(json)), blobs: store.texts(all, timeMs) };
}

export interface EventRecordParts extends Recording {
  readonly effects: StepEffects;
  readonly envelope: Envelope;
  readonly epoch: number;
  readonly previousDigest: Buffer | null;
  /** Whether the actor begins its chain here with an event that goes on from the parent's. */
  readonly begins?: boolean;
}

/** The batch of one step: its blobs, the branch where a fork's actor begins, then its event. */
export function eventRecords(parts: EventRecordParts): AppendRecord[] {
  const { effects, envelope, epoch, timeMs, previousDigest } = parts;
  const { actor, hash, digests } = effects;
  const content: EventBody = {
    actor: actor.id,
    machine: actor.state.version,
    from: envelope.from,
    number: envelope.number,
    cause: envelope.cause,
    event: envelope.event,
    hash,
    intentions: digests,
  };
  const { stored, blobs } = encodeEvent(content, contextOf(effects), parts);
  const cause = envelope.cause === null ? null : parseIntentionKey(envelope.cause);
  const common = { run: actor.run, actor: actor.id, epoch, timeMs, previousDigest };
  const begun = { actorSequence: actor.sequence - 1, cause: null, body: Buffer.from('{}') };
  return [
    ...blobs,
    ...(parts.begins === true ? [{ type: 'branch' as const, ...common, ...begun }] : []),
    { type: 'event', ...common, actorSequence: actor.sequence, cause, ...stored },
  ];
}

export function snapshotRecords(actor: Actor, epoch: number, recording: Recording): AppendRecord[] {
  const { timeMs } = recording;
  const { stored, blobs } = encodeBody(actorToJson(actor), recording);
  const { run, id, sequence } = actor;
  return [
    ...blobs,
    {
      ...outside,
      type: 'snapshot',
      run,
      actor: id,
      actorSequence: sequence,
      epoch,
      timeMs,
      ...stored,
    },
  ];
}

/** A snapshot of a whole run names no actor. */
export function runSnapshotRecords(
  run: RunId,
  content: RunSnapshotBody,
  recording: Recording,
): AppendRecord[] {
  const { timeMs } = recording;
  const { stored, blobs } = encodeBody(content, recording);
  return [...blobs, { ...outside, type: 'snapshot', run, timeMs, ...stored }];
}

export function runStartedRecords(
  run: RunId,
  content: RunStartedBody,
  recording: Recording,
): AppendRecord[] {
  const { timeMs } = recording;
  const { stored, blobs } = encodeBody(content, recording);
  return [...blobs, { ...outside, type: 'run-started', run, timeMs, ...stored }];
}

export function runEndedRecords(
  run: RunId,
  finish: FinishIntention,
  recording: Recording,
): AppendRecord[] {
  const { timeMs } = recording;
  const { kind: _kind, ...content } = finish;
  const { stored, blobs } = encodeBody(content, recording);
  return [...blobs, { ...outside, type: 'run-ended', run, timeMs, ...stored }];
}

function requireType(record: StoredRecord, type: StoredRecord['type']): void {
  assert(record.type === type, `a ${type} record, not ${record.type}`);
}

/** @throws RuntimeError BLOB_MISSING */
export function eventOf(record: StoredRecord, blobs: TextLookup): EventBody {
  requireType(record, 'event');
  return decodeBody(record, blobs) as EventBody;
}

/** The body as it lies in the journal, blobs still by hash: cheap, for indexes. */
export function rawBodyOf(record: StoredRecord): unknown {
  return JSON.parse(record.body.toString('utf8'));
}

export function snapshotOf(record: StoredRecord, blobs: BlobLookup): ActorJson {
  requireType(record, 'snapshot');
  return decodeBody(record, blobs) as ActorJson;
}

/** Without its long texts. */
export function runSnapshotClaim(record: StoredRecord): RunSnapshotClaim {
  const { events, stateHash, program } = rawBodyOf(record) as RunSnapshotBody;
  return { events, stateHash, program };
}

export function runSnapshotOf(record: StoredRecord, blobs: BlobLookup): RunSnapshotBody {
  requireType(record, 'snapshot');
  assert(record.actor === null, 'a snapshot of a whole run');
  return decodeBody(record, blobs) as RunSnapshotBody;
}

export function runStartedOf(record: StoredRecord, blobs: BlobLookup): RunStartedBody {
  requireType(record, 'run-started');
  return decodeBody(record, blobs) as RunStartedBody;
}

export function runEndedOf(record: StoredRecord, blobs: BlobLookup): RunEndedBody {
  requireType(record, 'run-ended');
  return decodeBody(record, blobs) as RunEndedBody;
}
