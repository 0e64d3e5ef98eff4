/**
 * A disk in memory that fails as disks do. What was not synced may be lost at
 * a crash, in any order, sector by sector; names that were not synced may be
 * lost too, the latest first.
 *
 * Invariants
 *   D1. A byte that was synced, and not written since, survives a crash.
 *   D2. After a crash a sector holds what one of the writes since the last sync
 *       made of it, or what was synced; never a mixture of two. One that lay in a
 *       hole may also hold what the disk had there before: anything.
 *   D3. Nothing of the disk before a crash is shared with the one after it.
 *   D4. What a failed sync should have written is clean for the system and not
 *       on the disk, as on Linux: a later sync that succeeds does not write it.
 */
import { basename, dirname } from 'node:path';
import type { ByteRange, FilePort } from '../../src/journal/file-port.ts';

const sectorBytes = 512;

/** Chance of a crash: from 0 up to 1. */
export type Random = () => number;

interface FileContent {
  /** What the disk has for sure. */
  durable: Buffer;
  /** What a reader sees. */
  current: Buffer;
  /** States of sectors since the last sync, by their index, oldest first. */
  readonly unsynced: Map<number, Buffer[]>;
  /** Sectors that have a place on the disk; the others are holes, or were never there. */
  readonly placed: Set<number>;
  /** Sectors that a failed sync gave up (D4). */
  readonly dropped: Set<number>;
}

/** Both happen or neither does. */
interface NameChange {
  readonly removed: string | null;
  readonly added: { readonly path: string; readonly file: FileContent } | null;
}

/** An operation that the disk is asked for, before it is done. */
export interface DiskOperation {
  readonly type:
    | 'open'
    | 'write'
    | 'read'
    | 'fdatasync'
    | 'rename'
    | 'unlink'
    | 'syncFolder'
    | 'truncate';
  readonly path: string;
  /** Bytes to write. */
  readonly length: number;
}

/** How an operation goes: as it should, with an error of this code, or only in part. */
export type Outcome = 'done' | { readonly fails: string } | { readonly writes: number };

export class SimulatedDisk implements FilePort {
  /** Decides how each operation goes; may throw to end the process that asked. */
  decide: (operation: DiskOperation) => Outcome = () => 'done';
  #files: Map<string, FileContent>;
  #durableNames: Map<string, FileContent>;
  #nameChanges: NameChange[] = [];
  readonly #open = new Map<number, { readonly path: string; readonly file: FileContent }>();
  #nextDescriptor = 3;

  constructor(files: ReadonlyMap<string, Buffer> = new Map()) {
    this.#files = new Map([...files].map(([path, bytes]) => [path, contentOf(bytes)]));
    this.#durableNames = new Map(this.#files);
  }

  /** What lies on the disk after the power went, by chance. */
  afterCrash(random: Random): SimulatedDisk {
    const names = new Map(this.#durableNames);
    const kept = Math.floor(random() * (this.#nameChanges.length + 1));
    for (const change of this.#nameChanges.slice(0, kept)) apply(names, change);
    return new SimulatedDisk(
      new Map([...names].map(([path, file]) => [path, survivor(file, random)])),
    );
  }

  /** The disk after only the process died: what the system still has to write, it may lose later. */
  afterKill(): SimulatedDisk {
    const copies = new Map<FileContent, FileContent>();
    const copyOf = (file: FileContent): FileContent => {
      const copy = copies.get(file) ?? copyContent(file);
      copies.set(file, copy);
      return copy;
    };
    const namesOf = (names: ReadonlyMap<string, FileContent>): Map<string, FileContent> =>
      new Map([...names].map(([path, file]) => [path, copyOf(file)]));
    const disk = new SimulatedDisk();
    disk.#files = namesOf(this.#files);
    disk.#durableNames = namesOf(this.#durableNames);
    disk.#nameChanges = this.#nameChanges.map(({ removed, added }) => ({
      removed,
      added: added === null ? null : { path: added.path, file: copyOf(added.file) },
    }));
    return disk;
  }

  /** A copy of a file as a reader sees it. */
  contentOf(path: string): Buffer {
    return Buffer.from(this.#files.get(path)?.current ?? []);
  }

  open(path: string, flags: 'r' | 'r+' | 'rs+' | 'wx'): number {
    this.#require({ type: 'open', path, length: 0 });
    const existing = this.#files.get(path);
    if (flags === 'wx' && existing !== undefined) throw systemError('EEXIST');
    if (flags !== 'wx' && existing === undefined) throw systemError('ENOENT');
    const file = existing ?? contentOf(Buffer.alloc(0));
    if (existing === undefined) this.#change({ removed: null, added: { path, file } });
    const descriptor = this.#nextDescriptor;
    this.#nextDescriptor += 1;
    this.#open.set(descriptor, { path, file });
    return descriptor;
  }

  close(descriptor: number): void {
    if (!this.#open.delete(descriptor)) throw systemError('EBADF');
  }

  write(descriptor: number, bytes: Buffer, { offset, length, position }: ByteRange): number {
    const { path, file } = this.#opened(descriptor);
    const outcome = this.#require({ type: 'write', path, length });
    const count = outcome === 'done' ? length : Math.min(length, outcome.writes);
    store(file, bytes.subarray(offset, offset + count), position);
    return count;
  }

  read(descriptor: number, bytes: Buffer, { offset, length, position }: ByteRange): number {
    const { path, file } = this.#opened(descriptor);
    this.#require({ type: 'read', path, length });
    const end = Math.min(position + length, file.current.length);
    return file.current.copy(bytes, offset, Math.min(position, end), end);
  }

  size(descriptor: number): number {
    return this.#opened(descriptor).file.current.length;
  }

  truncate(descriptor: number, bytes: number): void {
    const { path, file } = this.#opened(descriptor);
    this.#require({ type: 'truncate', path, length: 0 });
    const before = file.current;
    // The new size is not on the disk before the next sync.
    file.current = Buffer.alloc(bytes);
    before.copy(file.current);
    // What is cut off is nobody's to write any more.
    for (const sectors of [file.unsynced, file.dropped]) {
      for (const sector of sectors.keys()) {
        if (sector * sectorBytes >= bytes) sectors.delete(sector);
      }
    }
  }

  fdatasync(descriptor: number): void {
    const { path, file } = this.#opened(descriptor);
    try {
      this.#require({ type: 'fdatasync', path, length: 0 });
    } catch (error) {
      // Whoever is killed in the middle of a sync leaves the system as it was.
      if (!isSystemError(error)) throw error;
      for (const sector of file.unsynced.keys()) file.dropped.add(sector); // (D4)
      file.unsynced.clear();
      throw error;
    }
    for (const sector of file.unsynced.keys()) file.placed.add(sector);
    const before = file.durable;
    file.durable = Buffer.from(file.current);
    for (const sector of file.dropped) {
      const start = sector * sectorBytes;
      file.durable.fill(0, start, start + sectorBytes);
      // A file that has grown since has nothing there.
      before.subarray(start, start + sectorBytes).copy(file.durable, start);
    }
    file.unsynced.clear();
  }

  writeInBackground(descriptor: number, bytes: Buffer): void {
    // Its descriptor writes through, and nobody hears of an error.
    const { path, file } = this.#opened(descriptor);
    const outcome = this.decide({ type: 'write', path, length: bytes.length });
    if (outcome !== 'done') return;
    store(file, bytes, 0);
    this.fdatasync(descriptor);
  }

  rename(from: string, to: string): void {
    this.#require({ type: 'rename', path: to, length: 0 });
    const file = this.#files.get(from);
    if (file === undefined) throw systemError('ENOENT');
    this.#change({ removed: from, added: { path: to, file } });
  }

  unlink(path: string): void {
    this.#require({ type: 'unlink', path, length: 0 });
    if (!this.#files.has(path)) throw systemError('ENOENT');
    this.#change({ removed: path, added: null });
  }

  list(folder: string): string[] {
    return [...this.#files.keys()]
      .filter((path) => dirname(path) === folder)
      .map((p) => basename(p));
  }

  syncFolder(folder: string): void {
    this.#require({ type: 'syncFolder', path: folder, length: 0 });
    for (const change of this.#nameChanges) apply(this.#durableNames, change);
    this.#nameChanges = [];
  }

  #change(change: NameChange): void {
    apply(this.#files, change);
    this.#nameChanges.push(change);
  }

  #opened(descriptor: number) {
    const opened = this.#open.get(descriptor);
    if (opened === undefined) throw systemError('EBADF');
    return opened;
  }

  #require(operation: DiskOperation): 'done' | { readonly writes: number } {
    const outcome = this.decide(operation);
    if (outcome !== 'done' && 'fails' in outcome) throw systemError(outcome.fails);
    return outcome;
  }
}

function contentOf(bytes: Buffer): FileContent {
  return {
    durable: Buffer.from(bytes),
    current: Buffer.from(bytes),
    unsynced: new Map(),
    placed: new Set(sectorsNotZero(bytes)),
    dropped: new Set(),
  };
}

/** After a crash nobody can tell zeros from a hole, so they are taken for one. */
function* sectorsNotZero(bytes: Buffer): Generator<number> {
  for (let start = 0; start < bytes.length; start += sectorBytes) {
    if (bytes.subarray(start, start + sectorBytes).some((byte) => byte !== 0)) {
      yield start / sectorBytes;
    }
  }
}

function copyContent({ durable, current, unsynced, placed, dropped }: FileContent): FileContent {
  return {
    durable: Buffer.from(durable),
    current: Buffer.from(current),
    unsynced: new Map([...unsynced].map(([sector, states]) => [sector, [...states]])),
    placed: new Set(placed),
    dropped: new Set(dropped),
  };
}

function apply(names: Map<string, FileContent>, change: NameChange): void {
  if (change.removed !== null) names.delete(change.removed);
  if (change.added !== null) names.set(change.added.path, change.added.file);
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

function store(file: FileContent, bytes: Buffer, position: number): void {
  const end = position + bytes.length;
  if (end > file.current.length) {
    file.current = Buffer.concat([file.current, Buffer.alloc(end - file.current.length)]);
  }
  bytes.copy(file.current, position);
  const last = Math.ceil(end / sectorBytes);
  for (let sector = Math.floor(position / sectorBytes); sector < last; sector += 1) {
    const states = file.unsynced.get(sector) ?? [];
    states.push(sectorOf(file.current, sector));
    file.unsynced.set(sector, states);
    file.dropped.delete(sector);
  }
}

function sectorOf(bytes: Buffer, sector: number): Buffer {
  return Buffer.from(bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes));
}

/** A content that a crash may leave (D1, D2). */
function survivor({ durable, current, unsynced, placed }: FileContent, random: Random): Buffer {
  const resized = current.length !== durable.length;
  // The size is data of its own: it may have been kept while the bytes were not.
  const length = resized && random() < 0.5 ? current.length : durable.length;
  const bytes = Buffer.alloc(length);
  durable.copy(bytes);
  for (const [sector, states] of unsynced) {
    const choice = Math.floor(random() * (states.length + 1));
    const state = states[choice - 1];
    if (state !== undefined) state.copy(bytes, sector * sectorBytes);
    else if (!placed.has(sector) && random() < 0.5) fillWithNoise(bytes, sector, random);
  }
  return bytes;
}

function fillWithNoise(bytes: Buffer, sector: number, random: Random): void {
  const start = sector * sectorBytes;
  const end = Math.min(start + sectorBytes, bytes.length);
  for (let at = start; at < end; at += 1) bytes[at] = Math.floor(random() * 256);
}
