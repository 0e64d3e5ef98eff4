/** Why a run does not go on. */
import { type ErrorMessage, toErrorMessage } from '../kernel/errors.ts';

export type Reason = Pick<ErrorMessage, 'code' | 'message'>;

export const quarantined: Reason = {
  code: 'QUARANTINED',
  message: 'An agent of it is in quarantine.',
};

export function reasonOf(error: unknown): Reason {
  const { code, message } = toErrorMessage(error);
  return { code, message };
}
