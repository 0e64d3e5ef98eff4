/**
 * Ranges of the journal that somebody has decided to do without, because they
 * are damaged: readers go over them. The bytes stay where they are, and what
 * was decided stands in a file beside the segments.
 *
 * Invariants
 *   K1. The file appears with its whole content, and durably.
 *   K2. A range begins behind a good group, so a reader meets it exactly there.
 */
import { join } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import type { FilePort } from './file-port.ts';
import type { GroupPlace } from './later-place.ts';
import type { JournalPosition } from './record.ts';
import { digestBytes } from './record-descriptor.ts';
import { replaceFile, tryReadFile } from './whole-file.ts';

/** As it stands in the file. */
export interface SkippedRange {
  /** Behind the last good group; segment 0 where not even the first header can be read. */
  readonly from: JournalPosition;
  /** Where the next good group begins. */
  readonly to: JournalPosition;
  /** Sequences of the records before and behind it. */
  readonly lastSequence: number;
  readonly nextSequence: number;
  /** The seal before the next good group, hexadecimal. */
  readonly seal: string;
  readonly what: string;
}

const skippedFile = 'skipped.json';

function skippedPath(folder: string): string {
  return join(folder, skippedFile);
}

/**
 * @param folder The folder of the segments.
 * @throws RuntimeError JOURNAL_CORRUPT when the file is there and is not what was written.
 */
export function readSkippedRanges(files: FilePort, folder: string): readonly SkippedRange[] {
  const bytes = tryReadFile(files, skippedPath(folder));
  if (bytes === null) return [];
  try {
    const ranges = JSON.parse(bytes.toString('utf8')) as unknown;
    if (Array.isArray(ranges) && ranges.every(isRange)) return ranges;
  } catch {
    // Said below.
  }
  throw new RuntimeError(
    'JOURNAL_CORRUPT',
    `${skippedPath(folder)} is damaged; restore it from a copy of the data directory.`,
  );
}

/** Replaces the list (K1). Throws what the port throws. */
export function writeSkippedRanges(
  files: FilePort,
  folder: string,
  ranges: readonly SkippedRange[],
): void {
  const bytes = Buffer.from(`${JSON.stringify(ranges, null, 2)}\n`);
  replaceFile(files, folder, skippedFile, bytes);
}

/** Where a reader that has come to `position` goes on, or null when nothing is skipped there (K2). */
export function skippedTo(
  ranges: readonly SkippedRange[],
  position: JournalPosition,
): GroupPlace | null {
  const range = ranges.find(
    ({ from }) => from.segment === position.segment && from.offset === position.offset,
  );
  if (range === undefined) return null;
  const { to, nextSequence, seal } = range;
  return { ...to, sequence: nextSequence - 1, seal: Buffer.from(seal, 'hex') };
}

function isRange(value: unknown): value is SkippedRange {
  if (typeof value !== 'object' || value === null) return false;
  const { from, to, lastSequence, nextSequence, seal, what } = value as Partial<SkippedRange>;
  return (
    isPosition(from) &&
    isPosition(to) &&
    isCount(lastSequence) &&
    isCount(nextSequence) &&
    typeof seal === 'string' &&
    Buffer.from(seal, 'hex').length === digestBytes &&
    typeof what === 'string'
  );
}

function isPosition(value: JournalPosition | undefined): boolean {
  return (
    typeof value === 'object' && value !== null && isCount(value.segment) && isCount(value.offset)
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
