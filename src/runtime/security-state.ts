/** The folds of the audit that decisions of the runtime stand on, the same in every thread. */
import { AuditFolds } from '../identity/audit-fold.ts';
import { AuthorityEpoch } from '../identity/authority-epoch.ts';
import { Quarantine } from '../identity/quarantine.ts';

export function newSecurityState() {
  return new AuditFolds({ authority: new AuthorityEpoch(), quarantine: new Quarantine() });
}
