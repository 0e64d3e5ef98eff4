/**
 * Follows the journal file and keeps the index of runs up to date. Up to a
 * durable end whatever it shows is durable (law D2); without one it reads up to
 * the last seal, which the disk may be a moment from confirming.
 */

import { type AuditNotice, parseAuditEvent } from '../identity/audit-event.ts';
import { JournalReader, type JournalReaderOptions } from '../journal/journal-reader.ts';
import type { JournalPosition, ReadableRecord } from '../journal/record.ts';
import type { RunKeys } from '../journal/run-keys.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { sha256 } from '../kernel/hash.ts';
import { isRunId, type RunId } from '../kernel/ids.ts';
import { runCompacted } from './compacted-runs.ts';
import { runErased } from './erased-runs.ts';
import { type BlobLookup, type EventBody, eventOf } from './event-record.ts';
import type { StreamRecord } from './fold-run.ts';
import { type IndexChange, type RunEntry, RunIndex } from './run-index.ts';
import { newSecurityState } from './security-state.ts';
import type { EventView } from './views.ts';

/** What the index shows where a text was skipped with a damaged part of the journal. */
const lostText = Buffer.from('(lost)');

/** What a record changed: of the runs, or of who may do what. */
export type JournalChange = IndexChange | { readonly type: 'audit'; readonly notice: AuditNotice };

export class JournalFollower {
  readonly index: RunIndex;
  readonly security = newSecurityState();
  readonly #reader: JournalReader;

  constructor(dataDirectory: string, options: JournalReaderOptions = {}) {
    this.#reader = JournalReader.open(dataDirectory, options);
    this.index = new RunIndex(
      (run) => (hash) =>
        this.#reader.blob(hash, run) ?? (this.#reader.hasSkipped ? lostText : null),
      this.#reader.compacted,
    );
  }

  /** Reads on, up to the durable end where it is known; calls back for each change, in order. */
  advance(
    until?: JournalPosition,
    onChange: (change: JournalChange) => void = () => undefined,
  ): void {
    for (const group of this.#reader.groups(until)) {
      for (const record of group) onChange(this.#apply(record));
    }
  }

  #apply(record: ReadableRecord): JournalChange {
    if (record.type !== 'audit') return this.index.apply(record);
    const event = parseAuditEvent(record.body);
    if (event === null) return { type: 'none' };
    const { sequence, timeMs } = record;
    this.security.apply(event, { sequence, timeMs });
    return { type: 'audit', notice: { event, sequence, timeMs } };
  }

  /** @throws RuntimeError RUN_NOT_FOUND, RUN_ERASED, RUN_KEYS_MISSING, RUN_COMPACTED */
  entry(id: string): RunEntry {
    const entry = isRunId(id) ? this.index.get(id as RunId) : undefined;
    if (entry !== undefined) return entry;
    const erased = this.index.erased.get(id as RunId);
    if (erased !== undefined) throw runErased(erased);
    if (this.index.compacted.has(id as RunId)) throw runCompacted(id);
    throw new RuntimeError('RUN_NOT_FOUND', `There is no run ${id}; claw runs lists them.`);
  }

  /** One event of a run, read from the journal again. `sequence` is from 1. */
  event(entry: RunEntry, sequence: number): EventView {
    const indexed = entry.events[sequence - 1];
    assert(indexed !== undefined, `the run has an event ${sequence}`);
    const record = this.#reader.read(indexed.position);
    const body = eventOf(record, this.blobsOf(entry.id));
    return eventView(body, {
      sequence,
      actorSequence: record.actorSequence,
      time: record.timeMs,
      stateHash: indexed.stateHash,
    });
  }

  /** The records of a run, or of one actor from one of its events on, in stream order. */
  *records(entry: RunEntry, sequences: Iterable<number>): Generator<StreamRecord> {
    for (const sequence of sequences) {
      const indexed = entry.events[sequence - 1];
      assert(indexed !== undefined, `the run has an event ${sequence}`);
      yield { sequence, record: this.#reader.read(indexed.position) };
    }
  }

  /** Behind the last group read; up to here another follower reads the same. */
  get position(): JournalPosition {
    return this.#reader.position;
  }

  /** Sequence and seal of the last group read. */
  get end(): JournalReader['end'] {
    return this.#reader.end;
  }

  read(position: JournalPosition) {
    return this.#reader.read(position);
  }

  /** The keys that the runs are read with. */
  get keys(): RunKeys {
    return this.#reader.keys;
  }

  /** The texts that records of the run name, those of the runs that it goes on from too. */
  blobsOf(run: RunId): BlobLookup {
    return (hash) => this.#reader.blob(hash, run);
  }

  close(): void {
    this.#reader.close();
  }
}

function eventView(
  body: EventBody,
  place: Pick<EventView, 'sequence' | 'actorSequence' | 'time' | 'stateHash'>,
): EventView {
  return {
    ...place,
    actor: body.actor,
    machine: body.machine,
    cause: body.cause,
    event: body.event as unknown as EventView['event'],
    actorHash: body.hash,
    intentions: body.intentions,
    ...(body.context === undefined ? {} : { context: sha256(body.context.node) }),
  };
}
