/** How far the audit has come, read from its files beside whoever writes them. */
import { parseCheckpoint } from '../identity/checkpoint.ts';
import { readLogVerifier } from '../identity/log-key.ts';
import { parseNoteVerifier } from '../identity/note-key.ts';
import { parseNote, verifiedBy } from '../identity/signed-note.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { AuditConfig } from './audit-config.ts';
import { checkpointsOf } from './take-checkpoint.ts';
import { cosignedSize } from './witness-round.ts';

export interface AuditStatus {
  /** Records of the newest checkpoint, 0 for none. */
  readonly size: number;
  /** When it was signed, by the log's own clock. */
  readonly timeSeconds: number | null;
  /** Records that the configured witness has cosigned; null where none is configured. */
  readonly cosigned: number | null;
}

/** @throws RuntimeError AUDIT_LOG_DAMAGED, AUDIT_KEY_INVALID, AUDIT_NOTE_INVALID */
export function auditStatus(dataDirectory: string, config: AuditConfig | undefined): AuditStatus {
  const stored = checkpointsOf(dataDirectory);
  const size = stored.sizes().at(-1) ?? 0;
  const witness = config?.witness;
  const cosigned =
    witness === undefined
      ? null
      : cosignedSize(dataDirectory, parseNoteVerifier(witness.publicKey));
  if (size === 0) return { size, timeSeconds: null, cosigned };
  const log = readLogVerifier(dataDirectory);
  const note = parseNote(stored.read(size) ?? '');
  if (log === null || verifiedBy(note, log) === null) {
    throw new RuntimeError(
      'AUDIT_LOG_DAMAGED',
      `${stored.pathOf(size)} is not signed by the key of the log; claw audit verify tells more.`,
    );
  }
  return { size, timeSeconds: parseCheckpoint(note.text).timeSeconds, cosigned };
}
