/** Somebody whom the gateway asks before anything is carried out. */
import type { AgentCertificate } from '../identity/agent-certificate.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import type { CheckedRequest } from './intention-request.ts';

export interface GuardRefusal {
  readonly code: ErrorCode;
  /** One sentence, which becomes part of the journal: it names, and quotes no text. */
  readonly message: string;
  /** The same intention may be let through later. */
  readonly retryable?: boolean;
}

/** Null lets the intention through. @param certificate of its actor, by the authority */
export type IntentionGuard = (
  request: CheckedRequest,
  certificate: AgentCertificate,
) => GuardRefusal | null;
