/**
 * The hashes of the runs' key files, `audit/run-keys`, so that a changed key is
 * found even where nothing that was written with it is left. A line is a run, the
 * SHA-256 of its key file, and eight digits of the SHA-256 of the line before
 * them, which tell a damaged line from a damaged key.
 *
 * Invariants
 *   M1. The hash of 64 random bytes tells nothing of them: lines stay when a run
 *       is erased.
 *   M2. A line is added once for each run; what a crash left of one is cut.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import { isRunId, type RunId } from '../kernel/ids.ts';
import { auditFolder, keyPath, keysFolder } from './data-folders.ts';
import { nodeFilePort } from './file-port.ts';
import { tryReadFile } from './whole-file.ts';
import { writeFailure } from './write-failure.ts';

const lineBytes = 36 + 1 + 64 + 1 + 8 + 1;
const checkDigits = 8;

export function keyCommitmentsPath(dataDirectory: string): string {
  return join(auditFolder(dataDirectory), 'run-keys');
}

/** A damaged line, or a key that is not the one of its line. */
export interface KeyFault {
  readonly run: RunId | null;
  /** Offset in the file of hashes; null where the key file is at fault. */
  readonly offset: number | null;
}

/**
 * Adds the hashes of keys that have none yet. The caller owns the data directory.
 * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
 */
export function commitKeys(dataDirectory: string): void {
  const path = keyCommitmentsPath(dataDirectory);
  const bytes = tryReadFile(nodeFilePort, path) ?? Buffer.alloc(0);
  const known = new Set(linesOf(bytes).map(({ text }) => text.slice(0, 36)));
  const names = readdirSync(keysFolder(dataDirectory)).sort();
  const added = names.flatMap((name) => {
    if (!isRunId(name) || known.has(name)) return [];
    const key = tryReadFile(nodeFilePort, keyPath(dataDirectory, name));
    return key === null ? [] : [lineOf(name, sha256(key))];
  });
  if (added.length === 0) return;
  try {
    mkdirSync(auditFolder(dataDirectory), { recursive: true, mode: 0o700 });
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const end = bytes.length - (bytes.length % lineBytes);
      ftruncateSync(file, end); // (M2)
      writeSync(file, added.join(''), end);
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw writeFailure(error);
  }
}

/** Compares the key files that are there with their hashes. */
export function checkKeys(dataDirectory: string): KeyFault[] {
  const bytes = tryReadFile(nodeFilePort, keyCommitmentsPath(dataDirectory)) ?? Buffer.alloc(0);
  return linesOf(bytes).flatMap(({ text, offset }): KeyFault[] => {
    const [run = '', committed = ''] = text.split(' ');
    if (!isRunId(run) || text !== lineOf(run, committed as Sha256)) return [{ run: null, offset }];
    const key = tryReadFile(nodeFilePort, keyPath(dataDirectory, run));
    // A key that is gone is the journal's to judge: its run is erased, or cannot be read.
    return key === null || sha256(key) === committed ? [] : [{ run, offset: null }];
  });
}

function lineOf(run: RunId, committed: Sha256): string {
  const text = `${run} ${committed}`;
  return `${text} ${sha256(text).slice(0, checkDigits)}\n`;
}

/** Lines have one length; the last may be torn, by a crash or a write under way. */
function linesOf(bytes: Buffer): { readonly text: string; readonly offset: number }[] {
  return Array.from({ length: Math.floor(bytes.length / lineBytes) }, (_, index) => {
    const offset = index * lineBytes;
    return { text: bytes.toString('latin1', offset, offset + lineBytes), offset };
  });
}
