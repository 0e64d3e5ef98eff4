/**
 * Makes files and folders elsewhere what they are here, durably, and writes
 * only what differs.
 *
 * Invariants
 *   M1. A file appears under its name only when it is whole and synced.
 *   M2. A file that vanishes while it is looked at was not to be kept.
 *   M3. Nothing but files, folders and links is copied, and no link is followed.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { errorNumber, nodeFilePort, readFully, writeFully } from './file-port.ts';

const chunkBytes = 1024 * 1024;
const temporarySuffix = '.backup.tmp';

/** What was done so far. */
export interface MirrorCounts {
  copied: number;
  copiedBytes: number;
  /** Files that were there already. */
  kept: number;
  removed: number;
}

/**
 * Makes `target` the first `bytes` of `source`, by default all of it.
 * Throws what the file system throws.
 */
export function mirrorFile(
  source: string,
  target: string,
  counts: MirrorCounts,
  bytes = Number.POSITIVE_INFINITY,
): void {
  const from = fs.openSync(source, fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0));
  try {
    const length = Math.min(bytes, fs.fstatSync(from).size);
    if (isEqual(from, target, length)) {
      counts.kept += 1;
      return;
    }
    const temporary = target + temporarySuffix;
    fs.rmSync(temporary, { force: true });
    const to = fs.openSync(temporary, 'wx', 0o600);
    try {
      copyRange(from, to, length);
      fs.fsyncSync(to);
    } finally {
      fs.closeSync(to);
    }
    fs.renameSync(temporary, target); // (M1)
    counts.copied += 1;
    counts.copiedBytes += length;
  } finally {
    fs.closeSync(from);
  }
}

/** Copies what `source` has, but for names that `leaves` out; removes nothing. */
export function mirrorTree(
  source: string,
  target: string,
  counts: MirrorCounts,
  leaves: (name: string) => boolean = () => false,
): void {
  const entries = ifThere(() => fs.readdirSync(source, { withFileTypes: true }));
  if (entries === null) return;
  fs.mkdirSync(target, { recursive: true, mode: 0o700 });
  for (const entry of entries) {
    if (leaves(entry.name)) continue;
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) mirrorTree(from, to, counts, leaves);
    else if (entry.isFile())
      ifThere(() => mirrorFile(from, to, counts)); // (M2)
    else if (entry.isSymbolicLink()) mirrorLink(from, to, counts); // (M3)
  }
  nodeFilePort.syncFolder(target);
}

/** Removes from `target` what `source` no longer has. */
export function pruneTree(source: string, target: string, counts: MirrorCounts): void {
  for (const entry of ifThere(() => fs.readdirSync(target, { withFileTypes: true })) ?? []) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (!fs.existsSync(from)) {
      fs.rmSync(to, { recursive: true, force: true });
      counts.removed += 1;
    } else if (entry.isDirectory()) pruneTree(from, to, counts);
  }
}

function mirrorLink(from: string, to: string, counts: MirrorCounts): void {
  const way = ifThere(() => fs.readlinkSync(from));
  if (way === null) return;
  if (ifThere(() => fs.lstatSync(to).isSymbolicLink() && fs.readlinkSync(to) === way) === true) {
    counts.kept += 1;
    return;
  }
  fs.rmSync(to, { recursive: true, force: true });
  fs.symlinkSync(way, to);
  counts.copied += 1;
}

function isEqual(from: number, target: string, length: number): boolean {
  const to = ifThere(() => fs.openSync(target, 'r'));
  if (to === null) return false;
  try {
    if (fs.fstatSync(to).size !== length) return false;
    const [left, right] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
    for (let position = 0; position < length; position += chunkBytes) {
      const range = { offset: 0, length: Math.min(chunkBytes, length - position), position };
      const read = readFully(nodeFilePort, from, left, range);
      if (readFully(nodeFilePort, to, right, range) !== read) return false;
      if (left.compare(right, 0, read, 0, read) !== 0) return false;
    }
    return true;
  } finally {
    fs.closeSync(to);
  }
}

function copyRange(from: number, to: number, length: number): void {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  for (let position = 0; position < length; position += chunkBytes) {
    const range = { offset: 0, length: Math.min(chunkBytes, length - position), position };
    const read = readFully(nodeFilePort, from, chunk, range);
    writeFully(nodeFilePort, to, chunk, { ...range, length: read });
  }
}

function ifThere<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if (errorNumber(error) === 'ENOENT') return null;
    throw error;
  }
}
