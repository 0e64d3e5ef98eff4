/** What a failed write of the journal is called, and what to do about it. */
import { RuntimeError } from '../kernel/errors.ts';
import { errorNumber } from './file-port.ts';

/** DISK_FULL or JOURNAL_FAILED for what a file operation threw. */
export function writeFailure(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const number = errorNumber(error);
  if (number === 'ENOSPC' || number === 'EDQUOT') {
    return new RuntimeError(
      'DISK_FULL',
      'The disk is full, so the journal stopped; free disk space and start again.',
      { cause: error },
    );
  }
  return new RuntimeError(
    'JOURNAL_FAILED',
    `The journal cannot be written (${number ?? String(error)}), so it stopped; repair the disk and start again.`,
    { cause: error },
  );
}
