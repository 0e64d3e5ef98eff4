/**
 * A run told again without its sensitive texts. What came from outside (the
 * start, outcomes) is redacted; all else is what the actors make of it, folded
 * again. So the hashes are right, and the result replays like any run.
 *
 * Invariants
 *   R1. Where an actor decides differently over redacted texts, the run is
 *       refused: the event for that decision is not in the journal.
 *   R2. Nothing that a rule matches is left in any record.
 *   R3. What a fork shares with its parent is folded again for it, and told by the
 *       parent alone; the fork goes on from the parent's new digests.
 */
import { isUtf8 } from 'node:buffer';
import { type Actor, actorToJson, applyEvent, type Envelope, newActor } from '../actors/actor.ts';
import type { ActorEvent } from '../actors/event.ts';
import type { FinishIntention } from '../actors/intention.ts';
import { hasMachine, isMachineName } from '../actors/machines.ts';
import type { AppendRecord } from '../journal/record.ts';
import { recordDigest } from '../journal/record.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import type { ActorId, IntentionKey, RunId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import {
  type BlobLookup,
  type EventBody,
  eventOf,
  eventRecords,
  type Recording,
  type RunStartedBody,
  runEndedRecords,
  runStartedRecords,
} from './event-record.ts';
import { inRun } from './fork-point.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { Redactor } from './redactor.ts';
import type { RunEntry } from './run-index.ts';
import { contentOfFile, type WorkspaceFile, workspaceFile } from './run-workspace.ts';

/** The content of a file that is UTF-8, or null. */
function textOfFile(file: WorkspaceFile, blobs: BlobLookup): string | null {
  const content = contentOfFile(file, blobs);
  return content !== null && isUtf8(content) ? content.toString('utf8') : null;
}

/** Shows the redactor all texts of a run that it may have to see before it replaces any. */
export function learnRun(follower: JournalFollower, entry: RunEntry, redactor: Redactor): void {
  const blobs = follower.blobsOf(entry.id);
  const { started, ended, events } = entry;
  redactor.learn(started as unknown as Json);
  for (const { sha256: hash } of started.documents)
    redactor.learn(blobs(hash as Sha256)?.toString('utf8') ?? null);
  for (const file of started.workspace) redactor.learn(textOfFile(file, blobs));
  const sequences = events.map((_, index) => index + 1);
  for (const { record } of follower.records(entry, sequences))
    redactor.learn(eventOf(record, blobs).event as unknown as Json);
  if (ended !== null) redactor.learn(ended.body as unknown as Json);
}

/**
 * The records of an ended run, each text before the first record that names it.
 * @param store Makes a text a record, or nothing where it was one before.
 * @param digests New digests of the records of its parents by the old ones, hexadecimal; its own are added.
 * @throws RuntimeError RUN_NOT_REDACTED, BLOB_MISSING, JOURNAL_CORRUPT
 */
export function redactedRecords(
  follower: JournalFollower,
  entry: RunEntry,
  redactor: Redactor,
  store: Recording['store'],
  digests: Map<string, Buffer>,
): AppendRecord[] {
  return new Retelling(follower, entry, redactor, store, digests).run();
}

class Retelling {
  readonly #follower: JournalFollower;
  readonly #blobs: BlobLookup;
  readonly #entry: RunEntry;
  readonly #redactor: Redactor;
  readonly #store: Recording['store'];
  readonly #actors = new Map<ActorId, Actor>();
  readonly #told: Map<string, Buffer>;
  readonly #digests = new Map<ActorId, Buffer>();
  readonly #sent = new Map<IntentionKey, Envelope>();
  readonly #records: AppendRecord[] = [];
  #finish: FinishIntention | null = null;

  constructor(
    follower: JournalFollower,
    entry: RunEntry,
    redactor: Redactor,
    store: Recording['store'],
    digests: Map<string, Buffer>,
  ) {
    this.#follower = follower;
    this.#blobs = follower.blobsOf(entry.id);
    this.#entry = entry;
    this.#redactor = redactor;
    this.#store = store;
    this.#told = digests;
  }

  run(): AppendRecord[] {
    const { id, started, createdAt, ended, events } = this.#entry;
    if (ended === null) throw refused(id, 'it has not ended');
    const documents = new Map(
      started.documents.map(({ sha256: hash }) => this.#document(hash as Sha256)),
    );
    const texts = new Map(documents);
    const workspace = started.workspace.map((file) => this.#file(file, texts));
    const store = this.#store;
    const recording = { timeMs: createdAt, store };
    const told = { ...this.#redacted(started), workspace };
    // Its texts are stored first, for they stand before all others.
    const start = [
      ...store.texts(texts, createdAt),
      ...runStartedRecords(id, told, recording).slice(0, -1),
    ];
    const sequences = events.map((_, index) => index + 1);
    for (const { sequence, record } of this.#follower.records(this.#entry, sequences)) {
      this.#event(sequence, record);
    }
    const finish = this.#finish ?? { kind: 'finish', ...ended.body };
    this.#requireClean(events.length, finish);
    const end = runEndedRecords(id, this.#redacted(finish), { timeMs: ended.at, store });
    const body: RunStartedBody = { ...told, redacted: this.#redactor.counts };
    return [...start, ...runStartedRecords(id, body, recording), ...this.#records, ...end];
  }

  /** A document as it is now; whatever names it does so by its hash. */
  #document(hash: Sha256): [Sha256, Buffer] {
    const text = this.#blobs(hash);
    if (text === null) throw refused(this.#entry.id, `its document ${hash} is missing`);
    const redacted = Buffer.from(this.#redactor.text(text.toString('utf8')));
    this.#redactor.rehash(hash, sha256(redacted));
    return [sha256(redacted), redacted];
  }

  /** A file as it is now; one that is no text, which no rule can read, is named without its content. */
  #file(file: WorkspaceFile, texts: Map<Sha256, Buffer>): WorkspaceFile {
    const { texts: _, ...named } = file;
    const name = this.#redactor.text(file.name);
    const text = textOfFile(file, this.#blobs);
    if (text === null) return { ...named, name };
    const redacted = workspaceFile(name, Buffer.from(this.#redactor.text(text)), texts);
    this.#redactor.rehash(file.sha256, redacted.sha256);
    return redacted;
  }

  #redacted<T>(value: T): T {
    return this.#redactor.value(value as Json) as T;
  }

  #event(sequence: number, record: Parameters<typeof eventOf>[0]): void {
    const body = eventOf(record, this.#blobs);
    const run = record.run as RunId; // Of an event.
    const known = this.#actors.get(body.actor);
    const actor = known === undefined ? this.#newActor(sequence, body, run) : inRun(known, run);
    const event = this.#eventFor(sequence, body, actor);
    this.#rehash(body.event as unknown as Json, event as unknown as Json);
    const effects = this.#applied(sequence, actor, { ...body, event }, record.timeMs);
    const previousDigest = this.#digests.get(body.actor) ?? null;
    const original = record.digest.toString('hex');
    const envelope: Envelope = {
      run,
      to: body.actor,
      from: body.from,
      number: body.number,
      cause: body.cause as IntentionKey | null,
      event,
      machine: null,
    };
    const { epoch, timeMs } = record;
    this.#requireClean(sequence, { event, state: actorToJson(effects.actor) });
    if (run === this.#entry.id) {
      const begins = known !== undefined && known.run !== run;
      const parts = {
        effects,
        envelope,
        epoch,
        timeMs,
        previousDigest,
        begins,
        store: this.#store,
      };
      const records = eventRecords(parts);
      this.#records.push(...records);
      const last = records.at(-1);
      if (last !== undefined) this.#told.set(original, recordDigest(last));
    }
    const digest = this.#told.get(original);
    assert(digest !== undefined, 'a parent is told before its fork (R3)');
    this.#digests.set(body.actor, digest);
    this.#actors.set(body.actor, effects.actor);
    for (const sent of effects.sends) if (sent.cause !== null) this.#sent.set(sent.cause, sent);
    this.#finish ??= effects.finish;
  }

  /** Actors name texts that they were sent by hash, so those that are others now have other names. */
  #rehash(before: Json, after: Json): void {
    if (before === after) return;
    if (typeof before === 'string' && typeof after === 'string')
      this.#redactor.rehash(sha256(before), sha256(after));
    if (typeof before !== 'object' || typeof after !== 'object' || !before || !after) return;
    const others = Object.values(after);
    for (const [index, inner] of Object.values(before).entries())
      this.#rehash(inner, others[index] ?? null);
  }

  #newActor(sequence: number, { actor, machine }: EventBody, run: RunId): Actor {
    const [name = ''] = machine.split('@');
    if (isMachineName(name) && hasMachine(machine))
      return newActor(run, actor, name, { machines: [machine] });
    throw refused(this.#entry.id, `event ${sequence} is of a machine that is not here`);
  }

  /** A message is what its sender says now; what came from outside is redacted. */
  #eventFor(sequence: number, body: EventBody, actor: Actor): ActorEvent {
    const { event, cause } = body;
    if (event.type === 'outcome' || event.type === 'outcome-unknown') {
      if (actor.open[event.tag]?.key === cause) return this.#redacted(event);
      throw this.#otherwise(sequence, body);
    }
    if (cause === null) return this.#redacted(event);
    const sent = this.#sent.get(cause as IntentionKey);
    if (sent?.to === body.actor && sent.event.type === event.type) return sent.event;
    throw this.#otherwise(sequence, body); // (R1)
  }

  #applied(sequence: number, actor: Actor, body: EventBody, timeMs: number) {
    try {
      return applyEvent(actor, body, timeMs);
    } catch {
      throw this.#otherwise(sequence, body);
    }
  }

  #otherwise(sequence: number, { actor }: EventBody): RuntimeError {
    return refused(
      this.#entry.id,
      `before event ${sequence} (${actor}) the run decides otherwise over the redacted texts`,
    );
  }

  /** (R2) */
  #requireClean(sequence: number, value: unknown): void {
    if (this.#redactor.isClean(value as Json)) return;
    throw refused(this.#entry.id, `event ${sequence} makes a text that a rule matches`);
  }
}

function refused(run: string, why: string): RuntimeError {
  return new RuntimeError(
    'RUN_NOT_REDACTED',
    `The run ${run} cannot be exported redacted: ${why}; use other patterns.`,
  );
}
