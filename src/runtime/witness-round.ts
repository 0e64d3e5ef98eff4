/**
 * From a checkpoint to its cosignature: writes what the witness is asked, and keeps
 * what it gave.
 *
 * Invariants
 *   W1. A cosignature is kept only if it holds under the key that the
 *       configuration names.
 *   W2. The key is on the disk before the first note that it signed, so that a
 *       verification knows every signature.
 */
import { mkdirSync } from 'node:fs';
import { basename } from 'node:path';
import { type NoteVerifier, parseNoteVerifier } from '../identity/note-key.ts';
import {
  formatNote,
  type NoteSignature,
  parseNote,
  verifiedBy,
  verifySignature,
} from '../identity/signed-note.ts';
import { withSignature } from '../identity/witness.ts';
import { formatWitnessRequest } from '../identity/witness-request.ts';
import { auditFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import { LeafFile } from '../journal/leaf-file.ts';
import { consistencyProof, type FrontierState, frontierRanges } from '../journal/merkle-tree.ts';
import { replaceFile, tryReadFile } from '../journal/whole-file.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { knownWitnessesPath } from './audit-roots.ts';
import { checkpointsOf } from './take-checkpoint.ts';

export interface ProofOfGrowth {
  readonly dataDirectory: string;
  /** What the witness saw last, 0 for nothing. */
  readonly old: number;
  /** Size of a stored checkpoint. */
  readonly size: number;
  /** Of the tree at `old`, where it is known; else all leaves are read. */
  readonly frontier: FrontierState | null;
}

/**
 * What the witness is to be asked.
 * @throws RuntimeError AUDIT_RECORD_NOT_FOUND where there is no such checkpoint, or `old` is larger
 */
export function witnessRequest({ dataDirectory, old, size, frontier }: ProofOfGrowth): string {
  const note = checkpointsOf(dataDirectory).read(size);
  const leaves = LeafFile.read(dataDirectory);
  try {
    if (note === null || old > size || leaves.count < size) {
      throw new RuntimeError(
        'AUDIT_RECORD_NOT_FOUND',
        `There is no checkpoint of ${size} records that could continue ${old}; claw audit checkpoint takes one.`,
      );
    }
    const range = frontier?.size === old ? frontierRanges(frontier, leaves.range) : leaves.range;
    return formatWitnessRequest({ old, proof: consistencyProof(old, size, range), note });
  } finally {
    leaves.close();
  }
}

/** Size of the newest checkpoint that the witness cosigned, 0 for none. */
export function cosignedSize(dataDirectory: string, witness: NoteVerifier): number {
  const stored = checkpointsOf(dataDirectory);
  for (const size of stored.sizes().reverse()) {
    if (isCosigned(stored.read(size) ?? '', witness)) return size;
  }
  return 0;
}

/** Whether the note has a signature of the witness that holds. */
export function isCosigned(note: string, witness: NoteVerifier): boolean {
  try {
    return verifiedBy(parseNote(note), witness) !== null;
  } catch (error) {
    if (error instanceof RuntimeError) return false;
    throw error;
  }
}

/**
 * Adds a cosignature to a stored checkpoint, and returns the note.
 * @throws RuntimeError WITNESS_SIGNATURE (W1), AUDIT_RECORD_NOT_FOUND, DISK_FULL, JOURNAL_FAILED
 */
export function keepCosignature(
  dataDirectory: string,
  size: number,
  signatures: readonly NoteSignature[],
  witness: NoteVerifier,
): string {
  const stored = checkpointsOf(dataDirectory);
  const text = stored.read(size);
  if (text === null) {
    throw new RuntimeError(
      'AUDIT_RECORD_NOT_FOUND',
      `There is no checkpoint of ${size} records any more; take another with claw audit checkpoint.`,
    );
  }
  const note = parseNote(text);
  const own = signatures.find((each) => verifySignature(note.text, each, witness) !== null);
  if (own === undefined) {
    throw new RuntimeError(
      'WITNESS_SIGNATURE',
      `What the witness gave is no signature of ${witness.name} over the checkpoint of ${size} records; compare its public key.`,
    ); // (W1)
  }
  keepWitness(dataDirectory, witness); // (W2)
  const cosigned = formatNote(withSignature(note, own));
  stored.write(size, cosigned);
  return cosigned;
}

function keepWitness(dataDirectory: string, witness: NoteVerifier): void {
  const path = knownWitnessesPath(dataDirectory);
  const known = tryReadFile(nodeFilePort, path)?.toString('utf8') ?? '';
  if (known.split('\n').includes(witness.text)) return;
  try {
    mkdirSync(auditFolder(dataDirectory), { recursive: true, mode: 0o700 });
    const bytes = Buffer.from(`${known}${witness.text}\n`);
    replaceFile(nodeFilePort, auditFolder(dataDirectory), basename(path), bytes);
  } catch (error) {
    throw writeFailure(error);
  }
}

/** A note with a cosignature, as a witness wrote it into a file, is kept. @returns its size */
export function keepCosignedNote(dataDirectory: string, text: string, publicKey: string): number {
  const note = parseNote(text);
  const stored = checkpointsOf(dataDirectory);
  const size = stored.sizes().find((each) => {
    const own = stored.read(each);
    return own !== null && parseNote(own).text === note.text;
  });
  if (size === undefined) {
    throw new RuntimeError(
      'AUDIT_RECORD_NOT_FOUND',
      'The note is no checkpoint that this log has; give one that claw audit request asked for.',
    );
  }
  keepCosignature(dataDirectory, size, note.signatures, parseNoteVerifier(publicKey));
  return size;
}
