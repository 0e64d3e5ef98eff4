/**
 * Checks a whole journal without changing it: CRCs, places, digests, seals,
 * the chains of the actors, and that every text is there and has its hash.
 * Unlike a start it does not end at the first damage, but names all of it, and
 * what can be read behind.
 *
 * Invariants
 *   F1. A fault names the range in which nothing can be read: from behind the
 *       last good group to the next one.
 *   F2. What a loss implies is no fault of its own: the runs that it concerns
 *       are named instead.
 */
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { ActorChains } from './actor-chains.ts';
import { BlobAudit } from './blob-audit.ts';
import { journalFolder } from './data-folders.ts';
import { type FilePort, nodeFilePort, readFully } from './file-port.ts';
import { GroupScanner, type ScanEnd, type ScannedGroup } from './group-scanner.ts';
import { laterGroupExists } from './later-group.ts';
import { findLaterPlace } from './later-place.ts';
import {
  decodeRecord,
  type JournalPosition,
  type RecordType,
  type StoredRecord,
} from './record.ts';
import { corruptionOf, listSegments, segmentPath } from './segment.ts';

/** Damage that no crash explains. */
export interface JournalFault extends JournalPosition {
  readonly what: string;
  /** Sequence of the last good record before it. */
  readonly lastGoodSequence: number;
  /** Where the next good group begins, and the sequence of its first record; null when there is none (F1). */
  readonly next: (JournalPosition & { readonly sequence: number }) | null;
}

/** A text that is not there, or not what its hash says. */
export interface BlobFault {
  readonly hash: Sha256;
  readonly what: string;
}

export interface JournalVerification {
  readonly ok: boolean;
  readonly segments: number;
  readonly groups: number;
  /** Number of good records by their type. */
  readonly records: Readonly<Partial<Record<RecordType, number>>>;
  /** Bytes of good groups. */
  readonly bytes: number;
  /** Texts in files of their own. */
  readonly blobFiles: number;
  readonly lastSequence: number;
  /** The last seal, hexadecimal: kept elsewhere, it proves all before it. */
  readonly seal: string;
  /** What follows the last seal and was never durable, as after a crash or beside a live server. */
  readonly torn: (JournalPosition & { readonly bytes: number }) | null;
  readonly faults: readonly JournalFault[];
  readonly blobFaults: readonly BlobFault[];
  /** Runs of which events or texts are missing. */
  readonly runsAffected: readonly RunId[];
}

/**
 * Verifies the journal of a data directory, beside whoever writes it.
 * @throws RuntimeError DATA_VERSION_NEWER.
 */
export function verifyJournal(
  dataDirectory: string,
  files: FilePort = nodeFilePort,
): JournalVerification {
  return new Verifier(dataDirectory, files).run();
}

class Verifier {
  readonly #files: FilePort;
  readonly #folder: string;
  readonly #scanner: GroupScanner;
  readonly #chains = new ActorChains();
  readonly #blobs: BlobAudit;
  readonly #faults: JournalFault[] = [];
  readonly #records: Partial<Record<RecordType, number>> = {};
  readonly #runsAffected = new Set<RunId>();
  #groups = 0;
  #bytes = 0;
  #torn: JournalVerification['torn'] = null;

  constructor(dataDirectory: string, files: FilePort) {
    this.#files = files;
    this.#folder = journalFolder(dataDirectory);
    this.#scanner = new GroupScanner({ files, folder: this.#folder, verifyDigests: true });
    this.#blobs = new BlobAudit(dataDirectory);
  }

  run(): JournalVerification {
    try {
      while (this.#step());
    } finally {
      this.#scanner.close();
    }
    const blobs = this.#blobs.finish();
    for (const run of blobs.runs) this.#runsAffected.add(run);
    return {
      ok: this.#faults.length === 0 && blobs.faults.length === 0,
      segments: listSegments(this.#files, this.#folder).length,
      groups: this.#groups,
      records: this.#records,
      bytes: this.#bytes,
      blobFiles: blobs.files,
      lastSequence: this.#scanner.sequence,
      seal: this.#scanner.seal.toString('hex'),
      torn: this.#torn,
      faults: this.#faults,
      blobFaults: blobs.faults,
      runsAffected: [...this.#runsAffected],
    };
  }

  /** One group, or one fault; false at the end. */
  #step(): boolean {
    try {
      const found = this.#scanner.next();
      if (found.kind === 'end') return this.#end(found);
      this.#accept(found);
      return true;
    } catch (error) {
      const corruption = corruptionOf(error);
      if (corruption === null) throw error;
      const { segment, offset, what } = corruption;
      return this.#goOn({ segment, offset }, what);
    }
  }

  /** The end of what can be read, unless something proves that more was there. */
  #end(end: ScanEnd): boolean {
    const { header } = this.#scanner;
    const last = listSegments(this.#files, this.#folder).at(-1) ?? 0;
    if (header === null) return false;
    const bytes = this.#bytesBehind(end.groupStart);
    const place = { segment: end.segment, offset: end.offset };
    if (laterGroupExists(bytes, end.groupStart, header)) {
      return this.#goOn(place, 'a group that was durable is not whole');
    }
    if (last > end.segment) {
      return this.#goOn({ segment: end.segment + 1, offset: 0 }, 'its file is missing');
    }
    const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
    if (length > 0) this.#torn = { segment: end.segment, offset: end.groupStart, bytes: length };
    return false;
  }

  #bytesBehind(offset: number): Buffer {
    const { header } = this.#scanner;
    if (header === null) return Buffer.alloc(0);
    const file = this.#files.open(segmentPath(this.#folder, header.number), 'r');
    try {
      const bytes = Buffer.alloc(header.bytes - offset);
      readFully(this.#files, file, bytes, { offset: 0, length: bytes.length, position: offset });
      return bytes;
    } finally {
      this.#files.close(file);
    }
  }

  /** Notes a fault and looks for the next good group (F1). */
  #goOn(place: JournalPosition, what: string): boolean {
    const lastGoodSequence = this.#scanner.sequence;
    const next = findLaterPlace(this.#files, this.#folder, later(place, this.#scanner.position));
    const resumed =
      next === null
        ? null
        : { segment: next.segment, offset: next.offset, sequence: next.sequence + 1 };
    this.#faults.push({ ...place, what, lastGoodSequence, next: resumed });
    if (next === null) return false;
    this.#scanner.goOnAt(next);
    return true;
  }

  #accept(group: ScannedGroup): void {
    const { bytes, starts, segment, fileOffset } = group;
    this.#groups += 1;
    this.#bytes += group.end - fileOffset - (starts[0] ?? 0);
    for (const start of starts) {
      const position = { segment, offset: fileOffset + start };
      const record = decodeRecord(bytes, start, position);
      this.#records[record.type] = (this.#records[record.type] ?? 0) + 1;
      this.#checkChain(bytes, start, record);
      this.#blobs.add(record);
    }
  }

  #checkChain(bytes: Buffer, start: number, record: StoredRecord): void {
    const refusal = this.#chains.refusal(bytes, start);
    this.#chains.accept(bytes, start);
    if (refusal === null) return;
    if (record.run !== null) this.#runsAffected.add(record.run);
    if (this.#faults.length > 0) return; // (F2)
    this.#faults.push({
      ...record.position,
      what: `an event does not continue its actor (${refusal})`,
      lastGoodSequence: record.sequence - 1,
      next: { ...record.position, sequence: record.sequence },
    });
  }
}

function later(left: JournalPosition, right: JournalPosition): JournalPosition {
  const isLeft =
    left.segment > right.segment || (left.segment === right.segment && left.offset > right.offset);
  return isLeft ? left : right;
}
