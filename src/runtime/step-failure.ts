/** What an error of a step means for its run. */
import { RuntimeError } from '../kernel/errors.ts';

export function isTooLarge(error: unknown): error is RuntimeError {
  return error instanceof RuntimeError && error.code === 'BUS_MESSAGE_TOO_LARGE';
}

export function isRefusal(error: unknown): error is RuntimeError {
  return isTooLarge(error) || (error instanceof RuntimeError && error.code === 'INTENTION_INVALID');
}

/** Without its disk the runtime must stop; that is no fault of the run. */
export function isDiskFailure(error: unknown): boolean {
  return (
    error instanceof RuntimeError && (error.code === 'DISK_FULL' || error.code === 'JOURNAL_FAILED')
  );
}
