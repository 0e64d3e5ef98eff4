/**
 * The single writer: takes encoded batches, checks that they continue what is
 * there, and makes a group of them durable with one write and one fdatasync.
 * It knows no thread; the journal worker drives it.
 *
 * Invariants
 *   W1. A batch is written whole or not at all, within one group.
 *   W2. A group lies in one segment and ends in a seal. The seal is SHA-256 of
 *       the seal before it and the digests of the group, so the writer hashes
 *       32 bytes a record and no body.
 *   W3. After a failed write or fdatasync nothing is written any more: the
 *       kernel may have dropped the pages and would call a second try good.
 *       Nor is what a start finds believed to be on the disk because it can be
 *       read: what no record proves durable is written again, and the names of
 *       the files are synced.
 *   W4. In the durable mode a group is committed when its fdatasync returned, in the
 *       relaxed mode when it is written: then the process may be killed, but the machine
 *       may not lose its power. What a record says of the durable log (L3) is true in both.
 */
import { mkdirSync } from 'node:fs';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { ActorChains } from './actor-chains.ts';
import { blobNameAt } from './blob-record.ts';
import { journalFolder } from './data-folders.ts';
import { type FilePort, nodeFilePort, readFully, writeFully } from './file-port.ts';
import { NextSegment } from './next-segment.ts';
import { encodedBytes, encodeRecord, headerPlausible, recordCrc, typeAt } from './record.ts';
import {
  alignRecord,
  recordDescriptor as at,
  readUint64,
  writeUint64,
} from './record-descriptor.ts';
import { type RecoveredJournal, type RecoveryReport, recover } from './recovery.ts';
import { markRecord, SealHasher, writeSeal } from './seal.ts';
import {
  createSegment,
  readSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentPath,
  segmentVersion,
} from './segment.ts';
import { writeFailure } from './write-failure.ts';

/**
 * Whether each group waits for the disk, or all that gathers waits together
 * for the next `sync`.
 */
export type JournalMode = 'durable' | 'relaxed';

export interface JournalWriterOptions {
  readonly files?: FilePort;
  /** `durable` unless given. */
  readonly mode?: JournalMode;
  readonly segmentBytes?: number;
  /** `limits.burstGroupBytes` unless given. */
  readonly burstGroupBytes?: number;
}

/** Where the committed log ends (W4). */
export interface CommittedEnd {
  readonly segment: number;
  readonly offset: number;
  /** Sequence of the last committed record. */
  readonly sequence: number;
}

const sealBytes = at.headerBytes;

export class JournalWriter {
  readonly recovered: RecoveryReport;
  readonly #files: FilePort;
  readonly #folder: string;
  readonly #mode: JournalMode;
  readonly #segmentBytes: number;
  readonly #groupBytesMax: number;
  readonly #nextSegment: NextSegment;
  readonly #chains: ActorChains;
  readonly #blobs: Set<Sha256>;
  #file: number | null = null;
  #header: SegmentHeader | null;
  #offset: number;
  /** Up to where the present segment is durable. */
  #synced: number;
  #sequence: number;
  #seal: Buffer;
  #group: Buffer;
  #staged = 0;
  #stagedTimeMs = 0;
  #starts: number[] = [];
  readonly #hasher = new SealHasher();
  #failure: RuntimeError | null = null;

  /**
   * Recovers the journal of the data directory and opens it for writing. The
   * caller holds the lock of the directory.
   * @throws RuntimeError JOURNAL_CORRUPT, DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED.
   */
  static open(dataDirectory: string, options: JournalWriterOptions = {}): JournalWriter {
    try {
      mkdirSync(journalFolder(dataDirectory), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw writeFailure(error);
    }
    const recovered = recover(dataDirectory, options.files ?? nodeFilePort);
    const writer = new JournalWriter(dataDirectory, recovered, options);
    writer.#guarded(() => writer.#openTail());
    return writer;
  }

  private constructor(
    dataDirectory: string,
    recovered: RecoveredJournal,
    options: JournalWriterOptions,
  ) {
    this.recovered = recovered.report;
    this.#files = options.files ?? nodeFilePort;
    this.#folder = journalFolder(dataDirectory);
    this.#mode = options.mode ?? 'durable';
    this.#segmentBytes = options.segmentBytes ?? limits.segmentBytes;
    this.#groupBytesMax = Math.min(
      limits.commitGroupBytes,
      this.#segmentBytes - segmentHeaderBytes,
    );
    this.#nextSegment = new NextSegment(this.#files, this.#folder, {
      bytes: this.#segmentBytes,
      burstGroupBytes: options.burstGroupBytes ?? limits.burstGroupBytes,
    });
    this.#chains = recovered.chains;
    this.#blobs = recovered.blobs;
    this.#header = recovered.header;
    this.#offset = recovered.report.end.offset;
    this.#synced = recovered.provenOffset;
    this.#sequence = recovered.report.lastSequence;
    this.#seal = recovered.seal;
    this.#group = Buffer.allocUnsafe(Math.min(this.#groupBytesMax, 256 * 1024));
  }

  /** Bytes that wait for `commit`, without the seal. */
  get stagedBytes(): number {
    return this.#staged;
  }

  get committed(): CommittedEnd {
    return {
      segment: this.#header?.number ?? 0,
      offset: this.#offset,
      sequence: this.#sequence,
    };
  }

  /**
   * Takes one encoded batch, `bytes[offset, offset + length)`, into the group.
   * Commits the group first when the batch would not fit.
   * @returns null, or why the batch was refused; then none of it is written.
   * @throws RuntimeError JOURNAL_FAILED, DISK_FULL.
   */
  stage(bytes: Buffer, offset: number, length: number): RuntimeError | null {
    if (this.#failure !== null) throw this.#failure;
    const refusal = this.#refusal(bytes, offset, offset + length);
    if (refusal !== null) {
      return new RuntimeError('JOURNAL_REFUSED', `The journal refused a batch: ${refusal}.`);
    }
    if (this.#staged + length + sealBytes > this.#groupBytesMax) this.commit();
    this.#reserve(this.#staged + length + sealBytes);
    const end = offset + length;
    for (let cursor = offset; cursor < end; ) cursor = this.#stageRecord(bytes, cursor);
    return null;
  }

  /** Stages the batches and commits them: one group, or more where they do not fit into one. */
  writeGroup(batches: readonly Buffer[]): { committed: CommittedEnd; refused: RuntimeError[] } {
    const refused: RuntimeError[] = [];
    for (const batch of batches) {
      const refusal = this.stage(batch, 0, batch.length);
      if (refusal !== null) refused.push(refusal);
    }
    return { committed: this.commit(), refused };
  }

  /**
   * Commits everything staged (W4).
   * @throws RuntimeError DISK_FULL or JOURNAL_FAILED, now and at every later call (W3).
   */
  commit(): CommittedEnd {
    if (this.#failure !== null) throw this.#failure;
    if (this.#staged > 0) this.#guarded(() => this.#commitStaged());
    return this.committed;
  }

  /**
   * Makes everything committed durable; in the durable mode it is.
   * @throws RuntimeError DISK_FULL or JOURNAL_FAILED, now and at every later call (W3).
   */
  sync(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#synced < this.#offset) this.#guarded(() => this.#syncUpTo(this.#offset));
  }

  /** Makes everything committed durable and commits a group that says no more than that (L3). */
  mark(timeMs: number): CommittedEnd {
    this.sync();
    const record = markRecord(timeMs);
    const bytes = Buffer.alloc(encodedBytes(record));
    encodeRecord(record, bytes, 0);
    const refusal = this.stage(bytes, 0, bytes.length);
    assert(refusal === null, 'a mark is never refused');
    return this.commit();
  }

  /**
   * Gives the zeros behind the last record back, before `close`. The next start
   * writes them again, as for a segment that lost its end in a crash. Where the
   * system refuses, the segment stays as long as it is.
   */
  trim(): void {
    if (this.#failure !== null || this.#file === null || this.#synced < this.#offset) return;
    try {
      this.#files.truncate(this.#file, this.#offset);
    } catch {
      // Only room on the disk was to be gained.
    }
  }

  /** Every text that comes from now on is written again, whatever segments before this one hold. */
  forgetTexts(): void {
    assert(this.#staged === 0, 'no batch waits that leaves a text out');
    this.#blobs.clear();
  }

  /** Leaves nothing open. What `sync` has not made durable stays as it is. */
  close(): void {
    this.#nextSegment.abandon();
    if (this.#file !== null) this.#files.close(this.#file);
    this.#file = null;
    this.#failure ??= new RuntimeError('JOURNAL_FAILED', 'The journal is closed.');
  }

  /** Why the batch may not be written, or null (W1). */
  #refusal(bytes: Buffer, start: number, end: number): string | null {
    const length = end - start;
    if (length === 0 || length % 8 !== 0) return 'its size is not that of records';
    if (length + sealBytes > this.#groupBytesMax) return `it has ${length} bytes, too many`;
    let pending: ActorChains | null = null;
    for (let offset = start; offset < end; ) {
      if (end - offset < at.headerBytes || !headerPlausible(bytes, offset)) {
        return 'a record is malformed';
      }
      const next = offset + alignRecord(bytes.readUInt32LE(offset + at.lengthOffset));
      if (next > end) return 'a record exceeds it';
      if (typeAt(bytes, offset) === 'seal') return 'seals are the writer’s own';
      const refusal = this.#chains.refusal(bytes, offset, pending);
      if (refusal !== null) return refusal;
      if (next < end) {
        pending ??= new ActorChains();
        pending.accept(bytes, offset);
      }
      offset = next;
    }
    return null;
  }

  /** Copies a checked record into the group, unless it is a blob that is already there. */
  #stageRecord(bytes: Buffer, offset: number): number {
    const end = offset + alignRecord(bytes.readUInt32LE(offset + at.lengthOffset));
    if (typeAt(bytes, offset) === 'blob') {
      const name = blobNameAt(bytes, offset);
      if (this.#blobs.has(name)) return end;
      this.#blobs.add(name);
    }
    this.#chains.accept(bytes, offset);
    bytes.copy(this.#group, this.#staged, offset, end);
    this.#starts.push(this.#staged);
    this.#stagedTimeMs = readUint64(bytes, offset + at.timeOffset);
    this.#staged += end - offset;
    return end;
  }

  #reserve(bytes: number): void {
    if (this.#group.length >= bytes) return;
    const grown = Buffer.allocUnsafe(
      Math.min(this.#groupBytesMax, Math.max(bytes, this.#group.length * 2)),
    );
    this.#group.copy(grown, 0, 0, this.#staged);
    this.#group = grown;
  }

  #commitStaged(): void {
    const length = this.#staged + sealBytes;
    if (this.#header === null || this.#offset + length > this.#header.bytes) this.#rollOver();
    const header = this.#header;
    assert(header !== null && this.#file !== null, 'a segment is open');
    assert(this.#offset + length <= header.bytes, 'a group fits into an empty segment (W2)');
    const seal = this.#appendSeal();
    this.#finishRecords(header);
    writeFully(this.#files, this.#file, this.#group, {
      offset: 0,
      length,
      position: this.#offset,
    });
    if (this.#mode === 'durable') this.#syncUpTo(this.#offset + length);
    this.#seal = seal;
    this.#offset += length;
    this.#sequence += this.#starts.length;
    this.#staged = 0;
    this.#starts = [];
    this.#nextSegment.groupWritten(length, this.#offset > header.bytes / 4);
  }

  /** Puts the seal behind the staged records; it carries the seal before it and itself as digests. */
  #appendSeal(): Buffer {
    const seal = this.#hasher.seal(this.#seal, this.#group, this.#starts);
    writeSeal(this.#group, this.#staged, {
      timeMs: this.#stagedTimeMs,
      previous: this.#seal,
      seal,
    });
    this.#starts.push(this.#staged);
    return seal;
  }

  /** Gives the records of the group what only their place decides. */
  #finishRecords(header: SegmentHeader): void {
    let sequence = this.#sequence;
    for (const start of this.#starts) {
      sequence += 1;
      writeUint64(this.#group, sequence, start + at.sequenceOffset);
      this.#group.writeUInt32LE(this.#offset, start + at.groupOffset);
      this.#group.writeUInt32LE(this.#synced, start + at.durableOffset);
      const crc = recordCrc(this.#group, start, this.#offset + start, header);
      this.#group.writeUInt32LE(crc, start + at.crcOffset);
    }
  }

  #syncUpTo(offset: number): void {
    assert(this.#file !== null, 'a segment is open');
    this.#files.fdatasync(this.#file);
    this.#synced = offset;
  }

  #rollOver(): void {
    if (this.#file !== null) {
      if (this.#synced < this.#offset) this.#syncUpTo(this.#offset); // (S2)
      this.#files.close(this.#file);
    }
    this.#file = null;
    const number = (this.#header?.number ?? this.recovered.end.segment) + 1;
    this.#file = createSegment(
      this.#files,
      this.#folder,
      {
        number,
        bytes: this.#segmentBytes,
        firstSequence: this.#sequence + 1,
        previousSeal: this.#seal,
      },
      this.#nextSegment.take(),
    );
    this.#header = readSegmentHeader(this.#files, this.#file, number);
    this.#offset = segmentHeaderBytes;
    this.#synced = segmentHeaderBytes;
  }

  /** The last segment, synced; behind one of an older version a new one. */
  #openTail(): void {
    if (this.#header === null) {
      this.#rollOver();
      return;
    }
    this.#file = this.#files.open(segmentPath(this.#folder, this.#header.number), 'r+');
    this.#files.syncFolder(this.#folder); // (W3)
    this.#writeAgain(this.#file);
    this.#syncUpTo(this.#offset);
    if (this.#header.version < segmentVersion) this.#rollOver();
  }

  /** Gives the system every page again that an earlier process may have failed to sync (W3). */
  #writeAgain(file: number): void {
    const bytes = Buffer.alloc(this.#offset - this.#synced);
    const range = { offset: 0, length: bytes.length, position: this.#synced };
    const length = readFully(this.#files, file, bytes, range);
    assert(length === bytes.length, 'what recovery has read is there');
    writeFully(this.#files, file, bytes, range);
  }

  /** Runs a step that touches the disk; its first failure is the last step (W3). */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#failure = writeFailure(error);
      throw this.#failure;
    }
  }
}
