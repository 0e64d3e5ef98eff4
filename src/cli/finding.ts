/** What a check of `claw doctor` ends in. */
import type { ErrorCode } from '../kernel/errors.ts';
import { toFailure } from './failure.ts';

export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** One sentence, with the remedy where something is wrong. */
  readonly detail: string;
  /** Of the error behind a failed check, where it has one. */
  readonly code?: ErrorCode;
}

export function ok(check: string, detail: string): Finding {
  return { check, status: 'ok', detail };
}

export function warning(check: string, detail: string): Finding {
  return { check, status: 'warning', detail };
}

export function failed(check: string, detail: string): Finding {
  return { check, status: 'failed', detail };
}

export function failedWith(check: string, error: unknown): Finding {
  const { code, message } = toFailure(error);
  return { ...failed(check, message), code };
}
