/** What the API and the command line see and do of who may do what. */
import type { AuditEvent } from '../identity/audit-event.ts';
import type { QuarantineEntry } from '../identity/quarantine.ts';

export interface SecurityPort {
  /** Journals an event; resolves once it is durable. @throws RuntimeError DISK_FULL, JOURNAL_FAILED */
  record(event: AuditEvent): Promise<void>;
  /** The actors that stand still, oldest first. */
  quarantined(): readonly QuarantineEntry[];
}
