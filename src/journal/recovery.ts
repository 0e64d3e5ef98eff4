/**
 * What a start does with the journal it finds: verifies everything, cuts a
 * torn tail, refuses corruption, and rebuilds what the writer must know.
 *
 * Invariants
 *   V1. Only what follows the last valid seal is ever cut, and only when no
 *       later group says that it was durable (L3): then its damage is corruption.
 *   V2. Recovering twice changes nothing the second time.
 */
import { join } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { ActorChains } from './actor-chains.ts';
import { blobNameAt } from './blob-record.ts';
import { listSegments, removeDropped } from './compaction.ts';
import { journalFolder } from './data-folders.ts';
import { type FilePort, nodeFilePort, readFully } from './file-port.ts';
import { GroupScanner, type ScanEnd, type ScannedGroup } from './group-scanner.ts';
import { laterGroupExists } from './later-group.ts';
import { type JournalPosition, typeAt } from './record.ts';
import { corrupt, type SegmentHeader, segmentPath, writeZeros } from './segment.ts';

export interface RecoveryReport {
  readonly segments: number;
  /** Sequence of the last valid record, 0 for an empty journal. */
  readonly lastSequence: number;
  /** Bytes of a torn group that were cut; nobody was told that it is durable. */
  readonly bytesCut: number;
  /** Where the next group goes. */
  readonly end: JournalPosition;
}

export interface RecoveredJournal {
  readonly report: RecoveryReport;
  readonly seal: Buffer;
  /** Up to where records prove that the last segment is durable (L3). */
  readonly provenOffset: number;
  readonly header: SegmentHeader | null;
  readonly chains: ActorChains;
  /** Hashes of the blobs that are records. */
  readonly blobs: Set<Sha256>;
}

/**
 * Recovers the journal of a data directory. The caller owns the directory.
 * @throws RuntimeError JOURNAL_CORRUPT naming segment, offset and last good
 *   sequence; DATA_VERSION_NEWER.
 */
export function recover(dataDirectory: string, files: FilePort = nodeFilePort): RecoveredJournal {
  const folder = journalFolder(dataDirectory);
  const segments = removeUnfinished(files, folder);
  const scanner = new GroupScanner({ files, folder, verifyDigests: true });
  const chains = new ActorChains(
    scanner.compactions.flatMap(({ runs }) => runs.map(({ id }) => id)),
  );
  const blobs = new Set<Sha256>();
  try {
    const end = scanAll(scanner, chains, blobs);
    if (end.segment !== (segments.at(-1) ?? end.segment)) {
      throw corrupt({ segment: end.segment + 1, offset: 0 }, 'its file is missing');
    }
    const header = scanner.header;
    const bytesCut =
      header === null ? 0 : cutTornTail({ files, folder, header, end, sequence: scanner.sequence });
    return {
      report: {
        segments: segments.length,
        lastSequence: scanner.sequence,
        bytesCut,
        end: scanner.position,
      },
      seal: Buffer.from(scanner.seal),
      provenOffset: scanner.provenOffset,
      header,
      chains,
      blobs,
    };
  } finally {
    scanner.close();
  }
}

/** A crash while a segment was created leaves a file that is nothing yet (S1). */
function removeUnfinished(files: FilePort, folder: string): number[] {
  for (const name of files.list(folder)) {
    if (name.endsWith('.segment.tmp')) files.unlink(join(folder, name));
  }
  removeDropped(files, folder);
  return listSegments(files, folder);
}

function scanAll(scanner: GroupScanner, chains: ActorChains, blobs: Set<Sha256>): ScanEnd {
  let skips = 0;
  for (;;) {
    const found = scanner.next();
    if (found.kind === 'end') return found;
    if (scanner.skips > skips) chains.gap();
    skips = scanner.skips;
    acceptGroup(found, scanner.sequence, chains, blobs);
  }
}

function acceptGroup(
  group: ScannedGroup,
  lastSequence: number,
  chains: ActorChains,
  blobs: Set<Sha256>,
): void {
  const { bytes, starts } = group;
  for (const [index, start] of starts.entries()) {
    const refusal = chains.refusal(bytes, start);
    if (refusal !== null && !chains.mayLack(bytes, start)) {
      throw corrupt(
        {
          segment: group.segment,
          offset: group.fileOffset + start,
          lastGoodSequence: lastSequence - starts.length + index,
        },
        `an event does not continue its actor (${refusal})`,
      );
    }
    chains.accept(bytes, start);
    if (typeAt(bytes, start) === 'blob') blobs.add(blobNameAt(bytes, start));
  }
}

interface Tail {
  readonly files: FilePort;
  readonly folder: string;
  readonly header: SegmentHeader;
  readonly end: ScanEnd;
  readonly sequence: number;
}

/** Zeroes what follows the last seal, which the writer syncs, and returns how many bytes that were not zero it spanned. */
function cutTornTail({ files, folder, header, end, sequence }: Tail): number {
  const { groupStart } = end;
  const file = files.open(segmentPath(folder, header.number), 'r+');
  try {
    const bytes = Buffer.alloc(header.bytes - groupStart);
    const length = readFully(files, file, bytes, {
      offset: 0,
      length: bytes.length,
      position: groupStart,
    });
    if (laterGroupExists(bytes, groupStart, header)) {
      throw corrupt(
        { segment: header.number, offset: end.offset, lastGoodSequence: sequence },
        end.fault ?? 'a group that was durable is not whole',
      );
    }
    const cut = lengthWithoutZeros(bytes);
    // A file that lost its end gets it back, so that later groups stay within the preallocation.
    const zeroTo = length < bytes.length ? header.bytes : groupStart + cut;
    writeZeros(files, file, { from: groupStart, to: zeroTo });
    return cut;
  } catch (error) {
    if (error instanceof RuntimeError) throw error;
    throw new RuntimeError(
      'JOURNAL_FAILED',
      `Segment ${header.number} of the journal cannot be repaired after a crash; check the disk.`,
      { cause: error },
    );
  } finally {
    files.close(file);
  }
}

function lengthWithoutZeros(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length -= 1;
  return length;
}
