/**
 * A run told again without its sensitive texts. What came from outside (the
 * start, outcomes) is redacted; all else is what the actors make of it, folded
 * again. So the hashes are right, and the result replays like any run.
 *
 * Invariants
 *   R1. Where an actor decides differently over redacted texts, the run is
 *       refused: the event for that decision is not in the journal.
 *   R2. Nothing that a rule matches is left in any record.
 */
import { type Actor, actorToJson, applyEvent, type Envelope, newActor } from '../actors/actor.ts';
import type { ActorEvent } from '../actors/event.ts';
import type { FinishIntention } from '../actors/intention.ts';
import { hasMachine, isMachineName } from '../actors/machines.ts';
import type { AppendRecord } from '../journal/record.ts';
import { recordDigest } from '../journal/record.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import type { ActorId, IntentionKey } from '../kernel/ids.ts';
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
import type { JournalFollower } from './journal-follower.ts';
import type { Redactor } from './redactor.ts';
import type { RunEntry } from './run-index.ts';

/**
 * The records of an ended run, each text before the first record that names it.
 * @param store Makes a text a record, or nothing where it was one before.
 * @throws RuntimeError RUN_NOT_REDACTED, BLOB_MISSING, JOURNAL_CORRUPT
 */
export function redactedRecords(
  follower: JournalFollower,
  entry: RunEntry,
  redactor: Redactor,
  store: Recording['store'],
): AppendRecord[] {
  return new Retelling(follower, entry, redactor, store).run();
}

class Retelling {
  readonly #follower: JournalFollower;
  readonly #blobs: BlobLookup;
  readonly #entry: RunEntry;
  readonly #redactor: Redactor;
  readonly #store: Recording['store'];
  readonly #actors = new Map<ActorId, Actor>();
  readonly #digests = new Map<ActorId, Buffer>();
  readonly #sent = new Map<IntentionKey, Envelope>();
  readonly #records: AppendRecord[] = [];
  #finish: FinishIntention | null = null;

  constructor(
    follower: JournalFollower,
    entry: RunEntry,
    redactor: Redactor,
    store: Recording['store'],
  ) {
    this.#follower = follower;
    this.#blobs = follower.blobsOf(entry.id);
    this.#entry = entry;
    this.#redactor = redactor;
    this.#store = store;
  }

  run(): AppendRecord[] {
    const { id, started, createdAt, ended, events } = this.#entry;
    if (started.parent !== undefined || ended === null) {
      throw refused(id, 'only an ended run that is no fork can be redacted');
    }
    const documents = new Map(
      started.documents.map(({ sha256: hash }) => this.#document(hash as Sha256)),
    );
    const store = this.#store;
    const recording = { timeMs: createdAt, store };
    const told = this.#redacted(started);
    // Its texts are stored first, for they stand before all others.
    const start = [
      ...store.texts(documents, createdAt),
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

  #redacted<T>(value: T): T {
    return this.#redactor.value(value as Json) as T;
  }

  #event(sequence: number, record: Parameters<typeof eventOf>[0]): void {
    const body = eventOf(record, this.#blobs);
    const actor = this.#actors.get(body.actor) ?? this.#newActor(sequence, body);
    const event = this.#eventFor(sequence, body, actor);
    const effects = this.#applied(sequence, actor, { ...body, event }, record.timeMs);
    const previousDigest = this.#digests.get(body.actor) ?? null;
    const envelope: Envelope = {
      run: this.#entry.id,
      to: body.actor,
      from: body.from,
      number: body.number,
      cause: body.cause as IntentionKey | null,
      event,
      machine: null,
    };
    const { epoch, timeMs } = record;
    const parts = { effects, envelope, epoch, timeMs, previousDigest, store: this.#store };
    const records = eventRecords(parts);
    this.#requireClean(sequence, { event, state: actorToJson(effects.actor) });
    this.#records.push(...records);
    const last = records.at(-1);
    if (last !== undefined) this.#digests.set(body.actor, recordDigest(last));
    this.#actors.set(body.actor, effects.actor);
    for (const sent of effects.sends) if (sent.cause !== null) this.#sent.set(sent.cause, sent);
    this.#finish ??= effects.finish;
  }

  #newActor(sequence: number, { actor, machine }: EventBody): Actor {
    const [name = ''] = machine.split('@');
    if (isMachineName(name) && hasMachine(machine))
      return newActor(this.#entry.id, actor, name, { machines: [machine] });
    throw refused(this.#entry.id, `event ${sequence} is of a machine that is not here`);
  }

  /** A message is what its sender says now; what came from outside is redacted. */
  #eventFor(sequence: number, body: EventBody, actor: Actor): ActorEvent {
    const { event, cause } = body;
    if (event.type === 'outcome') {
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
    const text = JSON.stringify(value);
    if (JSON.stringify(this.#redacted(value)) === text) return;
    throw refused(this.#entry.id, `event ${sequence} makes a text that a rule matches`);
  }
}

function refused(run: string, why: string): RuntimeError {
  return new RuntimeError(
    'RUN_NOT_REDACTED',
    `The run ${run} cannot be exported redacted: ${why}; use other patterns.`,
  );
}
