/**
 * A checkpoint of the journal (C2SP tlog-checkpoint): which log, how many
 * records, and the root of their tree. Its extension lines say what the last
 * record is, a seal, and when the log says that it was.
 *
 * ```
 * openclaw/journal/5f0c…        origin, the name of the log's key
 * 1042                          size: the sequence of the last record
 * CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      root, base64
 * seal 9a3e…                    digest of that record
 * time 1767225600               seconds since the epoch, by the log's clock
 * ```
 *
 * Invariants
 *   C1. One checkpoint has one text: what `formatCheckpoint` would not write is
 *       refused by `parseCheckpoint`, except unknown extension lines.
 */
import { RuntimeError } from '../kernel/errors.ts';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
  /** Digest of the last record, hexadecimal; null where the note does not say. */
  readonly seal: string | null;
  /** Seconds since the epoch; null where the note does not say. */
  readonly timeSeconds: number | null;
}

const rootBytes = 32;

/** The text of a note, its last line feed included. */
export function formatCheckpoint({ origin, size, root, seal, timeSeconds }: Checkpoint): string {
  const lines = [origin, String(size), root.toString('base64')];
  if (seal !== null) lines.push(`seal ${seal}`);
  if (timeSeconds !== null) lines.push(`time ${timeSeconds}`);
  return `${lines.join('\n')}\n`;
}

/** @throws RuntimeError AUDIT_NOTE_INVALID (C1) */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', encoded = '', ...extensions] = text.split('\n').slice(0, -1);
  if (origin === '') throw invalid('its first line, the origin, is empty');
  const count = /^(0|[1-9]\d{0,15})$/.test(size) ? Number(size) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw invalid('its second line is no number of records');
  const root = Buffer.from(encoded, 'base64');
  if (root.length !== rootBytes || root.toString('base64') !== encoded) {
    throw invalid('its third line is no base64 of 32 bytes');
  }
  if (extensions.some((line) => line === '')) throw invalid('an extension line is empty');
  const seal = extensionValue(extensions, /^seal ([0-9a-f]{64})$/);
  const time = extensionValue(extensions, /^time ([1-9]\d{0,11})$/);
  return {
    origin,
    size: count,
    root,
    seal,
    timeSeconds: time === null ? null : Number(time),
  };
}

function extensionValue(lines: readonly string[], pattern: RegExp): string | null {
  for (const line of lines) {
    const [, value] = pattern.exec(line) ?? [];
    if (value !== undefined) return value;
  }
  return null;
}

function invalid(why: string): RuntimeError {
  return new RuntimeError(
    'AUDIT_NOTE_INVALID',
    `This is no checkpoint of a log: ${why}; give a note as claw audit checkpoint wrote it.`,
  );
}
