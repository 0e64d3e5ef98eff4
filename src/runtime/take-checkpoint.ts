/**
 * One checkpoint of the journal: extends the tree, signs its root, keeps the note.
 * It runs on a thread of the pool, or in a command that owns the data directory.
 *
 * Invariants
 *   K1. Nothing is signed that does not continue the newest checkpoint (U1).
 *   K2. A note is on the disk before anybody is shown it.
 */
import { type Checkpoint, formatCheckpoint, parseCheckpoint } from '../identity/checkpoint.ts';
import { openLogKey } from '../identity/log-key.ts';
import type { NoteVerifier } from '../identity/note-key.ts';
import { formatNote, parseNote, signNote, verifiedBy } from '../identity/signed-note.ts';
import { StoredCheckpoints } from '../identity/stored-checkpoints.ts';
import { commitKeys } from '../journal/key-commitments.ts';
import { checkpointsFolder, LeafFile } from '../journal/leaf-file.ts';
import type { FrontierState } from '../journal/merkle-tree.ts';
import type { JournalPosition } from '../journal/record.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { extendTree } from './audit-tree.ts';

export interface CheckpointRequest {
  readonly dataDirectory: string;
  /** End of a durable group; null reads to the last seal. */
  readonly until: JournalPosition | null;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** From the last checkpoint of this process, if there was one. */
  readonly frontier: FrontierState | null;
}

export interface TakenCheckpoint {
  /** Records that the newest checkpoint covers; 0 when there is none. */
  readonly size: number;
  /** Root of their tree, hexadecimal. */
  readonly root: string;
  /** Whether this call signed it; without new records there is nothing to sign. */
  readonly taken: boolean;
  /** The newest checkpoint, or null when the journal is empty. */
  readonly note: string | null;
  readonly frontier: FrontierState;
}

/** The checkpoints of a log. */
export function checkpointsOf(dataDirectory: string): StoredCheckpoints {
  return new StoredCheckpoints(checkpointsFolder(dataDirectory));
}

/**
 * @throws RuntimeError AUDIT_LOG_DAMAGED (K1), AUDIT_KEY_INVALID, JOURNAL_CORRUPT, DISK_FULL, JOURNAL_FAILED
 */
export function takeCheckpoint(request: CheckpointRequest): TakenCheckpoint {
  const { dataDirectory, nowMs } = request;
  const signer = openLogKey(dataDirectory);
  const stored = checkpointsOf(dataDirectory);
  const newest = newestCheckpoint(stored, signer);
  const leaves = LeafFile.append(dataDirectory);
  try {
    const { frontier, seal } = extendTree(leaves, {
      dataDirectory,
      until: request.until ?? undefined,
      frontier: request.frontier,
      known: newest,
    });
    const [size, root] = [frontier.size, frontier.root()];
    const result = { size, root: root.toString('hex'), frontier: frontier.state };
    commitKeys(dataDirectory);
    if (size === (newest?.size ?? 0)) {
      return { ...result, taken: false, note: newest === null ? null : stored.read(size) };
    }
    const timeSeconds = Math.floor(nowMs / 1_000);
    const text = formatCheckpoint({ origin: signer.name, size, root, seal, timeSeconds });
    const note = formatNote({ text, signatures: [signNote(text, signer)] });
    stored.write(size, note); // (K2)
    return { ...result, taken: true, note };
  } finally {
    leaves.close();
  }
}

/**
 * The newest checkpoint, which must be one of this log.
 * @throws RuntimeError AUDIT_LOG_DAMAGED
 */
function newestCheckpoint(stored: StoredCheckpoints, verifier: NoteVerifier): Checkpoint | null {
  const size = stored.sizes().at(-1);
  if (size === undefined) return null;
  try {
    const note = parseNote(stored.read(size) ?? '');
    const checkpoint = parseCheckpoint(note.text);
    if (checkpoint.size === size && verifiedBy(note, verifier) !== null) return checkpoint;
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
  }
  throw new RuntimeError(
    'AUDIT_LOG_DAMAGED',
    `${stored.pathOf(size)} is no checkpoint that this log signed; claw audit verify tells more.`,
  );
}
