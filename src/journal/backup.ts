/**
 * A copy of a data directory, taken beside the process that writes it. The
 * copy is a data directory itself: whoever opens it finds every run up to one
 * seal, and goes on with the open ones.
 *
 * Invariants
 *   B1. The copy ends at a seal that the source's disk has. Texts and keys are
 *       copied after that end was read and before the segments, so that no
 *       event lacks what it names.
 *   B2. Segments are copied in their order, each whole before it has its name.
 *       An interrupted backup leaves the one before, or a longer one; repeated,
 *       it is completed. The first one has no `VERSION` until it is whole, so
 *       that nothing opens it.
 *   B3. A copy that is no beginning of the source is left alone: it has gone on
 *       by itself, or the source has lost what the copy still has.
 *   B4. The copy is read back and verified before it is called good.
 *   B5. Its audit says nothing of records behind its end.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { listSegments } from './compaction.ts';
import { checkDataDirectory } from './data-directory.ts';
import { blobsFolder, journalFolder } from './data-folders.ts';
import { errorNumber, nodeFilePort } from './file-port.ts';
import { JournalReader } from './journal-reader.ts';
import { trimAudit } from './leaf-file.ts';
import { DataDirectoryLock } from './lock-file.ts';
import { type MirrorCounts, mirrorFile, mirrorTree, pruneTree } from './mirror.ts';
import type { JournalPosition } from './record.ts';
import { RunKeys } from './run-keys.ts';
import { segmentPath } from './segment.ts';
import { verifyJournal } from './verification.ts';

export interface BackupReport {
  /** Absolute path of the copy. */
  readonly folder: string;
  /** Sequence of the last record in the copy. */
  readonly lastSequence: number;
  /** The last seal, hexadecimal. */
  readonly seal: string;
  readonly files: {
    readonly copied: number;
    readonly copiedBytes: number;
    /** Files that an earlier backup had copied. */
    readonly kept: number;
    readonly removed: number;
  };
}

const noteFile = 'backup.json';
/** Copied in an order of their own (B2), or not at all. */
const copiedApart = new Set(['journal', 'blobs', 'VERSION', noteFile]);

/**
 * Copies the data directory into a folder that is empty or holds an earlier
 * backup of it.
 * @param nowMs Milliseconds since the epoch, for the note in the copy.
 * @throws RuntimeError BACKUP_REFUSED, BACKUP_NOT_WHOLE, JOURNAL_CORRUPT,
 *   DATA_DIRECTORY_LOCKED when somebody runs on the copy, DATA_VERSION_NEWER,
 *   DATA_DIRECTORY_UNUSABLE, DISK_FULL
 */
export function backUp(dataDirectory: string, folder: string, nowMs: number): BackupReport {
  const source = resolve(dataDirectory);
  const target = resolve(folder);
  checkDataDirectory(source);
  if (!existsSync(join(source, 'VERSION'))) {
    throw refused(`there is no data directory ${source}`);
  }
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    requirePlace(source, target);
    const lock = new DataDirectoryLock(target, nowMs);
    try {
      return new Backup(source, target, nowMs).run();
    } finally {
      lock.release();
    }
  } catch (error) {
    throw failure(target, error);
  }
}

/** Where the copy is to end (B1). */
interface SourceEnd extends JournalPosition {
  readonly sequence: number;
  readonly seal: string;
}

class Backup {
  readonly #source: string;
  readonly #target: string;
  readonly #nowMs: number;
  readonly #counts: MirrorCounts = { copied: 0, copiedBytes: 0, kept: 0, removed: 0 };

  constructor(source: string, target: string, nowMs: number) {
    this.#source = source;
    this.#target = target;
    this.#nowMs = nowMs;
  }

  run(): BackupReport {
    const end = this.#readSource();
    const { sequence: lastSequence, seal } = end;
    if (!existsSync(join(this.#target, noteFile))) this.#note({ whole: false });
    this.#copyTexts();
    trimAudit(this.#target, lastSequence); // (B5)
    this.#copyJournal(end);
    this.#removeGone();
    const copy = verifyJournal(this.#target); // (B4)
    const keys = new RunKeys(this.#source);
    const isWhole =
      copy.faults.length === 0 &&
      copy.blobFaults.length === 0 &&
      // What the source has lost, or erased since, the copy cannot have.
      copy.keysMissing.every((run) => keys.find(run) === null);
    if (!isWhole || copy.seal !== seal || copy.lastSequence !== lastSequence) {
      throw notWhole(this.#target);
    }
    mirrorFile(this.#path('VERSION'), join(this.#target, 'VERSION'), this.#counts);
    this.#note({ whole: true, atMs: this.#nowMs, lastSequence, seal });
    return { folder: this.#target, lastSequence, seal, files: { ...this.#counts } };
  }

  #path(name: string): string {
    return join(this.#source, name);
  }

  /** Verifies the source to its last seal, which must continue the copy (B3). */
  #readSource(): SourceEnd {
    const copied = verifyJournal(this.#target);
    const reader = JournalReader.open(this.#source, { verifyDigests: true });
    let end: SourceEnd = { segment: 0, offset: 0, sequence: 0, seal: '0'.repeat(64) };
    let known = copied.lastSequence === 0;
    try {
      for (const group of reader.groups()) {
        const last = group.at(-1);
        if (last === undefined) continue;
        end = { ...reader.position, sequence: last.sequence, seal: last.digest.toString('hex') };
        known ||= end.sequence === copied.lastSequence && end.seal === copied.seal;
      }
    } finally {
      reader.close();
    }
    if (!known) {
      throw refused(`${this.#target} holds records that are not those of ${this.#source}`);
    }
    if (end.segment > 0) syncFile(segmentPath(journalFolder(this.#source), end.segment)); // (B1)
    return end;
  }

  /** All that is not the journal, texts and keys included. */
  #copyTexts(): void {
    const [from, to] = [blobsFolder(this.#source), blobsFolder(this.#target)];
    mirrorTree(from, to, this.#counts, isTemporary);
    for (const entry of readdirSync(this.#source, { withFileTypes: true })) {
      if (isLeftOut(entry.name)) continue;
      const target = join(this.#target, entry.name);
      if (entry.isDirectory()) mirrorTree(this.#path(entry.name), target, this.#counts);
      else if (entry.isFile()) mirrorFile(this.#path(entry.name), target, this.#counts);
    }
  }

  #copyJournal(end: SourceEnd): void {
    const [from, to] = [journalFolder(this.#source), journalFolder(this.#target)];
    mkdirSync(to, { recursive: true, mode: 0o700 });
    for (const number of listSegments(nodeFilePort, from)) {
      if (number > end.segment) break;
      const bytes = number === end.segment ? end.offset : Number.POSITIVE_INFINITY;
      mirrorFile(segmentPath(from, number), segmentPath(to, number), this.#counts, bytes); // (B2)
      nodeFilePort.syncFolder(to);
    }
    for (const name of readdirSync(from).filter((each) => !/\.(segment|tmp)$/.test(each))) {
      mirrorFile(join(from, name), join(to, name), this.#counts);
    }
    nodeFilePort.syncFolder(to);
    nodeFilePort.syncFolder(this.#target);
  }

  /** What the source has given up since the last backup, such as texts that nobody names. */
  #removeGone(): void {
    for (const entry of readdirSync(this.#target, { withFileTypes: true })) {
      if (!entry.isDirectory() || entry.name === 'journal') continue;
      const target = join(this.#target, entry.name);
      if (existsSync(this.#path(entry.name))) {
        pruneTree(this.#path(entry.name), target, this.#counts);
      } else {
        rmSync(target, { recursive: true, force: true });
        this.#counts.removed += 1;
      }
    }
    const [from, to] = [journalFolder(this.#source), journalFolder(this.#target)];
    for (const name of readdirSync(to)) {
      if (existsSync(join(from, name))) continue; // Dropped segments too.
      rmSync(join(to, name), { force: true });
      this.#counts.removed += 1;
    }
  }

  /** Says that this is a backup, and once it is whole of what. */
  #note(content: object): void {
    const path = join(this.#target, noteFile);
    const text = `${JSON.stringify(content)}\n`;
    writeFileSync(`${path}.tmp`, text, { mode: 0o600, flush: true });
    renameSync(`${path}.tmp`, path);
    nodeFilePort.syncFolder(this.#target);
  }
}

/** Locks are the owner's; temporary files of an import or a first start are nothing. */
function isLeftOut(name: string): boolean {
  return copiedApart.has(name) || name.startsWith('lock') || name.startsWith('.claw-');
}

function isTemporary(name: string): boolean {
  return name.endsWith('.tmp');
}

/** Makes durable what was read of a file that another process writes. */
function syncFile(path: string): void {
  // Windows flushes only what is open for writing.
  const file = openSync(path, process.platform === 'win32' ? 'r+' : 'r');
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** An empty folder, or one with an earlier backup, outside the source and not around it. */
function requirePlace(source: string, target: string): void {
  const [from, to] = [realpathSync(source), realpathSync(target)];
  if (`${to}${sep}`.startsWith(`${from}${sep}`) || `${from}${sep}`.startsWith(`${to}${sep}`)) {
    throw refused(`${target} and the data directory lie in each other`);
  }
  const names = readdirSync(target).filter((name) => !name.startsWith('lock'));
  if (names.length === 0 || names.includes(noteFile)) return;
  throw refused(`${target} holds other files (${names[0]})`);
}

function refused(why: string): RuntimeError {
  return new RuntimeError(
    'BACKUP_REFUSED',
    `Nothing was copied: ${why}; name an empty folder, or the one of an earlier backup.`,
  );
}

function notWhole(target: string, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'BACKUP_NOT_WHOLE',
    `The copy in ${target} is not whole, for the source changed while it was read; repeat the backup.`,
    cause === undefined ? {} : { cause },
  );
}

function failure(target: string, error: unknown): unknown {
  if (error instanceof RuntimeError) return error;
  const number = errorNumber(error);
  if (number === 'ENOENT') return notWhole(target, error);
  if (number === 'ENOSPC' || number === 'EDQUOT') {
    return new RuntimeError(
      'DISK_FULL',
      `The disk of ${target} is full; free disk space and repeat the backup.`,
      { cause: error },
    );
  }
  return new RuntimeError(
    'DATA_DIRECTORY_UNUSABLE',
    `The backup in ${target} cannot be written (${number ?? String(error)}); check both folders and repeat it.`,
    { cause: error },
  );
}
