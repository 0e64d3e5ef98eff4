/**
 * Walks a journal group by group, forward, and hands out only groups whose
 * seal is there and holds. Recovery and readers are built on it.
 *
 * Invariants
 *   G1. Nothing of a group is shown before its seal was verified.
 *   G2. Bytes are read once per visit: whatever was not shown is read again
 *       from the file, because a live writer may have completed it meanwhile.
 *   G3. Once a next segment was seen, the end of this one is read again: it was
 *       complete before the next one appeared (S2).
 */
import { assert } from '../kernel/assert.ts';
import { type Compaction, listSegments, readCompactions } from './compaction.ts';
import { errorNumber, type FilePort, readFully } from './file-port.ts';
import { durableBefore } from './later-group.ts';
import type { GroupPlace } from './later-place.ts';
import { digestHolds, headerPlausible, type JournalPosition, recordCrc, typeAt } from './record.ts';
import {
  alignRecord,
  recordDescriptor as at,
  digestBytes,
  readUint64,
} from './record-descriptor.ts';
import { genesisSeal, SealHasher } from './seal.ts';
import {
  corrupt,
  readSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentPath,
} from './segment.ts';
import { readSkippedRanges, type SkippedRange, skippedTo } from './skipped-ranges.ts';

const windowBytesMin = 1024 * 1024;

/** A verified group. `bytes` is valid until the scanner's next step. */
export interface ScannedGroup {
  readonly kind: 'group';
  readonly segment: number;
  readonly bytes: Buffer;
  /** Index in `bytes` of each record; the seal is the last. */
  readonly starts: readonly number[];
  /** What to add to such an index to get the offset in the segment. */
  readonly fileOffset: number;
  /** Offset in the segment behind the group. */
  readonly end: number;
}

/**
 * No further valid group; `offset` is where the first unusable byte lies. After
 * crashes it may also be a record that is whole and does not belong there: one
 * of an earlier group whose place was used again.
 */
export interface ScanEnd {
  readonly kind: 'end';
  readonly segment: number;
  /** Where the group begins that is not there or not whole. */
  readonly groupStart: number;
  readonly offset: number;
  /** Why a whole record is not usable there. */
  readonly fault: string | null;
}

export class GroupScanner {
  readonly #files: FilePort;
  readonly #folder: string;
  readonly #verifyDigests: boolean;
  readonly #skipped: readonly SkippedRange[];
  readonly #compactions: readonly Compaction[];
  #skips = 0;
  #file: number | null = null;
  #header: SegmentHeader | null = null;
  #offset = 0;
  #proven = segmentHeaderBytes;
  /** Offset in the segment up to which bytes may be read. */
  #limit = 0;
  #sequence: number;
  #seal: Buffer;
  #window = Buffer.allocUnsafe(0);
  #windowStart = 0;
  #windowLength = 0;
  readonly #hasher = new SealHasher();

  constructor(options: { files: FilePort; folder: string; verifyDigests: boolean }) {
    this.#files = options.files;
    this.#folder = options.folder;
    this.#verifyDigests = options.verifyDigests;
    this.#skipped = readSkippedRanges(options.files, options.folder);
    this.#compactions = readCompactions(options.files, options.folder);
    const dropped = this.#compactions.at(-1);
    this.#sequence = dropped?.lastSequence ?? 0;
    this.#seal = dropped === undefined ? genesisSeal : Buffer.from(dropped.seal, 'hex');
  }

  /** What was dropped before the first segment, oldest first. */
  get compactions(): readonly Compaction[] {
    return this.#compactions;
  }

  /** Ranges skipped so far; actors and texts may lack what was in them. */
  get skips(): number {
    return this.#skips;
  }

  /** Up to where the groups shown prove that the present segment is durable (L3). */
  get provenOffset(): number {
    return this.#proven;
  }

  /** Sequence of the last record shown, 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  get seal(): Buffer {
    return this.#seal;
  }

  /** The segment being read, or null while the journal is empty. */
  get header(): SegmentHeader | null {
    return this.#header;
  }

  /** Behind the last group shown. */
  get position(): JournalPosition {
    return { segment: this.#header?.number ?? this.#dropped, offset: this.#offset };
  }

  /**
   * The next valid group. Where the caller knows how far the log is durable,
   * nothing behind `until` is read.
   * @throws RuntimeError JOURNAL_CORRUPT for damage that no crash explains,
   *   DATA_VERSION_NEWER.
   */
  next(until?: JournalPosition): ScannedGroup | ScanEnd {
    this.#skip();
    if (this.#header === null && !this.#openFirst()) {
      return { kind: 'end', segment: this.#dropped, groupStart: 0, offset: 0, fault: null };
    }
    for (;;) {
      this.#skip();
      const header = this.#header;
      assert(header !== null, 'a segment is open');
      this.#limit = until?.segment === header.number ? until.offset : header.bytes;
      const found = this.#scanGroup(header);
      if (found.kind === 'group') return found;
      this.#forgetWindow(); // (G2)
      const nextFile = this.#tryOpen(header.number + 1);
      // The window may have held bytes from before the group was written. (G3)
      const again = this.#scanGroup(header);
      if (again.kind === 'group') {
        if (nextFile !== null) this.#files.close(nextFile);
        return again;
      }
      this.#forgetWindow(); // (G2)
      if (nextFile === null) return again;
      this.#enterNext(nextFile, header, again);
    }
  }

  /** Goes on at another place, behind damage that the caller has noted. */
  goOnAt(place: GroupPlace): void {
    if (this.#header?.number !== place.segment) {
      const file = this.#tryOpen(place.segment);
      assert(file !== null, 'the place was found in a segment');
      this.#enter(file, readSegmentHeader(this.#files, file, place.segment));
    }
    this.#offset = place.offset;
    this.#sequence = place.sequence;
    this.#seal = place.seal;
    this.#forgetWindow();
  }

  close(): void {
    if (this.#file !== null) this.#files.close(this.#file);
    this.#file = null;
  }

  /** Over the range that begins here, if somebody has decided so. */
  #skip(): void {
    if (this.#skipped.length === 0) return;
    const place = skippedTo(this.#skipped, this.position);
    if (place === null) return;
    this.goOnAt(place);
    this.#skips += 1;
  }

  #openFirst(): boolean {
    const [first] = listSegments(this.#files, this.#folder);
    if (first === undefined) return false;
    const expected = { segment: this.#dropped + 1, offset: 0 };
    if (first !== expected.segment) throw corrupt(expected, 'its file is missing');
    const file = this.#tryOpen(first);
    assert(file !== null, 'the listed segment exists');
    const header = readSegmentHeader(this.#files, file, first);
    if (!this.#continues(header)) {
      this.#files.close(file);
      throw corrupt(expected, 'it does not continue what was dropped before it');
    }
    this.#enter(file, header);
    return true;
  }

  /** The last segment that was dropped, or 0. */
  get #dropped(): number {
    return this.#compactions.at(-1)?.through ?? 0;
  }

  #continues({ previousSeal, firstSequence }: SegmentHeader): boolean {
    return previousSeal.equals(this.#seal) && firstSequence === this.#sequence + 1;
  }

  #tryOpen(number: number): number | null {
    try {
      return this.#files.open(segmentPath(this.#folder, number), 'r');
    } catch (error) {
      if (errorNumber(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** Goes on in the next segment, which must continue this one. */
  #enterNext(file: number, current: SegmentHeader, end: ScanEnd): void {
    const header = readSegmentHeader(this.#files, file, current.number + 1);
    if (!this.#continues(header)) {
      this.#files.close(file);
      throw corrupt(
        { segment: current.number, offset: end.offset, lastGoodSequence: this.#sequence },
        end.fault ?? 'the next segment does not continue it',
      );
    }
    this.#enter(file, header);
  }

  #enter(file: number, header: SegmentHeader): void {
    this.close();
    this.#file = file;
    this.#header = header;
    this.#offset = segmentHeaderBytes;
    this.#proven = segmentHeaderBytes;
    this.#forgetWindow();
  }

  #scanGroup(header: SegmentHeader): ScannedGroup | ScanEnd {
    const groupStart = this.#offset;
    const end = (offset: number, fault: string | null = null): ScanEnd => ({
      kind: 'end',
      segment: header.number,
      groupStart,
      offset,
      fault,
    });
    const starts: number[] = [];
    let offset = groupStart;
    for (;;) {
      const index = this.#verifiedRecord(header, groupStart, offset);
      if (index === -1) return end(offset);
      const fault = this.#faultOf(index, header, { groupStart, offset, count: starts.length });
      if (fault !== null) return end(offset, fault);
      starts.push(offset);
      const length = alignRecord(this.#window.readUInt32LE(index + at.lengthOffset));
      if (typeAt(this.#window, index) === 'seal') {
        if (!this.#sealHolds(index, starts)) return end(offset, 'a seal does not match its group');
        return this.#shown(header, starts, offset + length);
      }
      offset += length;
    }
  }

  /** Window index of the record at `offset` when it is whole and its CRC holds, else -1. */
  #verifiedRecord(header: SegmentHeader, groupStart: number, offset: number): number {
    let index = this.#ensure(groupStart, offset, at.headerBytes);
    if (index === -1 || !headerPlausible(this.#window, index)) return -1;
    const length = alignRecord(this.#window.readUInt32LE(index + at.lengthOffset));
    index = this.#ensure(groupStart, offset, length);
    if (index === -1) return -1;
    const crc = recordCrc(this.#window, index, offset, header);
    return crc === this.#window.readUInt32LE(index + at.crcOffset) ? index : -1;
  }

  /**
   * Why a record whose CRC holds is not the next one, or null.
   * @throws RuntimeError JOURNAL_CORRUPT for what no writer writes.
   */
  #faultOf(
    index: number,
    header: SegmentHeader,
    place: { groupStart: number; offset: number; count: number },
  ): string | null {
    const window = this.#window;
    const isSeal = typeAt(window, index) === 'seal';
    if (window.readUInt32LE(index + at.groupOffset) !== place.groupStart) {
      return 'a record belongs to another group';
    }
    if (durableBefore(window, index, header) > place.groupStart) {
      const { offset } = place;
      const what = 'a record says that more was durable than there was';
      throw corrupt({ segment: header.number, offset, lastGoodSequence: this.#sequence }, what);
    }
    if (readUint64(window, index + at.sequenceOffset) !== this.#sequence + place.count + 1) {
      return 'a record is out of sequence';
    }
    if (this.#verifyDigests && !isSeal && !digestHolds(window, index)) {
      return 'a record does not have its digest';
    }
    return null;
  }

  /** Whether the seal is that of its group behind the seal before it; then it is the last one. */
  #sealHolds(index: number, starts: readonly number[]): boolean {
    const records = starts.slice(0, -1).map((start) => start - this.#windowStart);
    const seal = this.#hasher.seal(this.#seal, this.#window, records);
    const window = this.#window;
    const stored = index + at.digestOffset;
    const previous = index + at.previousDigestOffset;
    if (
      seal.compare(window, stored, stored + digestBytes) !== 0 ||
      this.#seal.compare(window, previous, previous + digestBytes) !== 0
    ) {
      return false;
    }
    this.#seal = seal;
    return true;
  }

  #shown(header: SegmentHeader, starts: number[], end: number): ScannedGroup {
    this.#offset = end;
    this.#sequence += starts.length;
    const windowStart = this.#windowStart;
    for (let index = 0; index < starts.length; index += 1) {
      starts[index] = (starts[index] ?? 0) - windowStart;
    }
    const proven = durableBefore(this.#window, starts[0] ?? 0, header);
    this.#proven = Math.max(this.#proven, proven);
    return {
      kind: 'group',
      segment: header.number,
      bytes: this.#window,
      starts,
      fileOffset: windowStart,
      end,
    };
  }

  #forgetWindow(): void {
    this.#windowLength = 0;
  }

  /**
   * Index in the window of the file's bytes [offset, offset + length), with
   * everything from `keepFrom` on still in the window; -1 past the end.
   */
  #ensure(keepFrom: number, offset: number, length: number): number {
    assert(this.#file !== null, 'a segment is open');
    const end = offset + length;
    if (end > this.#limit) return -1;
    const have = this.#windowStart + this.#windowLength;
    if (this.#windowLength > 0 && offset >= this.#windowStart && end <= have) {
      return offset - this.#windowStart;
    }
    this.#slide(keepFrom, end - keepFrom);
    const from = this.#windowStart + this.#windowLength;
    const room = Math.min(this.#window.length - this.#windowLength, this.#limit - from);
    this.#windowLength += readFully(this.#files, this.#file, this.#window, {
      offset: this.#windowLength,
      length: room,
      position: from,
    });
    return end <= this.#windowStart + this.#windowLength ? offset - this.#windowStart : -1;
  }

  /** Drops what lies before `keepFrom` and makes room for `needed` bytes from there. */
  #slide(keepFrom: number, needed: number): void {
    const have = this.#windowStart + this.#windowLength;
    const kept = this.#windowLength > 0 ? Math.max(0, have - keepFrom) : 0;
    const source = this.#window;
    if (source.length < needed * 2) {
      this.#window = Buffer.allocUnsafe(Math.max(windowBytesMin, needed * 2));
    }
    if (kept > 0)
      source.copy(this.#window, 0, keepFrom - this.#windowStart, have - this.#windowStart);
    this.#windowStart = keepFrom;
    this.#windowLength = kept;
  }
}
