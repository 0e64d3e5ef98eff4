/**
 * What a log asks a witness (C2SP tlog-witness, add-checkpoint): the size that the
 * witness saw last, a proof that the new tree continues it, and the new
 * checkpoint. The same text travels by HTTP and as a file.
 *
 * ```
 * old 1024
 * <hash of the proof, base64>        none or more
 *
 * <the signed checkpoint>
 * ```
 */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

export interface WitnessRequest {
  /** Size of the last checkpoint that the witness cosigned, 0 for none. */
  readonly old: number;
  readonly proof: readonly Buffer[];
  /** The signed note. */
  readonly note: string;
}

export function formatWitnessRequest({ old, proof, note }: WitnessRequest): string {
  const lines = [`old ${old}`, ...proof.map((each) => each.toString('base64'))];
  return `${lines.join('\n')}\n\n${note}`;
}

/** @throws RuntimeError AUDIT_NOTE_INVALID */
export function parseWitnessRequest(text: string): WitnessRequest {
  const split = text.indexOf('\n\n');
  const [first = '', ...hashes] = text.slice(0, Math.max(0, split)).split('\n');
  const [, digits] = /^old (0|[1-9]\d{0,15})$/.exec(first) ?? [];
  const old = digits === undefined ? Number.NaN : Number(digits);
  if (!Number.isSafeInteger(old)) throw invalid('its first line is not "old" and a size');
  if (hashes.length > limits.auditProofHashesMax) throw invalid('its proof is too long');
  return { old, proof: hashes.map(parseHash), note: text.slice(split + 2) };
}

/** A hash of a proof. @throws RuntimeError AUDIT_NOTE_INVALID */
export function parseHash(line: string): Buffer {
  const bytes = Buffer.from(line, 'base64');
  if (bytes.length === 32 && bytes.toString('base64') === line) return bytes;
  throw invalid('a line of its proof is no base64 of 32 bytes');
}

function invalid(why: string): RuntimeError {
  return new RuntimeError(
    'AUDIT_NOTE_INVALID',
    `This is no request to a witness: ${why}; claw audit request writes one.`,
  );
}
