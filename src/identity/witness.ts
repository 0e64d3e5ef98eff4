/**
 * A witness: it remembers the last checkpoint of each log that it knows, and
 * cosigns another only if that continues the one before. So a log that shows two
 * histories, or goes back, finds nobody to sign the second one.
 *
 * It owns a folder that the runtimes whose logs it watches cannot write: under
 * another account, on another machine, or on a disk that is taken away.
 *
 * ```
 * DIR/witness.key         its private key
 * DIR/witness.pub         its public key, for everybody
 * DIR/logs/HASH/log.pub   a log that it knows; HASH is SHA-256 of its origin
 * DIR/logs/HASH/SIZE.note what it cosigned, the largest size is the last
 * ```
 *
 * Invariants
 *   W1. What is cosigned was signed by the key that the log is known by.
 *   W2. What is cosigned continues the last cosigned checkpoint of its log, by a
 *       proof that holds: no smaller one, no other one of the same size.
 *   W3. A cosignature leaves only when it is durable as the last one.
 *   W4. Two processes do not decide about one folder at once: a lock in it is
 *       held from the reading of the last checkpoint until W3.
 */
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFilePort } from '../journal/file-port.ts';
import { DataDirectoryLock } from '../journal/lock-file.ts';
import { consistencyHolds, emptyRoot } from '../journal/merkle-tree.ts';
import { replaceFile } from '../journal/whole-file.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { readKeyLine } from './log-key.ts';
import {
  isNoteKeyName,
  type NoteSigner,
  type NoteVerifier,
  newNoteSigner,
  noteKeyKinds,
  parseNoteSigner,
  parseNoteVerifier,
} from './note-key.ts';
import {
  cosignNote,
  formatNote,
  type NoteSignature,
  parseNote,
  type SignedNote,
  verifiedBy,
} from './signed-note.ts';
import { StoredCheckpoints } from './stored-checkpoints.ts';
import type { WitnessRequest } from './witness-request.ts';

/** Where a witness keeps its keys. */
const keyFile = 'witness.key';
const publicFile = 'witness.pub';
const logFile = 'log.pub';

/** What a witness holds of one log. */
export interface WitnessedLog {
  readonly origin: string;
  /** Number of records that it has cosigned, 0 for none yet. */
  readonly size: number;
}

/** What a witness says to a request that it granted. */
export interface Cosigned {
  readonly signature: NoteSignature;
  /** The note with the signature added. */
  readonly note: string;
}

export class Witness {
  readonly folder: string;
  readonly #signer: NoteSigner;

  /**
   * Makes a witness in a folder that has none.
   * @throws RuntimeError WITNESS_EXISTS, AUDIT_KEY_INVALID, DISK_FULL, JOURNAL_FAILED
   */
  static create(folder: string, name?: string): Witness {
    if (name !== undefined && !isNoteKeyName(name)) {
      throw new RuntimeError(
        'AUDIT_KEY_INVALID',
        'The name of a witness has 1 to 200 characters, and neither blanks nor plus signs; choose another.',
      );
    }
    if (existsSync(join(folder, keyFile))) {
      throw new RuntimeError(
        'WITNESS_EXISTS',
        `${folder} is a witness already; use it, or choose an empty folder.`,
      );
    }
    const short = (key: Buffer) => `openclaw/witness/${hash('sha256', key, 'hex').slice(0, 16)}`;
    const signer = newNoteSigner(noteKeyKinds.cosignature, (key) => name ?? short(key));
    write(folder, publicFile, `${signer.text}\n`);
    write(folder, keyFile, `${signer.secret}\n`);
    return new Witness(folder, signer);
  }

  /** @throws RuntimeError WITNESS_NOT_FOUND, AUDIT_KEY_INVALID */
  static open(folder: string): Witness {
    const line = readKeyLine(join(folder, keyFile));
    if (line !== null) return new Witness(folder, parseNoteSigner(line));
    throw new RuntimeError(
      'WITNESS_NOT_FOUND',
      `${folder} is no witness; make one with claw witness init.`,
    );
  }

  private constructor(folder: string, signer: NoteSigner) {
    this.folder = folder;
    this.#signer = signer;
  }

  /** Its public key. */
  get verifier(): NoteVerifier {
    return this.#signer;
  }

  /** The logs that it knows. */
  logs(): WitnessedLog[] {
    return readKnownLogs(this.folder).map(({ origin, stored }) => ({
      origin,
      size: stored.sizes().at(-1) ?? 0,
    }));
  }

  /**
   * Makes a log known by its public key. Again with the same key does nothing.
   * @throws RuntimeError AUDIT_KEY_INVALID, WITNESS_REFUSED where the log is known by another key
   */
  addLog(line: string): WitnessedLog {
    const verifier = parseNoteVerifier(line.trim());
    if (verifier.kind !== noteKeyKinds.note) {
      throw new RuntimeError(
        'AUDIT_KEY_INVALID',
        'This is the key of a witness; give the log.pub of a log.',
      );
    }
    return this.#alone(() => {
      const known = this.#tryKnown(verifier.name);
      if (known !== null && known.text !== verifier.text) {
        throw refused(`the log ${verifier.name} is known by another key`);
      }
      if (known === null) {
        if (this.logs().length >= limits.witnessLogsMax) {
          throw refused(`it knows ${limits.witnessLogsMax} logs already`);
        }
        write(this.#folderOf(verifier.name), logFile, `${verifier.text}\n`);
      }
      const size = new StoredCheckpoints(this.#folderOf(verifier.name)).sizes().at(-1) ?? 0;
      return { origin: verifier.name, size };
    });
  }

  /**
   * Cosigns the checkpoint, or says why not.
   * @param timeSeconds Seconds since the epoch.
   * @throws RuntimeError WITNESS_LOG_UNKNOWN, WITNESS_SIGNATURE (W1), WITNESS_CONFLICT with
   *   `details.size` where `old` is not what it saw last, WITNESS_REFUSED (W2),
   *   AUDIT_NOTE_INVALID, DISK_FULL, JOURNAL_FAILED
   */
  cosign({ old, proof, note }: WitnessRequest, timeSeconds: number): Cosigned {
    const parsed = parseNote(note);
    const checkpoint = parseCheckpoint(parsed.text);
    const { origin } = checkpoint;
    const log = this.#tryKnown(origin);
    if (log === null) {
      throw new RuntimeError(
        'WITNESS_LOG_UNKNOWN',
        `The witness does not know the log ${origin}; add its log.pub with claw witness add.`,
      );
    }
    if (verifiedBy(parsed, log) === null) {
      throw new RuntimeError(
        'WITNESS_SIGNATURE',
        `The checkpoint is not signed by the key that the log ${origin} is known by.`,
      ); // (W1)
    }
    return this.#alone(() => {
      const stored = new StoredCheckpoints(this.#folderOf(origin));
      requireContinuation(lastOf(stored, this.verifier), checkpoint, { old, proof }); // (W2)
      const signature = cosignNote(parsed.text, this.#signer, timeSeconds);
      stored.write(checkpoint.size, formatNote(withOwn(parsed, log, signature))); // (W3)
      return { signature, note: formatNote(withSignature(parsed, signature)) };
    });
  }

  #tryKnown(origin: string): NoteVerifier | null {
    const line = readKeyLine(join(this.#folderOf(origin), logFile));
    return line === null ? null : parseNoteVerifier(line);
  }

  #folderOf(origin: string): string {
    return join(this.folder, 'logs', hash('sha256', origin, 'hex'));
  }

  /** (W4) */
  #alone<Result>(work: () => Result): Result {
    const lock = new DataDirectoryLock(this.folder, 0);
    try {
      return work();
    } finally {
      lock.release();
    }
  }
}

/** A log as a witness's folder holds it. */
export interface KnownLog {
  readonly origin: string;
  readonly verifier: NoteVerifier;
  readonly stored: StoredCheckpoints;
}

/** The logs in the folder of a witness, whose key need not be readable. @throws RuntimeError AUDIT_KEY_INVALID */
export function readKnownLogs(folder: string): KnownLog[] {
  const logs = join(folder, 'logs');
  const names = existsSync(logs) ? readdirSync(logs).sort() : [];
  return names.flatMap((name) => {
    const line = readKeyLine(join(logs, name, logFile));
    if (line === null) return [];
    const verifier = parseNoteVerifier(line);
    return { origin: verifier.name, verifier, stored: new StoredCheckpoints(join(logs, name)) };
  });
}

/** The public key in the folder of a witness, or null where there is none. @throws RuntimeError AUDIT_KEY_INVALID */
export function readWitnessVerifier(folder: string): NoteVerifier | null {
  const line = readKeyLine(join(folder, publicFile));
  return line === null ? null : parseNoteVerifier(line);
}

/** The note with one more signature; an older one of the same key goes. */
export function withSignature(note: SignedNote, signature: NoteSignature): SignedNote {
  const others = note.signatures.filter(({ keyId }) => keyId !== signature.keyId);
  return { text: note.text, signatures: [...others, signature] };
}

/** What the witness keeps: the log's signature and its own, so that nobody fills its disk. */
function withOwn(note: SignedNote, log: NoteVerifier, own: NoteSignature): SignedNote {
  const ofLog = note.signatures.filter(({ keyId, name }) => keyId === log.id && name === log.name);
  return { text: note.text, signatures: [...ofLog.slice(0, 1), own] };
}

/** @throws RuntimeError WITNESS_DAMAGED where its own last note is not one that it cosigned */
function lastOf(stored: StoredCheckpoints, own: NoteVerifier): Checkpoint | null {
  const size = stored.sizes().at(-1);
  if (size === undefined) return null;
  try {
    const note = parseNote(stored.read(size) ?? '');
    const checkpoint = parseCheckpoint(note.text);
    if (checkpoint.size === size && verifiedBy(note, own) !== null) return checkpoint;
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
  }
  throw new RuntimeError(
    'WITNESS_DAMAGED',
    `${stored.pathOf(size)} is not what the witness wrote; restore its folder from a copy.`,
  );
}

/** (W2) */
function requireContinuation(
  last: Checkpoint | null,
  next: Checkpoint,
  { old, proof }: Pick<WitnessRequest, 'old' | 'proof'>,
): void {
  const seen = last?.size ?? 0;
  const { size, root, origin } = next;
  if (size < seen) {
    throw conflict(
      seen,
      `the log ${origin} went back: it had ${seen} records, and this checkpoint has ${size}`,
    );
  }
  if (size === seen && last !== null && !root.equals(last.root)) {
    throw conflict(seen, `the log ${origin} shows two histories of ${size} records`);
  }
  if (old !== seen) {
    throw conflict(
      seen,
      `it has cosigned ${seen} records of ${origin}, and the request says ${old}`,
    );
  }
  const firstRoot = last?.root ?? emptyRoot;
  if (!consistencyHolds({ first: seen, firstRoot, size, root }, proof)) {
    throw refused(
      `the proof does not show that the ${size} records of ${origin} continue the ${seen} that it saw`,
    );
  }
}

function conflict(size: number, why: string): RuntimeError {
  return new RuntimeError('WITNESS_CONFLICT', `The witness does not cosign: ${why}.`, {
    details: { size },
  });
}

function refused(why: string): RuntimeError {
  return new RuntimeError('WITNESS_REFUSED', `The witness refuses: ${why}.`);
}

function write(folder: string, name: string, text: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    replaceFile(nodeFilePort, folder, name, Buffer.from(text));
  } catch (error) {
    throw writeFailure(error);
  }
}
