/**
 * Reads a journal that somebody else may be writing, in this process or
 * another. It opens files for reading only and needs no lock.
 *
 * Invariants
 *   J1. A record is returned once, in order, and only from a sealed group.
 *   J2. Memory holds positions of blobs, never bodies.
 *   J3. What the caller knows to be durable must be there: a gap before
 *       `until` is corruption. So is, without `until`, a gap that a later group
 *       follows; any other gap is the future.
 *   J4. A record is read again only from sealed groups that were read, whose bytes stay.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { blobNameAt, decodeText, type StoredText, storedTextOf } from './blob-record.ts';
import type { CompactedRun } from './compaction.ts';
import { blobPath, compressedSuffix, journalFolder } from './data-folders.ts';
import { errorNumber, type FilePort, nodeFilePort, readFully } from './file-port.ts';
import { GroupScanner, type ScanEnd, type ScannedGroup } from './group-scanner.ts';
import { laterGroupExists } from './later-group.ts';
import { readable } from './readable-record.ts';
import {
  decodeRecord,
  headerPlausible,
  type JournalPosition,
  type ReadableRecord,
  recordCrc,
  type StoredRecord,
  typeAt,
} from './record.ts';
import { alignRecord, recordDescriptor as at } from './record-descriptor.ts';
import { RecordWindow } from './record-window.ts';
import { RunKeys } from './run-keys.ts';
import { corrupt, readSegmentHeader, type SegmentHeader, segmentPath } from './segment.ts';
import { tryReadFile } from './whole-file.ts';

export interface JournalReaderOptions {
  readonly files?: FilePort;
  /** Also compares each record with its digest. Seals and CRC are always verified. */
  readonly verifyDigests?: boolean;
}

interface OpenSegment {
  readonly number: number;
  readonly file: number;
  readonly header: SegmentHeader;
}

export class JournalReader {
  readonly #dataDirectory: string;
  readonly #files: FilePort;
  readonly #scanner: GroupScanner;
  readonly #keys: RunKeys;
  readonly #blobs = new Map<Sha256, JournalPosition>();
  readonly #window: RecordWindow;
  #open: OpenSegment | null = null;

  /** Opens the journal of a data directory; one that has none yet reads as empty. */
  static open(dataDirectory: string, options: JournalReaderOptions = {}): JournalReader {
    return new JournalReader(dataDirectory, options);
  }

  private constructor(dataDirectory: string, options: JournalReaderOptions) {
    this.#dataDirectory = dataDirectory;
    this.#files = options.files ?? nodeFilePort;
    this.#window = new RecordWindow(this.#files);
    this.#keys = new RunKeys(dataDirectory, this.#files);
    this.#scanner = new GroupScanner({
      files: this.#files,
      folder: journalFolder(dataDirectory),
      verifyDigests: options.verifyDigests ?? false,
    });
  }

  /** Behind the last group returned. */
  get position(): JournalPosition {
    return this.#scanner.position;
  }

  /** The keys that records and texts are read with. */
  get keys(): RunKeys {
    return this.#keys;
  }

  /** Sequence of the last record returned, and the seal of its group, hexadecimal. */
  get end(): { readonly sequence: number; readonly seal: string } {
    return { sequence: this.#scanner.sequence, seal: this.#scanner.seal.toString('hex') };
  }

  /** Whether records were skipped that somebody decided to do without. */
  get hasSkipped(): boolean {
    return this.#scanner.skips > 0;
  }

  /** Runs of which no event is left, oldest first. */
  get compacted(): readonly CompactedRun[] {
    return this.#scanner.compactions.flatMap(({ runs }) => runs);
  }

  /**
   * The records after those already returned, seals and marks included: up to
   * `until`, the end of a durable group, or without it up to the last seal.
   * @throws RuntimeError JOURNAL_CORRUPT, also when `until` is not reached (J3);
   *   DATA_VERSION_NEWER.
   */
  advance(until?: JournalPosition): ReadableRecord[] {
    const records: ReadableRecord[] = [];
    for (const group of this.groups(until)) {
      for (const record of group) records.push(record);
    }
    return records;
  }

  /** Like `advance`, but one commit group at a time, so that memory stays bounded. */
  *groups(until?: JournalPosition): Generator<ReadableRecord[]> {
    while (until === undefined || isBefore(this.position, until)) {
      const found = this.#scanner.next(until);
      if (found.kind === 'group') {
        yield this.#decode(found);
      } else if (until === undefined) {
        if (!this.#isFollowed(found)) return;
        // A live writer may have completed it before the later one that was seen.
        const again = this.#scanner.next();
        if (again.kind === 'end') throw this.#notWhole(again);
        yield this.#decode(again);
      } else if (!isBefore(this.position, until)) {
        // A new segment without a group is durable up to the end of its header.
        return;
      } else {
        throw this.#notWhole(found);
      }
    }
  }

  /** Whether a later group proves that the missing one was durable (J3). */
  #isFollowed({ segment, groupStart }: ScanEnd): boolean {
    const { header } = this.#scanner;
    if (header === null) return false;
    const file = this.#files.open(segmentPath(journalFolder(this.#dataDirectory), segment), 'r');
    try {
      const bytes = Buffer.alloc(header.bytes - groupStart);
      const range = { offset: 0, length: bytes.length, position: groupStart };
      readFully(this.#files, file, bytes, range);
      return laterGroupExists(bytes, groupStart, header);
    } finally {
      this.#files.close(file);
    }
  }

  #notWhole({ segment, offset, fault }: ScanEnd): RuntimeError {
    return corrupt(
      { segment, offset, lastGoodSequence: this.#scanner.sequence },
      fault ?? 'a durable group is not whole',
    );
  }

  /**
   * Content of a text that a record of the run may name, or null when there is none:
   * one of the run, of a run that it goes on from, or of no run.
   * @throws RuntimeError JOURNAL_CORRUPT when the content has another hash.
   */
  blob(hash: Sha256, run: RunId | null): Buffer | null {
    const text = this.storedText(hash, run);
    if (text === null) return null;
    const cipher = text.run === null ? null : this.#keys.find(text.run);
    const content = decodeText(text, cipher);
    if (sha256(content) !== hash) {
      throw new RuntimeError(
        'JOURNAL_CORRUPT',
        `The content of blob ${hash} does not have that hash; restore the data directory from a copy.`,
        { details: { hash } },
      );
    }
    return content;
  }

  /** The same text as it lies on the disk. */
  storedText(hash: Sha256, run: RunId | null): StoredText | null {
    const own = run === null ? null : this.#keys.find(run);
    for (const owner of own === null ? [] : [own.run, ...own.parents]) {
      const name = this.#keys.find(owner)?.nameOf(hash);
      const text = name === undefined ? null : this.#textAt(owner, name);
      if (text !== null) return text;
    }
    return this.#textAt(null, hash);
  }

  #textAt(run: RunId | null, name: Sha256): StoredText | null {
    const recorded = this.#recordedText(name);
    if (recorded !== null) return recorded;
    const path = blobPath(this.#dataDirectory, run, name);
    const frame = tryReadFile(nodeFilePort, path + compressedSuffix);
    const bytes = frame ?? tryReadFile(nodeFilePort, path);
    if (bytes === null) return null;
    const contentBytesMax = limits.blobFileBytesMax;
    return { run, name, compressed: frame !== null, bytes, contentBytesMax };
  }

  #recordedText(name: Sha256): StoredText | null {
    const position = this.#blobs.get(name);
    if (position === undefined) return null;
    try {
      return storedTextOf(this.#read(position));
    } catch (error) {
      if (errorNumber(error) !== 'ENOENT') throw error;
      // A compaction has dropped the segment since; what stays and names the text has it as a file.
      this.#blobs.delete(name);
      return null;
    }
  }

  /**
   * One record again, by the position that a returned record had.
   * @throws RuntimeError JOURNAL_CORRUPT.
   */
  read(position: JournalPosition): ReadableRecord {
    return readable(this.#read(position), this.#keys);
  }

  #read(position: JournalPosition): StoredRecord {
    const { file, header: basis } = this.#segment(position.segment);
    const { segment, offset } = position;
    const end = segment === this.position.segment ? this.position.offset : Infinity; // (J4)
    const place = { segment, file, offset, end };
    const header = this.#window.from(place, at.headerBytes);
    if (header === null || !headerPlausible(header, 0)) throw damaged(position);
    const bytes = this.#window.from(place, alignRecord(header.readUInt32LE(at.lengthOffset)));
    if (bytes === null) throw damaged(position);
    const crc = recordCrc(bytes, 0, offset, basis);
    if (crc !== bytes.readUInt32LE(at.crcOffset)) throw damaged(position);
    return decodeRecord(bytes, 0, position);
  }

  close(): void {
    this.#scanner.close();
    if (this.#open !== null) this.#files.close(this.#open.file);
    this.#open = null;
  }

  #decode(group: ScannedGroup): ReadableRecord[] {
    return group.starts.map((start) => {
      const position = { segment: group.segment, offset: group.fileOffset + start };
      if (typeAt(group.bytes, start) === 'blob') {
        this.#blobs.set(blobNameAt(group.bytes, start), position);
      }
      return readable(decodeRecord(group.bytes, start, position), this.#keys);
    });
  }

  #segment(number: number): OpenSegment {
    if (this.#open?.number === number) return this.#open;
    assert(number >= 1 && number <= this.position.segment, 'the segment was read before');
    if (this.#open !== null) this.#files.close(this.#open.file);
    this.#open = null;
    const file = this.#files.open(segmentPath(journalFolder(this.#dataDirectory), number), 'r');
    this.#open = { number, file, header: readSegmentHeader(this.#files, file, number) };
    return this.#open;
  }
}

function isBefore(left: JournalPosition, right: JournalPosition): boolean {
  return (
    left.segment < right.segment || (left.segment === right.segment && left.offset < right.offset)
  );
}

function damaged(position: JournalPosition): RuntimeError {
  return corrupt({ segment: position.segment, offset: position.offset }, 'a record is not whole');
}
