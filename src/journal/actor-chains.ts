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
 *   C6. All bodies of a run are encrypted, or none is, as in older formats: a key
 *       that is lost while the run goes on must not lead to bodies that all can read.
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

/** What is known of a run. */
interface RunEnds {
  readonly actors: Map<string, ChainEnd>;
  /** Whether its bodies are encrypted (C6); null where no body says so yet. */
  encrypted: boolean | null;
}

export class ActorChains {
  readonly #runs = new Map<string, RunEnds>();
  /** Keys of runs that ended, oldest first. */
  readonly #ended = new Set<string>();
  /** The run of the last record: consecutive records mostly share it. */
  readonly #lastRun = Buffer.alloc(runBytes);
  #lastEnds: RunEnds | undefined;
  /** The end that was found last, by the name in `#lastName`: a record is judged, then accepted. */
  #lastEnd: { readonly ends: RunEnds; readonly end: ChainEnd } | null = null;
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
   * Why the event or branch at `offset` may not follow, or why a body of a run may not be
   * as it is (C6); else null. Other records pass.
   * `pending` holds ends that this batch has moved but not yet published.
   */
  refusal(bytes: Buffer, offset: number, pending: ActorChains | null = null): string | null {
    const type = typeAt(bytes, offset);
    if (type === 'event' || type === 'branch') {
      const refusal = this.#chainRefusal(type, bytes, offset, pending);
      if (refusal !== null || type === 'branch') return refusal;
    } else if (type !== 'snapshot' && type !== 'run-ended') return null;
    const known = pending === null ? null : pending.#encrypted(bytes, offset);
    const encrypted = known ?? this.#encrypted(bytes, offset);
    if (encrypted === null || encrypted === isEncrypted(bytes, offset)) return null;
    return encrypted ? 'a body that is not encrypted' : 'a body that is encrypted';
  }

  #chainRefusal(
    type: 'event' | 'branch',
    bytes: Buffer,
    offset: number,
    pending: ActorChains | null,
  ): string | null {
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
    if (type === 'run-started') {
      this.#whole?.add(runKey(bytes, offset));
      const run = this.#ends(bytes, offset) ?? this.#addRun(bytes, offset);
      run.encrypted ??= isEncrypted(bytes, offset);
    }
    if (type === 'run-ended') this.#end(bytes, offset);
    if (type !== 'event' && type !== 'branch') return;
    const run = this.#ends(bytes, offset) ?? this.#addRun(bytes, offset);
    if (type === 'event') run.encrypted ??= isEncrypted(bytes, offset);
    const known = this.#endOf(run, bytes, offset);
    const sequence = readUint64(bytes, offset + at.actorSequenceOffset);
    const epoch = bytes.readUInt32LE(offset + at.epochOffset);
    const digest = offset + (type === 'branch' ? at.previousDigestOffset : at.digestOffset); // (C3)
    const end = known ?? { sequence, epoch, digest: Buffer.alloc(digestBytes) };
    end.sequence = sequence;
    end.epoch = epoch;
    bytes.copy(end.digest, 0, digest, digest + digestBytes);
    if (known === undefined) run.actors.set(actorKey(bytes, offset), end);
  }

  #encrypted(bytes: Buffer, offset: number): boolean | null {
    return this.#ends(bytes, offset)?.encrypted ?? null;
  }

  #find(bytes: Buffer, offset: number): ChainEnd | undefined {
    const run = this.#ends(bytes, offset);
    return run === undefined ? undefined : this.#endOf(run, bytes, offset);
  }

  #endOf(ends: RunEnds, bytes: Buffer, offset: number): ChainEnd | undefined {
    if (this.#lastEnd?.ends === ends && this.#isLastName(bytes, offset)) {
      return this.#lastEnd.end;
    }
    const end = ends.actors.get(actorKey(bytes, offset));
    if (end === undefined) return undefined;
    this.#lastEnd = { ends, end };
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

  #ends(bytes: Buffer, offset: number): RunEnds | undefined {
    const start = offset + at.runOffset;
    if (this.#lastEnds !== undefined && startsWith(this.#lastRun, runBytes, bytes, start)) {
      return this.#lastEnds;
    }
    const ends = this.#runs.get(runKey(bytes, offset));
    bytes.copy(this.#lastRun, 0, start, start + runBytes);
    this.#lastEnds = ends;
    return ends;
  }

  #addRun(bytes: Buffer, offset: number): RunEnds {
    const ends: RunEnds = { actors: new Map(), encrypted: null };
    this.#runs.set(runKey(bytes, offset), ends);
    return ends;
  }

  /** (C2) */
  #end(bytes: Buffer, offset: number): void {
    this.#ended.add(runKey(bytes, offset));
    for (const run of this.#ended) {
      if (this.#ended.size <= limits.openRunsMax) return;
      this.#ended.delete(run);
      this.#runs.delete(run);
      this.#lastEnds = undefined;
    }
  }
}

function isEncrypted(bytes: Buffer, offset: number): boolean {
  return ((bytes[offset + at.flagsOffset] ?? 0) & recordFlags.encrypted) !== 0;
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
