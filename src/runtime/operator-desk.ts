/**
 * Where operators come with what they have signed. It journals only what will
 * count, and tells at once why something does not: the folds of the audit
 * judge again, by the same rules.
 *
 * Invariants
 *   D1. What is journaled was checked against the folds at that moment, one
 *       change after the other, so that two cannot both be the last.
 *   D2. The first key is taken only from somebody who reads the data
 *       directory: the proof is a random text in a file of its owner.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coverageProblem } from '../actuators/egress-rules.ts';
import {
  type ApprovalBook,
  approvalEndedEvent,
  approvalSignedEvent,
  joined,
  type PendingApproval,
} from '../identity/approval-book.ts';
import type { AuditEvent } from '../identity/audit-event.ts';
import { grantId, type SignedGrant, signatureProblem } from '../identity/egress-grant.ts';
import { type GrantBook, grantIssuedEvent, type IssuedGrant } from '../identity/grant-book.ts';
import type { SignedKeyStatement } from '../identity/key-change.ts';
import { keyChangeEvent, type OperatorKeys } from '../identity/operator-keys.ts';
import { signersOf } from '../identity/operator-signature.ts';
import type { Quarantine, QuarantineEntry } from '../identity/quarantine.ts';
import type { SignedRelease } from '../identity/quarantine-release.ts';
import type { Clock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { DecisionView, GrantView, OperatorKeysView, OperatorPort } from './operator-port.ts';

export interface OperatorDeskParts {
  readonly dataDirectory: string;
  readonly folds: {
    readonly operators: OperatorKeys;
    readonly grants: GrantBook;
    readonly approvals: ApprovalBook;
    readonly quarantine: Quarantine;
  };
  readonly clock: Clock;
  /** Journals an event; once it resolves the folds have it. */
  record(event: AuditEvent): Promise<void>;
}

const proofFile = 'enrolment-proof';
const proofBytes = 32;

export class OperatorDesk implements OperatorPort {
  readonly #parts: OperatorDeskParts;
  /** The change before this one (D1). */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: OperatorDeskParts) {
    this.#parts = parts;
  }

  keys(): OperatorKeysView {
    const { operators } = this.#parts.folds;
    const { threshold } = operators;
    const proof = operators.isFirstUse ? this.#proof() : null;
    return { threshold, keys: operators.all(), enrolmentProof: proof === null ? null : this.#path };
  }

  changeKeys(signed: SignedKeyStatement, proof: string | null): Promise<OperatorKeysView> {
    return this.#inTurn(async () => {
      const { operators } = this.#parts.folds;
      const problem = operators.problem(signed, this.#parts.clock.nowMs());
      if (problem !== null) throw new RuntimeError('KEY_CHANGE_REFUSED', problem);
      if (operators.isFirstUse && !this.#isProven(proof)) {
        throw new RuntimeError(
          'KEY_CHANGE_REFUSED',
          `The first key needs the content of ${proofFile} in the data directory, which its owner reads.`,
        ); // (D2)
      }
      await this.#parts.record(keyChangeEvent(signed));
      rmSync(this.#path, { force: true });
      return this.keys();
    });
  }

  grants(): readonly GrantView[] {
    const now = this.#parts.clock.nowMs();
    const all = this.#parts.folds.grants.all().filter(({ grant }) => grant.expires > now);
    return all.map((issued) => this.#view(issued));
  }

  issueGrant(signed: SignedGrant): Promise<GrantView> {
    return this.#inTurn(() => this.#issue(signed));
  }

  revokeGrant(id: string, reason: string): Promise<GrantView> {
    return this.#inTurn(async () => {
      const found = this.#parts.folds.grants.all().filter((each) => each.id.startsWith(id));
      const [only] = found;
      if (only === undefined || found.length > 1 || id.length < 6) {
        const message = `${found.length} grants begin with ${id}; claw grant list shows them.`;
        throw new RuntimeError('GRANT_NOT_FOUND', message);
      }
      if (only.revoked === null) {
        await this.#parts.record({ type: 'grant-revoked', grant: only.id, reason });
      }
      return this.#view(this.#parts.folds.grants.find(only.id) ?? only);
    });
  }

  approvals(): readonly PendingApproval[] {
    const now = this.#parts.clock.nowMs();
    return this.#parts.folds.approvals.all().filter(({ expires }) => expires > now);
  }

  approve(id: string, signed: SignedGrant): Promise<DecisionView> {
    return this.#inTurn(async () => {
      const pending = this.#pending(id);
      const uncovered = coverageProblem(signed.grant, pending.request);
      if (uncovered !== null) {
        throw invalid(`The grant does not cover what ${id} asks for. ${uncovered}`);
      }
      const whole = joined(pending.draft, signed);
      const { operators } = this.#parts.folds;
      const have = signersOf(whole.grant, whole.signatures, operators.active()).size;
      const signatures = { have, need: operators.threshold };
      if (have === 0) throw invalid('None of the signatures is of an enrolled key.');
      this.#refuseUntimely(whole);
      const grant = grantId(whole.grant);
      if (signatureProblem(whole, operators) !== null) {
        await this.#parts.record(approvalSignedEvent(id, signed));
        return { approval: id, state: 'signed', signatures, grant };
      }
      await this.#issue(whole);
      return { approval: id, state: 'granted', signatures, grant };
    });
  }

  deny(id: string): Promise<DecisionView> {
    return this.#inTurn(async () => {
      this.#pending(id);
      await this.#parts.record(approvalEndedEvent(id, 'denied'));
      const signatures = { have: 0, need: this.#parts.folds.operators.threshold };
      return { approval: id, state: 'denied', signatures, grant: null };
    });
  }

  quarantined(): readonly QuarantineEntry[] {
    return this.#parts.folds.quarantine.all();
  }

  release(signed: SignedRelease): Promise<QuarantineEntry> {
    return this.#inTurn(async () => {
      const { quarantine } = this.#parts.folds;
      const { run, actor } = signed.statement;
      const entry = quarantine.find(run, actor);
      const problem = quarantine.problem(signed, this.#parts.clock.nowMs());
      if (problem !== null || entry === undefined) {
        throw new RuntimeError('RELEASE_REFUSED', problem ?? 'It is not in quarantine.');
      }
      await this.#parts.record({ type: 'quarantine-released', ...signed });
      return entry;
    });
  }

  get #path(): string {
    return join(this.#parts.dataDirectory, proofFile);
  }

  /** The proof, made where there is none; null where it can be neither read nor made. */
  #proof(): string | null {
    try {
      return readFileSync(this.#path, 'utf8').trim();
    } catch {
      const text = randomBytes(proofBytes).toString('base64url');
      try {
        writeFileSync(this.#path, `${text}\n`, { mode: 0o600, flag: 'wx' });
        return text;
      } catch {
        return null;
      }
    }
  }

  #isProven(given: string | null): boolean {
    const [proof, said] = [this.#proof(), given?.trim()].map((text) => Buffer.from(text ?? ''));
    if (proof === undefined || said === undefined || proof.length < proofBytes) return false;
    return proof.length === said.length && timingSafeEqual(proof, said);
  }

  async #issue(signed: SignedGrant): Promise<GrantView> {
    const { grants, operators } = this.#parts.folds;
    const id = grantId(signed.grant);
    if (grants.find(id) !== undefined) throw invalid('This grant was issued before; sign another.');
    this.#refuseUntimely(signed);
    const problem = signatureProblem(signed, operators);
    if (problem !== null) throw invalid(problem);
    if (!grants.hasRoom(this.#parts.clock.nowMs())) {
      throw invalid('As many grants as may be are there; wait until one of them expires.');
    }
    await this.#parts.record(grantIssuedEvent(signed));
    const issued = grants.find(id);
    if (issued === undefined) throw new RuntimeError('INTERNAL', 'The grant was not taken in.');
    // Whatever else it covers need not be asked either.
    for (const pending of this.approvals()) {
      if (coverageProblem(signed.grant, pending.request) !== null) continue;
      await this.#parts.record(approvalEndedEvent(pending.id, 'granted'));
    }
    return this.#view(issued);
  }

  #refuseUntimely({ grant }: SignedGrant): void {
    if (grant.expires <= this.#parts.clock.nowMs()) throw invalid('The grant has expired.');
  }

  #view(issued: IssuedGrant): GrantView {
    return { ...issued, problem: grantProblem(issued, this.#parts) };
  }

  #pending(id: string): PendingApproval {
    const pending = this.approvals().find((each) => each.id === id);
    if (pending !== undefined) return pending;
    const message = `Nothing waits under ${id}; claw approve lists what does.`;
    throw new RuntimeError('APPROVAL_NOT_FOUND', message);
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change, change);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function grantProblem(
  issued: IssuedGrant,
  { folds, clock }: Pick<OperatorDeskParts, 'folds' | 'clock'>,
): string | null {
  const { grant, revoked, used } = issued;
  const now = clock.nowMs();
  if (revoked !== null) return `It was revoked: ${revoked.reason}.`;
  if (grant.expires <= now) return 'It has expired.';
  if (grant.notBefore > now) return 'It does not count yet.';
  if (used >= grant.maxUses) return 'It is used up.';
  return signatureProblem(issued, folds.operators);
}

function invalid(message: string): RuntimeError {
  return new RuntimeError('GRANT_INVALID', message);
}
