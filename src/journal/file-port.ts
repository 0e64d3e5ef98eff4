/**
 * The file operations of the journal as a port, so that tests can make a disk
 * fail exactly where they want. Everything is synchronous: the writer has a
 * thread of its own and nothing better to do than wait for its disk.
 */
import fs from 'node:fs';

export interface FilePort {
  /**
   * `wx` creates a file that must not exist, for reading and writing. Writes to
   * an `rs+` return when the disk has them.
   */
  open(path: string, flags: 'r' | 'r+' | 'rs+' | 'wx'): number;
  close(file: number): void;
  /** Bytes written, which may be fewer than asked. */
  write(file: number, bytes: Buffer, range: ByteRange): number;
  /** Bytes read, 0 at the end of the file. */
  read(file: number, bytes: Buffer, range: ByteRange): number;
  size(file: number): number;
  /** Cuts a file off behind so many bytes, or lengthens it by a hole, which reads as zeros. */
  truncate(file: number, bytes: number): void;
  fdatasync(file: number): void;
  /** Writes from the start of the file on another thread, in one call; nobody hears how it ends. */
  writeInBackground(file: number, bytes: Buffer): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  /** Names in a folder, unsorted; an empty list when there is no folder. */
  list(folder: string): string[];
  /** Makes creations and renames inside the folder durable. */
  syncFolder(folder: string): void;
}

export interface ByteRange {
  /** Index in the buffer. */
  readonly offset: number;
  readonly length: number;
  /** Offset in the file. */
  readonly position: number;
}

export const nodeFilePort: FilePort = {
  open: (path, flags) => fs.openSync(path, flags === 'wx' ? 'wx+' : flags, 0o600),
  close: (file) => fs.closeSync(file),
  write: (file, bytes, { offset, length, position }) =>
    fs.writeSync(file, bytes, offset, length, position),
  read: (file, bytes, { offset, length, position }) =>
    fs.readSync(file, bytes, offset, length, position),
  size: (file) => fs.fstatSync(file).size,
  truncate: (file, bytes) => fs.ftruncateSync(file, bytes),
  fdatasync: (file) => fs.fdatasyncSync(file),
  writeInBackground: (file, bytes) => fs.write(file, bytes, 0, bytes.length, 0, () => undefined),
  rename: (from, to) => fs.renameSync(from, to),
  unlink: (path) => fs.unlinkSync(path),
  list: (folder) => (fs.existsSync(folder) ? fs.readdirSync(folder) : []),
  syncFolder: (folder) => {
    // Windows cannot open a folder; its file systems journal names themselves.
    if (process.platform === 'win32') return;
    const file = fs.openSync(folder, 'r');
    try {
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
  },
};

/**
 * Writes the whole range, over as many calls as the system needs.
 * @throws Error of the port, or when a call writes nothing.
 */
export function writeFully(files: FilePort, file: number, bytes: Buffer, range: ByteRange): void {
  let done = 0;
  while (done < range.length) {
    const written = files.write(file, bytes, {
      offset: range.offset + done,
      length: range.length - done,
      position: range.position + done,
    });
    if (written <= 0) throw new Error('the file system accepted no byte');
    done += written;
  }
}

/** Reads up to the range's length; fewer bytes only at the end of the file. */
export function readFully(files: FilePort, file: number, bytes: Buffer, range: ByteRange): number {
  let done = 0;
  while (done < range.length) {
    const read = files.read(file, bytes, {
      offset: range.offset + done,
      length: range.length - done,
      position: range.position + done,
    });
    if (read <= 0) break;
    done += read;
  }
  return done;
}

export function errorNumber(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
