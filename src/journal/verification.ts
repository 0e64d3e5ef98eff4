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
import { type Compaction, listSegments } from './compaction.ts';
import { journalFolder } from './data-folders.ts';
import { type FilePort, nodeFilePort, readFully } from './file-port.ts';
import { GroupScanner, type ScanEnd, type ScannedGroup } from './group-scanner.ts';
import { laterGroupExists } from './later-group.ts';
import { findLaterPlace, type GroupPlace } from './later-place.ts';
import {
  decodeRecord,
  type JournalPosition,
  type RecordType,
  type StoredRecord,
} from './record.ts';
import { corruptionOf, segmentPath } from './segment.ts';
import { readSkippedRanges, type SkippedRange } from './skipped-ranges.ts';

/** Damage that no crash explains. */
export interface JournalFault extends JournalPosition {
  readonly what: string;
  /** Behind the last good group (F1). */
  readonly from: JournalPosition;
  /** Sequence of the last good record before it. */
  readonly lastGoodSequence: number;
  /** The next good group; null when there is none (F1). */
  readonly next: NextGroup | null;
}

/** Where a group begins, the sequence of its first record, and the seal before it, hexadecimal. */
export interface NextGroup extends JournalPosition {
  readonly sequence: number;
  readonly seal: string;
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
  /** Damage that somebody decided to do without. */
  readonly skipped: readonly SkippedRange[];
  /** The beginning that was dropped, if it was. */
  readonly compacted: CompactedView | null;
  readonly blobFaults: readonly BlobFault[];
  /** Runs whose keys are missing or damaged, and that were not erased. */
  readonly keysMissing: readonly RunId[];
  /** Runs of which events or texts are missing. */
  readonly runsAffected: readonly RunId[];
}

/** What was dropped with proof, all compactions together. */
export interface CompactedView {
  readonly segments: number;
  readonly runs: number;
  readonly lastSequence: number;
}

function compactedView(compactions: readonly Compaction[]): CompactedView | null {
  const last = compactions.at(-1);
  if (last === undefined) return null;
  const runs = compactions.reduce((sum, each) => sum + each.runs.length, 0);
  return { segments: last.through, runs, lastSequence: last.lastSequence };
}

/**
 * Verifies the journal of a data directory, beside whoever writes it.
 * @param onRecord Is shown each record of a good group, in order.
 * @throws RuntimeError DATA_VERSION_NEWER.
 */
export function verifyJournal(
  dataDirectory: string,
  files: FilePort = nodeFilePort,
  onRecord: (record: StoredRecord) => void = () => undefined,
): JournalVerification {
  return new Verifier(dataDirectory, files, onRecord).run();
}

const notWhole = 'a group that was durable is not whole';

class Verifier {
  readonly #files: FilePort;
  readonly #folder: string;
  readonly #scanner: GroupScanner;
  readonly #chains: ActorChains;
  readonly #blobs: BlobAudit;
  readonly #onRecord: (record: StoredRecord) => void;
  readonly #faults: JournalFault[] = [];
  readonly #records: Partial<Record<RecordType, number>> = {};
  readonly #runsAffected = new Set<RunId>();
  #groups = 0;
  #skips = 0;
  #bytes = 0;
  #torn: JournalVerification['torn'] = null;

  constructor(dataDirectory: string, files: FilePort, onRecord: (record: StoredRecord) => void) {
    this.#files = files;
    this.#onRecord = onRecord;
    this.#folder = journalFolder(dataDirectory);
    this.#scanner = new GroupScanner({ files, folder: this.#folder, verifyDigests: true });
    const dropped = this.#scanner.compactions.flatMap(({ runs }) => runs.map(({ id }) => id));
    this.#chains = new ActorChains(dropped);
    this.#blobs = new BlobAudit(dataDirectory, dropped);
  }

  run(): JournalVerification {
    try {
      while (this.#step());
    } finally {
      this.#scanner.close();
    }
    const blobs = this.#blobs.finish();
    for (const run of [...blobs.runs, ...blobs.unreadable]) this.#runsAffected.add(run);
    return {
      ok: [this.#faults, blobs.faults, blobs.unreadable].every(({ length }) => length === 0),
      segments: listSegments(this.#files, this.#folder).length,
      groups: this.#groups,
      records: this.#records,
      bytes: this.#bytes,
      blobFiles: blobs.files,
      lastSequence: this.#scanner.sequence,
      seal: this.#scanner.seal.toString('hex'),
      torn: this.#torn,
      faults: this.#faults,
      skipped: readSkippedRanges(this.#files, this.#folder),
      compacted: compactedView(this.#scanner.compactions),
      blobFaults: blobs.faults,
      keysMissing: blobs.unreadable,
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
      return this.#goOn(place, end.fault ?? notWhole);
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
    const { sequence: lastGoodSequence, position: from } = this.#scanner;
    const next = findLaterPlace(this.#files, this.#folder, from);
    // Damage in this segment hides behind damage to the next one's header.
    const isNearer = place.segment > from.segment && next?.segment === from.segment;
    this.#faults.push({
      ...(isNearer ? from : place),
      what: isNearer ? notWhole : what,
      from,
      lastGoodSequence,
      next: next && shown(next),
    });
    if (next === null) return false;
    this.#scanner.goOnAt(next);
    this.#chains.gap();
    return true;
  }

  #accept(group: ScannedGroup): void {
    const { bytes, starts, segment, fileOffset } = group;
    if (this.#scanner.skips > this.#skips) this.#chains.gap();
    this.#skips = this.#scanner.skips;
    this.#groups += 1;
    this.#bytes += group.end - fileOffset - (starts[0] ?? 0);
    for (const start of starts) {
      const position = { segment, offset: fileOffset + start };
      const record = decodeRecord(bytes, start, position);
      this.#records[record.type] = (this.#records[record.type] ?? 0) + 1;
      this.#checkChain(record, group);
      this.#blobs.add(record);
      this.#onRecord(record);
    }
  }

  /** An event that does not continue its actor makes its whole group a fault. */
  #checkChain(record: StoredRecord, group: ScannedGroup): void {
    const start = record.position.offset - group.fileOffset;
    const refusal = this.#chains.refusal(group.bytes, start);
    const mayLack = this.#chains.mayLack(group.bytes, start);
    this.#chains.accept(group.bytes, start);
    if (refusal === null || this.#chains.isDropped(group.bytes, start)) return;
    if (record.run !== null) this.#runsAffected.add(record.run);
    if (mayLack) return; // (F2)
    this.#faults.push({
      ...record.position,
      what: `an event does not continue its actor (${refusal})`,
      lastGoodSequence: record.sequence - 1,
      from: { segment: group.segment, offset: group.fileOffset + (group.starts[0] ?? 0) },
      next: shown({
        ...this.#scanner.position,
        sequence: this.#scanner.sequence,
        seal: this.#scanner.seal,
      }),
    });
  }
}

function shown({ segment, offset, sequence, seal }: GroupPlace): NextGroup {
  return { segment, offset, sequence: sequence + 1, seal: seal.toString('hex') };
}
