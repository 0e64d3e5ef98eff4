/**
 * Begins a new log on the same journal: after a backup was restored or a damaged
 * journal repaired, the old checkpoints can never be continued. The old audit is
 * kept beside, so that what it proves stays provable; the new log has another key
 * and another name, so nobody can take it for the old one.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { logKeyPath, logPublicPath } from '../identity/log-key.ts';
import { auditFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { originOf } from './audit-exports.ts';
import { appendAuditEvents } from './audit-log.ts';
import { checkpointsOf, takeCheckpoint } from './take-checkpoint.ts';

export interface RestartedAudit {
  /** Name of the log that ended, and the records that its newest checkpoint covers. */
  readonly before: { readonly origin: string; readonly size: number };
  /** Where its files are kept. */
  readonly kept: string;
  readonly origin: string;
  readonly size: number;
}

/**
 * The caller has locked the data directory.
 * @throws RuntimeError JOURNAL_CORRUPT, DISK_FULL, JOURNAL_FAILED
 */
export function restartAudit(dataDirectory: string, nowMs: number): RestartedAudit {
  const before = {
    origin: originOf(dataDirectory),
    size: checkpointsOf(dataDirectory).sizes().at(-1) ?? 0,
  };
  const kept = join(dataDirectory, `audit-until-${nowMs}`);
  try {
    mkdirSync(auditFolder(dataDirectory), { recursive: true, mode: 0o700 });
    renameSync(auditFolder(dataDirectory), kept);
    for (const path of [logKeyPath(dataDirectory), logPublicPath(dataDirectory)]) {
      if (existsSync(path))
        renameSync(path, join(kept, path.endsWith('.pub') ? 'log.pub' : 'log.key'));
    }
    nodeFilePort.syncFolder(dataDirectory);
  } catch (error) {
    throw writeFailure(error);
  }
  appendAuditEvents(dataDirectory, [{ type: 'audit-restarted', ...before }]);
  const { size } = takeCheckpoint({ dataDirectory, until: null, nowMs, frontier: null });
  return { before, kept, origin: originOf(dataDirectory), size };
}
