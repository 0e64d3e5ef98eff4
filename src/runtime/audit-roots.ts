/**
 * The roots that the journal must have had: those of the log's own checkpoints,
 * and those that a witness cosigned.
 *
 * Invariants
 *   R1. A root counts only when its note is signed: by the key of the log, or, of
 *       a witness's, by the witness too.
 *   R2. Each signature of a note of the log is one of a key that is known here, and
 *       holds, so that no byte of a note can change unseen.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseCheckpoint } from '../identity/checkpoint.ts';
import { type NoteVerifier, parseNoteVerifier } from '../identity/note-key.ts';
import { parseNote, verifiedBy, verifySignature } from '../identity/signed-note.ts';
import type { StoredCheckpoints } from '../identity/stored-checkpoints.ts';
import { readKnownLogs, readWitnessVerifier } from '../identity/witness.ts';
import { auditFolder } from '../journal/data-folders.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { AuditFaults } from './audit-fault.ts';
import { checkpointsOf } from './take-checkpoint.ts';

export interface AuditRoot {
  readonly size: number;
  readonly root: Buffer;
  /** Digest of the last record, hexadecimal, where the checkpoint says it. */
  readonly seal: string | null;
  readonly timeSeconds: number | null;
  /** The file that says so. */
  readonly file: string;
  /** Names of the witnesses whose cosignature holds. */
  readonly cosigned: readonly string[];
  readonly ofWitness: boolean;
}

/** The keys of witnesses whose cosignatures the log has taken, one line each. */
export function knownWitnessesPath(dataDirectory: string): string {
  return join(auditFolder(dataDirectory), 'witnesses');
}

/** @param faults Gets what is wrong with the file. */
export function readKnownWitnesses(dataDirectory: string, faults: AuditFaults): NoteVerifier[] {
  const path = knownWitnessesPath(dataDirectory);
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  const verifiers: NoteVerifier[] = [];
  let offset = 0;
  for (const line of text.split('\n')) {
    const isEnd = line === '' && offset === text.length;
    try {
      if (!isEnd) verifiers.push(parseNoteVerifier(line));
    } catch (error) {
      faults.add({
        file: relative(dataDirectory, path),
        offset,
        records: null,
        what: causeOf(error),
      });
    }
    offset += line.length + 1;
  }
  return verifiers;
}

/** The log's own checkpoints, ascending (R1, R2). */
export function readOwnRoots(
  dataDirectory: string,
  keys: { readonly log: NoteVerifier | null; readonly witnesses: readonly NoteVerifier[] },
  faults: AuditFaults,
): AuditRoot[] {
  const stored = checkpointsOf(dataDirectory);
  return stored.sizes().flatMap((size) => {
    const file = relative(dataDirectory, stored.pathOf(size));
    const root = readRoot(stored.read(size) ?? '', { size, file, ...keys }, faults);
    return root === null ? [] : [root];
  });
}

interface Expected {
  readonly size: number | null;
  readonly file: string;
  readonly log: NoteVerifier | null;
  readonly witnesses: readonly NoteVerifier[];
}

function readRoot(
  text: string,
  { size, file, log, witnesses }: Expected,
  faults: AuditFaults,
): AuditRoot | null {
  try {
    const note = parseNote(text);
    const checkpoint = parseCheckpoint(note.text);
    if (size !== null && checkpoint.size !== size) {
      faults.file(file, `it is a checkpoint of ${checkpoint.size} records`);
      return null;
    }
    const cosigned: string[] = [];
    let isSigned = false;
    for (const signature of note.signatures) {
      const holds = (key: NoteVerifier) => verifySignature(note.text, signature, key) !== null;
      if (log !== null && holds(log)) isSigned = true;
      else if (witnesses.some(holds)) cosigned.push(signature.name);
      else
        faults.file(
          file,
          `its signature of ${signature.name} does not hold, or is of no known key`,
        ); // (R2)
    }
    if (!isSigned || log === null || checkpoint.origin !== log.name) {
      faults.file(file, 'it is not signed by the key of this log'); // (R1)
      return null;
    }
    const { root, seal, timeSeconds } = checkpoint;
    return { size: checkpoint.size, root, seal, timeSeconds, file, cosigned, ofWitness: false };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    faults.file(file, causeOf(error));
    return null;
  }
}

/** What is compared with: a folder of a witness, or a note that it cosigned. */
export interface WitnessSource {
  /** Absolute path. */
  readonly path: string;
  /** Of a note: key of its witness as text; of a folder its own stands. */
  readonly publicKey: string | null;
}

export interface WitnessView {
  /** Name of the witness's key. */
  readonly name: string;
  /** The roots of this log that it cosigned, ascending. */
  readonly roots: readonly AuditRoot[];
}

/**
 * What a witness knows of the log (R1). The key that it knows the log by counts, not
 * the one beside the journal: whoever made a new one made another log.
 * @throws RuntimeError WITNESS_NOT_FOUND, WITNESS_LOG_UNKNOWN, AUDIT_KEY_INVALID, AUDIT_NOTE_INVALID
 */
export function readWitness(
  source: WitnessSource,
  log: NoteVerifier | null,
  faults: AuditFaults,
): WitnessView {
  return isFolder(source.path)
    ? readWitnessFolder(source.path, log, faults)
    : readWitnessNote(source, log);
}

function readWitnessFolder(
  folder: string,
  log: NoteVerifier | null,
  faults: AuditFaults,
): WitnessView {
  const witness = readWitnessVerifier(folder);
  if (witness === null) {
    throw new RuntimeError('WITNESS_NOT_FOUND', `${folder} is no witness; name its folder.`);
  }
  const logs = readKnownLogs(folder);
  const known =
    logs.find(({ origin }) => origin === log?.name) ?? (logs.length === 1 ? logs[0] : undefined);
  if (known === undefined) {
    throw new RuntimeError(
      'WITNESS_LOG_UNKNOWN',
      `The witness in ${folder} knows no log ${log?.name ?? ''}; if it should, the log has got another key.`,
    );
  }
  if (known.verifier.text !== log?.text) {
    faults.file(
      'identity/log.pub',
      `the witness knows this log by another key, ${known.verifier.text}`,
    );
  }
  return {
    name: witness.name,
    roots: rootsOfWitness(known.stored, { witness, log: known.verifier }, faults),
  };
}

function rootsOfWitness(
  stored: StoredCheckpoints,
  { witness, log }: { readonly witness: NoteVerifier; readonly log: NoteVerifier },
  faults: AuditFaults,
): AuditRoot[] {
  return stored.sizes().flatMap((size) => {
    const expected = { size, file: stored.pathOf(size), log, witnesses: [witness] };
    const root = readRoot(stored.read(size) ?? '', expected, faults);
    if (root === null) return [];
    if (root.cosigned.length === 0) faults.file(root.file, 'the witness has not signed it');
    return root.cosigned.length === 0 ? [] : [{ ...root, ofWitness: true }];
  });
}

function readWitnessNote(
  { path, publicKey }: WitnessSource,
  log: NoteVerifier | null,
): WitnessView {
  const text = readSmallFile(path);
  if (publicKey === null) {
    const message = `${path} is a note; give the public key of its witness with --witness-key.`;
    throw new RuntimeError('AUDIT_KEY_INVALID', message);
  }
  const witness = parseNoteVerifier(publicKey);
  const note = parseNote(text);
  const checkpoint = parseCheckpoint(note.text);
  if (verifiedBy(note, witness) === null) {
    throw new RuntimeError('AUDIT_NOTE_INVALID', `${path} is not cosigned by ${witness.name}.`);
  }
  if (checkpoint.origin !== log?.name) {
    throw new RuntimeError(
      'WITNESS_LOG_UNKNOWN',
      `${path} is a checkpoint of ${checkpoint.origin}, and this log is ${log?.name ?? 'without a key'}; it is another log, or has got another key.`,
    );
  }
  const { size, root, seal, timeSeconds } = checkpoint;
  const cosigned = [witness.name];
  return {
    name: witness.name,
    roots: [{ size, root, seal, timeSeconds, file: path, cosigned, ofWitness: true }],
  };
}

function readSmallFile(path: string): string {
  try {
    if (statSync(path).size <= limits.auditNoteBytesMax) return readFileSync(path, 'utf8');
  } catch (cause) {
    const message = `${path} cannot be read; name the folder of a witness, or a note that it cosigned.`;
    throw new RuntimeError('WITNESS_NOT_FOUND', message, { cause });
  }
  throw new RuntimeError('AUDIT_NOTE_INVALID', `${path} is too long for a note.`);
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function causeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(';')[0] ?? message;
}
