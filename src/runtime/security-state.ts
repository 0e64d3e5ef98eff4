/** The folds of the audit that decisions of the runtime stand on, the same in every thread. */
import { AuditFolds } from '../identity/audit-fold.ts';
import { Quarantine } from '../identity/quarantine.ts';

export function newSecurityState() {
  return new AuditFolds({ quarantine: new Quarantine() });
}

export type SecurityState = ReturnType<typeof newSecurityState>;
