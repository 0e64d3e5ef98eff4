/** What `--before` of a compaction may say. */
import { RuntimeError } from '../kernel/errors.ts';
import type { CompactionLimit } from '../runtime/compaction-plan.ts';

const unitMs: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/**
 * A sequence (`4711`), an age (`90m`, `12h`, `30d`, `4w`) or a date of ISO 8601.
 * @param nowMs What an age counts from, milliseconds since the epoch.
 * @throws RuntimeError USAGE
 */
export function parseLimit(text: string, nowMs: number): CompactionLimit {
  if (/^\d{1,15}$/.test(text)) return { sequence: Number(text) };
  const age = /^(\d{1,6})([mhdw])$/.exec(text);
  if (age !== null) return { timeMs: nowMs - Number(age[1]) * (unitMs[age[2] ?? ''] ?? 0) };
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(timeMs)) return { timeMs };
  throw new RuntimeError(
    'USAGE',
    `${text} is no date (2026-01-31), age (90m, 12h, 30d, 4w) or sequence; see claw journal compact --help.`,
  );
}
