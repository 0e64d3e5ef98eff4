/** The folds of the audit that decisions of the runtime stand on, the same in every thread. */
import { ApprovalBook } from '../identity/approval-book.ts';
import { AuditFolds } from '../identity/audit-fold.ts';
import { AuthorityEpoch } from '../identity/authority-epoch.ts';
import { GrantBook } from '../identity/grant-book.ts';
import { OperatorKeys } from '../identity/operator-keys.ts';
import { Quarantine } from '../identity/quarantine.ts';

export function newSecurityState() {
  const operators = new OperatorKeys();
  return new AuditFolds({
    authority: new AuthorityEpoch(),
    operators,
    quarantine: new Quarantine(operators),
    grants: new GrantBook(),
    approvals: new ApprovalBook(),
  });
}
