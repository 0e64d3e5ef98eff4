/**
 * One batch of an export: what the records behind one sequence tell. Nothing is
 * kept between two batches but that sequence, so that memory does not grow with
 * what a receiver is behind.
 */
import type { JournalPosition } from '../journal/record.ts';
import { scanReadable } from '../journal/record-scan.ts';
import { RunKeys } from '../journal/run-keys.ts';
import { limits } from '../kernel/limits.ts';
import { entriesOf, type OpenOperations } from './audit-entry.ts';
import { type AuditFormat, exportLine } from './audit-export-format.ts';
import type { ExportLine } from './audit-export-target.ts';

export interface BatchRequest {
  readonly dataDirectory: string;
  /** Sequence of the last record that was told. */
  readonly after: number;
  /** End of a durable group; null reads to the last seal. */
  readonly until: JournalPosition | null;
  readonly format: AuditFormat;
  /** Name of the log. */
  readonly origin: string;
}

export interface ExportBatch {
  readonly lines: readonly ExportLine[];
  /** Sequence of the last record that is in it; `after` where there was none. */
  readonly last: number;
}

/** @throws RuntimeError JOURNAL_CORRUPT, DATA_VERSION_NEWER */
export function readExportBatch(request: BatchRequest): ExportBatch {
  const { dataDirectory, after, until, format, origin } = request;
  const lines: ExportLine[] = [];
  const open: OpenOperations = new Map();
  let [last, records] = [after, 0];
  const scan = { after, until: until ?? undefined };
  for (const group of scanReadable(dataDirectory, new RunKeys(dataDirectory), scan)) {
    for (const record of group) {
      // Those before it in its segment say what their answers belong to.
      const entries = entriesOf(record, open);
      if (record.sequence <= after) continue;
      last = record.sequence;
      records += 1;
      for (const entry of entries) {
        lines.push({ text: exportLine(format, entry, origin), timeMs: entry.timeMs });
      }
    }
    const most = limits.auditExportRecordsMax;
    if (records >= most || lines.length >= most) break;
  }
  return { lines, last };
}
