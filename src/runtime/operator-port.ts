/** What the API and the command line see and do of the operators: their keys, grants, and what waits for them. */
import type { ApprovalEnd, PendingApproval } from '../identity/approval-book.ts';
import type { SignedGrant } from '../identity/egress-grant.ts';
import type { IssuedGrant } from '../identity/grant-book.ts';
import type { SignedKeyStatement } from '../identity/key-change.ts';
import type { EnrolledKey } from '../identity/operator-keys.ts';
import type { QuarantineEntry } from '../identity/quarantine.ts';
import type { SignedRelease } from '../identity/quarantine-release.ts';

export interface OperatorKeysView {
  /** How many of the keys have to sign. */
  readonly threshold: number;
  readonly keys: readonly EnrolledKey[];
  /** Path of the file whose content proves the first enrolment; null once a key is enrolled. */
  readonly enrolmentProof: string | null;
}

export interface GrantView extends IssuedGrant {
  /** Why it does not count now, as one sentence; null when it does. */
  readonly problem: string | null;
}

export interface DecisionView {
  readonly approval: string;
  /** `signed`: signatures are missing still. */
  readonly state: ApprovalEnd | 'signed';
  readonly signatures: { readonly have: number; readonly need: number };
  /** Id of the grant. */
  readonly grant: string | null;
}

export interface OperatorPort {
  keys(): OperatorKeysView;
  /**
   * Enrols or revokes a key, or sets the threshold.
   * @param proof Content of the file `enrolmentProof`, for the first key.
   * @throws RuntimeError KEY_CHANGE_REFUSED
   */
  changeKeys(signed: SignedKeyStatement, proof: string | null): Promise<OperatorKeysView>;
  /** Those that have not expired, oldest first. */
  grants(): readonly GrantView[];
  /** @throws RuntimeError GRANT_INVALID */
  issueGrant(signed: SignedGrant): Promise<GrantView>;
  /** @param id Enough of its beginning will do. @throws RuntimeError GRANT_NOT_FOUND */
  revokeGrant(id: string, reason: string): Promise<GrantView>;
  /** Oldest first. */
  approvals(): readonly PendingApproval[];
  /**
   * Adds signatures to a grant for what waits; once there are enough, it is issued.
   * @throws RuntimeError APPROVAL_NOT_FOUND, GRANT_INVALID
   */
  approve(id: string, signed: SignedGrant): Promise<DecisionView>;
  /** The actors that stand still, oldest first. */
  quarantined(): readonly QuarantineEntry[];
  /** Lets an actor go on. @throws RuntimeError RELEASE_REFUSED */
  release(signed: SignedRelease): Promise<QuarantineEntry>;
  /** @throws RuntimeError APPROVAL_NOT_FOUND */
  deny(id: string): Promise<DecisionView>;
}
