/**
 * The key with which a runtime signs the checkpoints of its journal, made at the
 * first checkpoint: `identity/log.key`, readable by its owner only, and `identity/log.pub`,
 * which whoever verifies should keep elsewhere.
 *
 * Invariants
 *   L1. A key that is there is never replaced: a log with another key is another log.
 *   L2. The public key is on the disk before anything is signed.
 */
import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { identityFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import { replaceFile, tryReadFile } from '../journal/whole-file.ts';
import { writeFailure } from '../journal/write-failure.ts';
import {
  type NoteSigner,
  type NoteVerifier,
  newNoteSigner,
  noteKeyKinds,
  parseNoteSigner,
  parseNoteVerifier,
} from './note-key.ts';

export function logKeyPath(dataDirectory: string): string {
  return join(identityFolder(dataDirectory), 'log.key');
}

export function logPublicPath(dataDirectory: string): string {
  return join(identityFolder(dataDirectory), 'log.pub');
}

/**
 * The key of the log; a new one where there is none (L1).
 * @throws RuntimeError AUDIT_KEY_INVALID, DISK_FULL, JOURNAL_FAILED
 */
export function openLogKey(dataDirectory: string): NoteSigner {
  const known = readKeyLine(logKeyPath(dataDirectory));
  const signer =
    known === null
      ? newNoteSigner(noteKeyKinds.note, (key) => `openclaw/journal/${shortHash(key)}`)
      : parseNoteSigner(known);
  if (known === null) create(dataDirectory, logKeyPath(dataDirectory), signer.secret);
  if (readKeyLine(logPublicPath(dataDirectory)) === null) {
    create(dataDirectory, logPublicPath(dataDirectory), signer.text); // (L2)
  }
  return signer;
}

/**
 * The public key of the log, or null where it has none yet.
 * @throws RuntimeError AUDIT_KEY_INVALID
 */
export function readLogVerifier(dataDirectory: string): NoteVerifier | null {
  const line = readKeyLine(logPublicPath(dataDirectory));
  return line === null ? null : parseNoteVerifier(line);
}

/** The line of a key file without its line feed, or null where there is no file. */
export function readKeyLine(path: string): string | null {
  const text = tryReadFile(nodeFilePort, path)?.toString('utf8') ?? null;
  // Without its line feed it is kept as it is, and is no key.
  return text === null ? null : text.endsWith('\n') ? text.slice(0, -1) : `${text}\n`;
}

function shortHash(key: Buffer): string {
  return hash('sha256', key, 'hex').slice(0, 16);
}

/** The caller owns the data directory, and saw that the file is not there (L1). */
function create(dataDirectory: string, path: string, line: string): void {
  const folder = identityFolder(dataDirectory);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    replaceFile(nodeFilePort, folder, basename(path), Buffer.from(`${line}\n`));
  } catch (error) {
    throw writeFailure(error);
  }
}
