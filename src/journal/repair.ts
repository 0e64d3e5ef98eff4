/**
 * What the owner of a damaged journal can decide: to end it before the first
 * damage, or to go over all of it. Neither destroys anything: segments that
 * are changed or given up are kept in a folder of their own first.
 *
 * Invariants
 *   P1. Whatever instant a repair is interrupted at, repeating it completes it.
 *   P2. A journal that is sound is not touched.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { listSegments } from './compaction.ts';
import { journalFolder } from './data-folders.ts';
import { type FilePort, nodeFilePort, readFully, writeFully } from './file-port.ts';
import type { JournalPosition } from './record.ts';
import { listSegmentFiles, segmentHeaderBytes, segmentPath, writeZeros } from './segment.ts';
import { readSkippedRanges, type SkippedRange, writeSkippedRanges } from './skipped-ranges.ts';
import { type JournalFault, type JournalVerification, verifyJournal } from './verification.ts';
import { writeFailure } from './write-failure.ts';

export type RepairMode = 'truncate' | 'skip';

export interface RepairReport {
  /** What was found; with no faults nothing was done. */
  readonly before: JournalVerification;
  /** Ranges that readers go over from now on. */
  readonly skipped: readonly SkippedRange[];
  /** Where the journal ends now, if it was cut. */
  readonly cutAt: JournalPosition | null;
  /** Folder of the segments as they were, if any was changed. */
  readonly kept: string | null;
  readonly after: JournalVerification;
}

export interface RepairOptions {
  /** Milliseconds since the epoch; names the folder of what is kept. */
  readonly nowMs: number;
  readonly files?: FilePort;
}

/**
 * Repairs the journal of a data directory, which the caller has locked.
 * `truncate` ends it before the first damage. `skip` goes over every damage
 * behind which something can be read, and cuts what is left at the end. Texts
 * that are missing or wrong stay so; `after` names them.
 * @throws RuntimeError DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED.
 */
export function repairJournal(
  dataDirectory: string,
  mode: RepairMode,
  { nowMs, files = nodeFilePort }: RepairOptions,
): RepairReport {
  const before = verifyJournal(dataDirectory, files);
  const repair = new Repair(dataDirectory, files, nowMs);
  try {
    const skippable = mode === 'skip' ? before.faults.filter(({ next }) => next !== null) : [];
    const cut = before.faults.find((fault) => !skippable.includes(fault));
    if (skippable.length > 0) repair.skip(skippable);
    if (cut !== undefined) repair.truncate(cut.from);
    return {
      before,
      skipped: readSkippedRanges(files, journalFolder(dataDirectory)),
      cutAt: cut?.from ?? null,
      kept: repair.kept,
      after: verifyJournal(dataDirectory, files),
    };
  } catch (error) {
    throw writeFailure(error);
  }
}

class Repair {
  readonly #dataDirectory: string;
  readonly #folder: string;
  readonly #files: FilePort;
  readonly #nowMs: number;
  #kept: string | null = null;

  constructor(dataDirectory: string, files: FilePort, nowMs: number) {
    this.#dataDirectory = dataDirectory;
    this.#folder = journalFolder(dataDirectory);
    this.#files = files;
    this.#nowMs = nowMs;
  }

  get kept(): string | null {
    return this.#kept;
  }

  skip(faults: readonly JournalFault[]): void {
    this.#writeRanges([...this.#ranges(), ...faults.flatMap(rangeOf)]);
  }

  #ranges(): readonly SkippedRange[] {
    return readSkippedRanges(this.#files, this.#folder);
  }

  #writeRanges(ranges: readonly SkippedRange[]): void {
    writeSkippedRanges(this.#files, this.#folder, ranges);
  }

  /** Ends the journal at a place behind a good group, the last segments first (P1). */
  truncate({ segment, offset }: JournalPosition): void {
    const later = listSegments(this.#files, this.#folder).filter((number) => number > segment);
    for (const number of later.reverse()) {
      this.#keep(number);
      this.#files.unlink(segmentPath(this.#folder, number));
      this.#files.syncFolder(this.#folder);
    }
    if (offset > 0) this.#cut(segment, offset);
    const ranges = this.#ranges();
    const left = ranges.filter(
      ({ to }) => to.segment < segment || (to.segment === segment && to.offset <= offset),
    );
    if (left.length < ranges.length) this.#writeRanges(left);
  }

  #cut(segment: number, offset: number): void {
    this.#keep(segment);
    const file = this.#files.open(segmentPath(this.#folder, segment), 'r+');
    try {
      const from = Math.max(offset, segmentHeaderBytes);
      writeZeros(this.#files, file, { from, to: this.#files.size(file) });
      this.#files.fdatasync(file);
    } finally {
      this.#files.close(file);
    }
  }

  /** Copies a segment durably; an earlier repair of the same instant may have done so. */
  #keep(number: number): void {
    const kept = this.#folderOfKept();
    const copy = segmentPath(kept, number);
    if (listSegmentFiles(this.#files, kept).includes(number)) this.#files.unlink(copy);
    const source = this.#files.open(segmentPath(this.#folder, number), 'r');
    const target = this.#files.open(copy, 'wx');
    try {
      const bytes = Buffer.alloc(this.#files.size(source));
      const range = { offset: 0, length: bytes.length, position: 0 };
      readFully(this.#files, source, bytes, range);
      writeFully(this.#files, target, bytes, range);
      this.#files.fdatasync(target);
    } finally {
      this.#files.close(source);
      this.#files.close(target);
    }
    this.#files.syncFolder(kept);
  }

  #folderOfKept(): string {
    if (this.#kept === null) {
      const name = new Date(this.#nowMs).toISOString().replaceAll(':', '-');
      this.#kept = join(this.#dataDirectory, 'damaged', name);
      mkdirSync(this.#kept, { recursive: true, mode: 0o700 });
      this.#files.syncFolder(join(this.#dataDirectory, 'damaged'));
      this.#files.syncFolder(this.#dataDirectory);
    }
    return this.#kept;
  }
}

function rangeOf({ from, next, lastGoodSequence, what }: JournalFault): SkippedRange[] {
  if (next === null) return [];
  const { segment, offset, sequence, seal } = next;
  return [
    {
      from,
      to: { segment, offset },
      lastSequence: lastGoodSequence,
      nextSequence: sequence,
      seal,
      what,
    },
  ];
}
