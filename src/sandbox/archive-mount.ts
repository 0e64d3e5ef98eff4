/**
 * A tar (also gzipped) or zip archive as a mount: unpacked into memory, before
 * the script begins. Archives come from strangers, so whatever an honest one
 * does not have is refused as a whole, with the entry's name.
 *
 * Invariants
 *   A1. Only folders and regular files with relative names are taken: no
 *       `..`, no absolute name, no link, no device.
 *   A2. No two entries have one name, also where case or the way a character
 *       is composed does not count.
 *   A3. What is unpacked is counted as it comes, whatever the entry declares;
 *       compression cannot exceed the budget.
 */
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import yauzl from 'yauzl';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { FileError } from './file-error.ts';
import type { Mount } from './mount.ts';
import { type MountBudget, mountFault } from './mount-budget.ts';
import { type OverlayPath, overlayPath } from './overlay-path.ts';

/** A tar file has a header and padding for each entry, besides its content. */
const tarEntryBytes = 4_096;
const unixMaker = 3;
const typeMask = 0o170000;
const regularType = 0o100000;
const folderType = 0o040000;

/**
 * The files of an archive.
 * @param bytes at most `limits.sandboxArchiveBytesMax`.
 * @throws RuntimeError SANDBOX_MOUNT_INVALID, naming the entry, when anything in it is refused.
 */
export async function readArchive(
  bytes: Buffer,
  options: { readonly at: string; readonly budget: MountBudget },
): Promise<Mount> {
  if (bytes.length > limits.sandboxArchiveBytesMax) {
    throw mountFault(
      `The archive is larger than ${limits.sandboxArchiveBytesMax / (1_024 * 1_024)} MiB.`,
    );
  }
  const entries = new ArchiveEntries(options.budget);
  try {
    if (isZip(bytes)) await readZip(bytes, entries);
    else await readTar(bytes, entries);
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw mountFault(
      `The archive is no tar, tar.gz or zip file that can be read (${reason.slice(0, 200)}).`,
      cause,
    );
  }
  return { at: options.at, files: entries.files, folders: entries.folders };
}

/** What was taken so far, and what may come. */
export class ArchiveEntries {
  readonly files = new Map<string, Buffer>();
  readonly folders: string[] = [];
  readonly #budget: MountBudget;
  /** Each place by its name without case and composition (A2). */
  readonly #places = new Map<string, { readonly name: string; readonly type: 'file' | 'folder' }>();

  constructor(budget: MountBudget) {
    this.#budget = budget;
  }

  /** Bytes of files that may still come, and entries in all. */
  get bytesLeft(): number {
    return this.#budget.bytesLeft;
  }

  get entriesMax(): number {
    return this.#budget.entriesMax;
  }

  /** The error of an entry that is refused. */
  refused(name: string, what: string): RuntimeError {
    return this.#budget.fault(`The entry ${show(name)} is refused: it ${what}.`);
  }

  /** The error of all of it. */
  fault(what: string): RuntimeError {
    return this.#budget.fault(what);
  }

  /** @throws RuntimeError SANDBOX_MOUNT_INVALID */
  addFolder(name: string): void {
    this.#budget.addEntry(show(name));
    const path = this.#path(name);
    if (path.length === 0) return; // The archive's own root.
    this.#claim(path, 'folder', name);
    this.folders.push(path.join('/'));
  }

  /**
   * Takes a file, piece by piece (A3).
   * @throws RuntimeError SANDBOX_MOUNT_INVALID
   */
  async addFile(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    this.#budget.addEntry(show(name));
    const path = this.#path(name);
    if (path.length === 0) throw this.refused(name, 'has no name');
    this.#claim(path, 'file', name);
    const pieces: Uint8Array[] = [];
    for await (const piece of content) {
      this.#budget.addBytes(piece.length, show(name));
      pieces.push(piece);
    }
    this.files.set(path.join('/'), Buffer.concat(pieces));
  }

  /** The names of an entry (A1). */
  #path(name: string): OverlayPath {
    if (name.startsWith('/')) throw this.refused(name, 'has an absolute name');
    if (name.split(/[/\\]/).includes('..')) throw this.refused(name, 'leads out of the archive');
    try {
      return name === '' ? [] : overlayPath(name);
    } catch (cause) {
      if (!(cause instanceof FileError)) throw cause;
      throw this.refused(name, `has no acceptable name (${cause.message})`);
    }
  }

  #claim(path: OverlayPath, type: 'file' | 'folder', entry: string): void {
    for (let depth = 1; depth <= path.length; depth += 1) {
      const name = path.slice(0, depth).join('/');
      const key = name.normalize('NFKC').toLowerCase();
      const wanted = depth === path.length ? type : 'folder';
      const there = this.#places.get(key);
      if (there === undefined) {
        this.#places.set(key, { name, type: wanted });
      } else if (there.name !== name || there.type !== wanted || wanted === 'file') {
        throw this.refused(entry, `is there twice, as ${show(there.name)}`);
      }
    }
  }
}

function show(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}

function isZip(bytes: Buffer): boolean {
  const mark = bytes.toString('latin1', 0, 4);
  return mark === 'PK\u0003\u0004' || mark === 'PK\u0005\u0006';
}

async function readTar(bytes: Buffer, entries: ArchiveEntries): Promise<void> {
  const isCompressed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const source = Readable.from([bytes]);
  await addTarEntries(isCompressed ? source.pipe(createGunzip()) : source, entries);
}

/**
 * Takes every entry of a tar stream.
 * @throws RuntimeError SANDBOX_MOUNT_INVALID; Error when it is no tar stream.
 */
export async function addTarEntries(tar: Readable, entries: ArchiveEntries): Promise<void> {
  const unpacked = extract({});
  const bytesMax = entries.bytesLeft + entries.entriesMax * tarEntryBytes;
  let count = 0;
  tar.on('data', (chunk: Buffer) => {
    count += chunk.length;
    // Headers alone can be a bomb.
    if (count > bytesMax) unpacked.destroy(entries.fault('It unpacks to too many bytes.'));
    else if (!unpacked.write(chunk)) tar.pause();
  });
  unpacked.on('drain', () => tar.resume());
  let ended = false;
  tar.on('end', () => {
    ended = true;
    unpacked.end(undefined);
  });
  tar.on('close', () => {
    if (!ended) unpacked.destroy(new Error('it ends too early'));
  });
  tar.on('error', (error) => unpacked.destroy(error));
  try {
    for await (const entry of unpacked) {
      const { name, type } = entry.header;
      if (type === 'directory') {
        entries.addFolder(name);
        entry.resume();
      } else if (type === 'file' || type === 'contiguous-file') {
        await entries.addFile(name, entry as AsyncIterable<Uint8Array>);
      } else {
        throw entries.refused(name, `is a ${String(type)}, not a file or folder`);
      }
    }
  } finally {
    tar.destroy();
  }
}

async function readZip(bytes: Buffer, entries: ArchiveEntries): Promise<void> {
  const zip = await yauzl.fromBufferPromise(bytes, {
    lazyEntries: true,
    decodeStrings: false,
    validateEntrySizes: true,
  });
  for await (const entry of zip.eachEntry()) {
    await addZipEntry(zip, entry, entries);
  }
}

async function addZipEntry(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  entries: ArchiveEntries,
): Promise<void> {
  const name = decoded(entry.fileName as unknown as Buffer, entries);
  const mode = entry.externalFileAttributes >>> 16;
  const type = entry.versionMadeBy >>> 8 === unixMaker ? mode & typeMask : 0;
  if (type !== 0 && type !== regularType && type !== folderType) {
    throw entries.refused(name, 'is a link or a device, not a file or folder'); // (A1)
  }
  if (entry.isEncrypted()) throw entries.refused(name, 'is encrypted');
  if (name.endsWith('/') || type === folderType) {
    entries.addFolder(name);
    return;
  }
  if (entry.uncompressedSize > entries.bytesLeft) {
    throw entries.refused(name, 'is larger than what may be mounted');
  }
  const content = await zip.openReadStreamPromise(entry, {});
  await entries.addFile(name, content as AsyncIterable<Uint8Array>);
}

/** Names of old programs in other code pages could mean several things. */
function decoded(bytes: Buffer, entries: ArchiveEntries): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw entries.refused(bytes.toString('latin1'), 'has a name that is not UTF-8');
  }
}
