/**
 * The end of every open actor's chain of events: what the next one must
 * continue. The writer refuses what does not (DESIGN section 4), recovery
 * builds the same state from the log.
 *
 * Invariants
 *   C1. An event has actor sequence last + 1, the digest of the last as its
 *       previous digest, and an epoch not below the last.
 *   C2. Of the runs that ended only the last `limits.openRunsMax` are known, so
 *       that memory follows the open runs and not the history, and an outcome
 *       that comes late is still recorded. Actors of a forgotten run cannot go
 *       on.
 *   C3. The chain of an actor in a forked run begins with a branch instead: it
 *       names the sequence and the digest of the parent's event that is continued.
 *   C4. After a gap in the log the runs that began before it may lack events;
 *       a run whose start was seen behind it lacks none.
 *   C5. Of a run that was dropped with the beginning of the log, the events that
 *       are left behind it lack those before.
 */

import { type RunId, runIdBytes } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { typeAt } from './record.ts';
import {
  recordDescriptor as at,
  digestBytes,
  readUint64,
  recordFlags,
  runBytes,
} from './record-descriptor.ts';

/** Its length is one byte of the record. */
const actorNameBytesMax = 255;

interface ChainEnd {
  sequence: number;
  epoch: number;
  readonly digest: Buffer;
}

type ActorEnds = Map<string, ChainEnd>;

export class ActorChains {
  readonly #runs = new Map<string, ActorEnds>();
  /** Keys of runs that ended, oldest first. */
  readonly #ended = new Set<string>();
  /** The run of the last record: consecutive records mostly share it. */
  readonly #lastRun = Buffer.alloc(runBytes);
  #lastActors: ActorEnds | undefined;
  /** The end that was found last, by the name in `#lastName`: a record is judged, then accepted. */
  #lastEnd: { readonly actors: ActorEnds; readonly end: ChainEnd } | null = null;
  readonly #lastName = Buffer.alloc(actorNameBytesMax);
  #lastNameBytes = 0;
  /** Runs that began behind the last gap; null while there was none (C4). */
  #whole: Set<string> | null = null;
  /** Runs of which only what was not dropped is left (C5). */
  readonly #dropped: ReadonlySet<string>;

  /** @param dropped Runs whose beginning is no longer in the log. */
  constructor(dropped: Iterable<RunId> = []) {
    this.#dropped = new Set(Array.from(dropped, (run) => runIdBytes(run).toString('latin1')));
  }

  /**
   * Why the event or branch at `offset` may not follow, or null. Other records pass.
   * `pending` holds ends that this batch has moved but not yet published.
   */
  refusal(bytes: Buffer, offset: number, pending: ActorChains | null = null): string | null {
    const type = typeAt(bytes, offset);
    if (type !== 'event' && type !== 'branch') return null;
    const flags = bytes[offset + at.flagsOffset] ?? 0;
    const named = recordFlags.run | recordFlags.actor;
    if ((flags & named) !== named) return `${type} without its run or actor`;
    const moved = pending === null ? undefined : pending.#find(bytes, offset);
    const last = moved ?? this.#find(bytes, offset);
    if (type === 'branch') {
      if (last !== undefined) return 'a branch of an actor that has begun';
      return (flags & recordFlags.previousDigest) === 0 ? 'a branch from no event' : null;
    }
    const sequence = readUint64(bytes, offset + at.actorSequenceOffset);
    const expected = (last?.sequence ?? 0) + 1;
    if (sequence !== expected) return `actor sequence ${sequence} where ${expected} must follow`;
    const epoch = bytes.readUInt32LE(offset + at.epochOffset);
    if (last !== undefined && epoch < last.epoch) {
      return `epoch ${epoch} after epoch ${last.epoch}`;
    }
    if (!previousMatches(bytes, offset, last)) return 'another previous digest';
    return null;
  }

  /** Says that records are missing here. */
  gap(): void {
    this.#whole = new Set();
  }

  /** Whether the record's run may lack events (C4, C5). */
  mayLack(bytes: Buffer, offset: number): boolean {
    return this.#whole?.has(runKey(bytes, offset)) === false || this.isDropped(bytes, offset);
  }

  /** Whether the record's run was dropped (C5). */
  isDropped(bytes: Buffer, offset: number): boolean {
    return this.#dropped.has(runKey(bytes, offset));
  }

  /** Moves the chain of the record's actor, or notes that its run began or ended. */
  accept(bytes: Buffer, offset: number): void {
    const type = typeAt(bytes, offset);
    if (type === 'run-started') this.#whole?.add(runKey(bytes, offset));
    if (type === 'run-ended') this.#end(bytes, offset);
    if (type !== 'event' && type !== 'branch') return;
    const actors = this.#actors(bytes, offset) ?? this.#addRun(bytes, offset);
    const known = this.#endOf(actors, bytes, offset);
    const sequence = readUint64(bytes, offset + at.actorSequenceOffset);
    const epoch = bytes.readUInt32LE(offset + at.epochOffset);
    const digest = offset + (type === 'branch' ? at.previousDigestOffset : at.digestOffset); // (C3)
    const end = known ?? { sequence, epoch, digest: Buffer.alloc(digestBytes) };
    end.sequence = sequence;
    end.epoch = epoch;
    bytes.copy(end.digest, 0, digest, digest + digestBytes);
    if (known === undefined) actors.set(actorKey(bytes, offset), end);
  }

  #find(bytes: Buffer, offset: number): ChainEnd | undefined {
    const actors = this.#actors(bytes, offset);
    return actors === undefined ? undefined : this.#endOf(actors, bytes, offset);
  }

  #endOf(actors: ActorEnds, bytes: Buffer, offset: number): ChainEnd | undefined {
    if (this.#lastEnd?.actors === actors && this.#isLastName(bytes, offset)) {
      return this.#lastEnd.end;
    }
    const end = actors.get(actorKey(bytes, offset));
    if (end === undefined) return undefined;
    this.#lastEnd = { actors, end };
    this.#lastNameBytes = bytes[offset + at.actorLengthOffset] ?? 0;
    const start = offset + at.headerBytes;
    bytes.copy(this.#lastName, 0, start, start + this.#lastNameBytes);
    return end;
  }

  #isLastName(bytes: Buffer, offset: number): boolean {
    const length = bytes[offset + at.actorLengthOffset] ?? 0;
    return (
      length === this.#lastNameBytes &&
      startsWith(this.#lastName, length, bytes, offset + at.headerBytes)
    );
  }

  #actors(bytes: Buffer, offset: number): ActorEnds | undefined {
    const start = offset + at.runOffset;
    if (this.#lastActors !== undefined && startsWith(this.#lastRun, runBytes, bytes, start)) {
      return this.#lastActors;
    }
    const actors = this.#runs.get(runKey(bytes, offset));
    bytes.copy(this.#lastRun, 0, start, start + runBytes);
    this.#lastActors = actors;
    return actors;
  }

  #addRun(bytes: Buffer, offset: number): ActorEnds {
    const actors: ActorEnds = new Map();
    this.#runs.set(runKey(bytes, offset), actors);
    return actors;
  }

  /** (C2) */
  #end(bytes: Buffer, offset: number): void {
    this.#ended.add(runKey(bytes, offset));
    for (const run of this.#ended) {
      if (this.#ended.size <= limits.openRunsMax) return;
      this.#ended.delete(run);
      this.#runs.delete(run);
      this.#lastActors = undefined;
    }
  }
}

function previousMatches(bytes: Buffer, offset: number, last: ChainEnd | undefined): boolean {
  const flags = bytes[offset + at.flagsOffset] ?? 0;
  const present = (flags & recordFlags.previousDigest) !== 0;
  if (last === undefined) return !present;
  const start = offset + at.previousDigestOffset;
  return present && startsWith(last.digest, digestBytes, bytes, start);
}

/** Whether so many bytes of `known` lie at `start`. By byte: they are few, and a call into native code costs more. */
function startsWith(known: Buffer, length: number, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < length; index += 1) {
    if (known[index] !== bytes[start + index]) return false;
  }
  return true;
}

function runKey(bytes: Buffer, offset: number): string {
  const start = offset + at.runOffset;
  return bytes.toString('latin1', start, start + runBytes);
}

function actorKey(bytes: Buffer, offset: number): string {
  const start = offset + at.headerBytes;
  return bytes.toString('latin1', start, start + (bytes[offset + at.actorLengthOffset] ?? 0));
}
