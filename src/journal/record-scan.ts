/**
 * The records behind one of the log, group by group, as they lie on the disk:
 * for whoever has read up to there before and keeps no reader open. It begins in
 * the segment that has the next record, so its cost is that of the new.
 *
 * Invariants
 *   N1. A group is handed out only once its seal was verified (G1).
 *   N2. What the caller knows to be durable must be there; without `until` the
 *       scan ends at the last seal that is.
 *   N3. Records before `after + 1` of the first segment are handed out too, for
 *       a caller that compares them with what it knows.
 */

import { listSegments } from './compaction.ts';
import { journalFolder } from './data-folders.ts';
import { type FilePort, nodeFilePort } from './file-port.ts';
import { GroupScanner } from './group-scanner.ts';
import { readable } from './readable-record.ts';
import {
  decodeRecord,
  type JournalPosition,
  type ReadableRecord,
  type StoredRecord,
} from './record.ts';
import type { RunKeys } from './run-keys.ts';
import { corrupt, readSegmentHeader, segmentHeaderBytes, segmentPath } from './segment.ts';

export interface ScanOptions {
  /** Sequence of the last record that is known, 0 for none. */
  readonly after: number;
  /** The end of a durable group (N2). */
  readonly until?: JournalPosition | undefined;
  readonly files?: FilePort;
}

/**
 * @throws RuntimeError JOURNAL_CORRUPT, also when `until` is not reached; DATA_VERSION_NEWER
 */
export function* scanGroups(
  dataDirectory: string,
  { after, until, files = nodeFilePort }: ScanOptions,
): Generator<StoredRecord[]> {
  const folder = journalFolder(dataDirectory);
  const scanner = new GroupScanner({ files, folder, verifyDigests: true });
  try {
    const start = startOf(files, folder, after);
    if (start !== null) scanner.goOnAt(start);
    while (until === undefined || isBefore(scanner.position, until)) {
      const found = scanner.next(until);
      if (found.kind === 'group') {
        const { bytes, starts, segment, fileOffset } = found;
        yield starts.map((at) => decodeRecord(bytes, at, { segment, offset: fileOffset + at }));
      } else if (until === undefined || !isBefore(scanner.position, until)) {
        return;
      } else {
        const { segment, offset, fault } = found;
        const place = { segment, offset, lastGoodSequence: scanner.sequence };
        throw corrupt(place, fault ?? 'a durable group is not whole');
      }
    }
  } finally {
    scanner.close();
  }
}

/** The same, with bodies decrypted where their keys are there. */
export function* scanReadable(
  dataDirectory: string,
  keys: RunKeys,
  options: ScanOptions,
): Generator<ReadableRecord[]> {
  for (const group of scanGroups(dataDirectory, options)) {
    yield group.map((record) => readable(record, keys));
  }
}

/** The last segment that begins no later than the record behind `after`. */
function startOf(files: FilePort, folder: string, after: number) {
  for (const number of listSegments(files, folder).reverse()) {
    const file = files.open(segmentPath(folder, number), 'r');
    try {
      const { firstSequence, previousSeal: seal } = readSegmentHeader(files, file, number);
      if (firstSequence > after + 1) continue;
      return { segment: number, offset: segmentHeaderBytes, sequence: firstSequence - 1, seal };
    } finally {
      files.close(file);
    }
  }
  return null;
}

function isBefore(left: JournalPosition, right: JournalPosition): boolean {
  return (
    left.segment < right.segment || (left.segment === right.segment && left.offset < right.offset)
  );
}
