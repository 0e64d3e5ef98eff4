/** What the API and the command line see and do of who may do what. */
import type { AuditEvent } from '../identity/audit-event.ts';
import type { Examination, ExaminationResult } from '../identity/token-examination.ts';
import type { OperatorPort } from './operator-port.ts';

export interface SecurityPort {
  /** Keys, grants and approvals of the people who may decide. */
  readonly operators: OperatorPort;
  /** Journals an event; resolves once it is durable. @throws RuntimeError DISK_FULL, JOURNAL_FAILED */
  record(event: AuditEvent): Promise<void>;
  /** Whether the gateway would let a token through. */
  examine(question: Examination): Promise<ExaminationResult>;
}
