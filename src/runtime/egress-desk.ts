/**
 * Decides whether a request may go to the network: finds a grant, charges it,
 * or lets the request wait until people have decided.
 *
 * Invariants
 *   E1. A use is charged before it is allowed, and allowed once the charge is on
 *       the disk. Two requests never share one use: what is charged and not yet
 *       journaled counts as well.
 *   E2. The same use, tried again, is charged once.
 *   E3. Equal requests wait as one, until the same time, and for the same answer.
 *   E4. Who waits holds nothing but a place in a bounded list, and is let go by
 *       a grant, a denial, the time, or the end of its intention.
 */
import { coverageProblem } from '../actuators/egress-rules.ts';
import type { EgressPermit, PermitQuestion } from '../actuators/http.ts';
import {
  type ApprovalBook,
  approvalEndedEvent,
  approvalRequestedEvent,
} from '../identity/approval-book.ts';
import type { AuditEvent } from '../identity/audit-event.ts';
import { signatureProblem } from '../identity/egress-grant.ts';
import { approvalId, type EgressRequest } from '../identity/egress-request.ts';
import { type GrantBook, type IssuedGrant, usesLeft } from '../identity/grant-book.ts';
import type { OperatorKeys } from '../identity/operator-keys.ts';
import type { Clock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { sha256 } from '../kernel/hash.ts';
import { type IntentionKey, parseIntentionKey } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';

export interface EgressDeskParts {
  readonly folds: {
    readonly operators: OperatorKeys;
    readonly grants: GrantBook;
    readonly approvals: ApprovalBook;
  };
  readonly clock: Clock;
  /** How long a request waits for people; 0 refuses at once. */
  readonly waitMs: number;
  /** Journals an event; once it resolves the folds have it. */
  record(event: AuditEvent): Promise<void>;
}

interface Waiter {
  readonly question: PermitQuestion;
  readonly settle: PromiseWithResolvers<EgressPermit>;
}

/** Those who wait for one decision (E3). */
interface Queue {
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly waiters: Set<Waiter>;
  readonly timer: NodeJS.Timeout;
}

export class EgressDesk {
  readonly #parts: EgressDeskParts;
  /** Uses that are charged and not yet journaled, by grant (E1). */
  readonly #charging = new Map<string, string>();
  readonly #queues = new Map<string, Queue>();

  constructor(parts: EgressDeskParts) {
    this.#parts = parts;
  }

  /**
   * Resolves once a grant covers the request and the charge is durable.
   * @throws RuntimeError EGRESS_NOT_GRANTED, EGRESS_DENIED
   */
  async permit(question: PermitQuestion): Promise<EgressPermit> {
    const grant = this.#covering(question);
    if (grant !== null) return this.#charge(grant, question);
    if (this.#parts.waitMs === 0) {
      await this.#refused(question, 'EGRESS_NOT_GRANTED');
      throw notGranted(question.request);
    }
    return this.#wait(question);
  }

  /** The intention is over: whoever waits for it waits no more (E4). */
  withdraw(key: IntentionKey): void {
    for (const [id, queue] of this.#queues) {
      for (const waiter of queue.waiters) {
        if (waiter.question.key !== key) continue;
        queue.waiters.delete(waiter);
        waiter.settle.reject(notGranted(waiter.question.request));
      }
      if (queue.waiters.size === 0) this.#expire(id);
    }
  }

  /** The audit has gone on: some may be let go now. */
  audited(event: AuditEvent): void {
    const { approval } = event;
    if (event.type === 'approval-denied' && typeof approval === 'string') {
      this.#dismiss(approval, 'EGRESS_DENIED');
      return;
    }
    if (event.type === 'approval-granted' && typeof approval === 'string') {
      this.#askAgain(approval);
      return;
    }
    if (!/^(?:grant|key|keys)-/.test(event.type) || event.type === 'grant-used') return;
    for (const [id, { waiters }] of this.#queues) {
      for (const waiter of waiters) {
        const grant = this.#covering(waiter.question);
        if (grant === null) continue;
        waiters.delete(waiter);
        this.#charge(grant, waiter.question).then(waiter.settle.resolve, waiter.settle.reject);
      }
      // Whoever issued the grant journals that the approval is over.
      if (waiters.size === 0) this.#forget(id);
    }
  }

  /** The runtime stops; what waits is asked again by the next one. */
  close(): void {
    for (const { timer } of this.#queues.values()) clearTimeout(timer);
    this.#queues.clear();
  }

  /** The grant that covers the request and expires first: the narrower is used up first. */
  #covering({ request, key, hop }: PermitQuestion): IssuedGrant | null {
    const { grants, operators } = this.#parts.folds;
    const use = useOf(key, hop);
    const found = grants
      .open(this.#parts.clock.nowMs())
      .filter(({ grant }) => coverageProblem(grant, request) === null)
      .filter((issued) => this.#hasUse(issued, use))
      .filter((issued) => signatureProblem(issued, operators) === null)
      .toSorted((a, b) => a.grant.expires - b.grant.expires || a.id.localeCompare(b.id));
    return found.find(({ id }) => grants.isCharged(id, use)) ?? found[0] ?? null;
  }

  #hasUse(issued: IssuedGrant, use: string): boolean {
    const { grants } = this.#parts.folds;
    if (grants.isCharged(issued.id, use)) return true; // (E2)
    let charging = 0;
    for (const [each, id] of this.#charging) {
      if (id === issued.id && each !== use && !grants.isCharged(id, each)) charging += 1;
    }
    return usesLeft(issued) > charging; // (E1)
  }

  async #charge({ id, grant }: IssuedGrant, question: PermitQuestion): Promise<EgressPermit> {
    const { request, run, key, hop } = question;
    const use = useOf(key, hop);
    const permit = { grant: id, bytesMax: grant.bytesMax, credentials: grant.credentials };
    if (this.#parts.folds.grants.isCharged(id, use)) return permit; // (E2)
    this.#charging.set(use, id);
    try {
      const { actor } = parseIntentionKey(key);
      const event = { type: 'grant-used', grant: id, use, run, actor, request };
      await this.#parts.record(event as unknown as AuditEvent); // (E1)
    } finally {
      this.#charging.delete(use);
    }
    return permit;
  }

  async #wait(question: PermitQuestion): Promise<EgressPermit> {
    const { request, run, key } = question;
    const id = approvalId(request);
    const waiter = { question, settle: Promise.withResolvers<EgressPermit>() };
    // It may be let go before anybody listens.
    waiter.settle.promise.catch(() => undefined);
    const queue = this.#queues.get(id);
    if (queue !== undefined) {
      queue.waiters.add(waiter); // (E3)
      return waiter.settle.promise;
    }
    if (this.#queues.size >= limits.approvalsMax) {
      await this.#refused(question, 'EGRESS_NOT_GRANTED');
      throw notGranted(request, 'Too many others wait for a decision.');
    }
    const now = this.#parts.clock.nowMs();
    const before = this.#parts.folds.approvals.find(id)?.expires ?? 0;
    const expires = before > now ? before : now + this.#parts.waitMs;
    const timer = setTimeout(() => this.#expire(id), expires - now).unref();
    this.#queues.set(id, { expires, waiters: new Set([waiter]), timer });
    if (before <= now) {
      const { actor } = parseIntentionKey(key);
      try {
        await this.#parts.record(approvalRequestedEvent(request, { expires, run, actor }));
      } catch (error) {
        this.#queues.delete(id);
        clearTimeout(timer);
        throw error;
      }
    }
    return waiter.settle.promise;
  }

  #expire(id: string): void {
    this.#dismiss(id, 'EGRESS_NOT_GRANTED');
    // A journal that fails stops the runtime by itself.
    this.#parts.record(approvalEndedEvent(id, 'expired')).catch(() => undefined);
  }

  /** The grant had not enough uses for all that waited: those that are left wait on. */
  #askAgain(id: string): void {
    const queue = this.#queues.get(id);
    const [first] = queue?.waiters ?? [];
    if (queue === undefined || first === undefined) return;
    const { request, run, key } = first.question;
    const { actor } = parseIntentionKey(key);
    const event = approvalRequestedEvent(request, { expires: queue.expires, run, actor });
    this.#parts.record(event).catch(() => undefined);
  }

  /** Lets all go that wait for this decision, without what they wanted. */
  #dismiss(id: string, code: 'EGRESS_DENIED' | 'EGRESS_NOT_GRANTED'): void {
    for (const { question, settle } of this.#forget(id)) {
      this.#refused(question, code).catch(() => undefined);
      settle.reject(
        code === 'EGRESS_DENIED' ? denied(question.request) : notGranted(question.request),
      );
    }
  }

  /** Those who waited. */
  #forget(id: string): Iterable<Waiter> {
    const queue = this.#queues.get(id);
    this.#queues.delete(id);
    clearTimeout(queue?.timer);
    return queue?.waiters ?? [];
  }

  async #refused({ request, run, key }: PermitQuestion, code: string): Promise<void> {
    const { actor } = parseIntentionKey(key);
    const event = { type: 'egress-refused', code, run, actor, request };
    await this.#parts.record(event as unknown as AuditEvent);
  }
}

/** Short, because grants remember it. */
function useOf(key: IntentionKey, hop: number): string {
  return sha256(`${key}#${hop}`).slice(0, 16);
}

function placeOf({ method, scheme, host, port, path }: EgressRequest): string {
  return `${method} ${scheme}://${host}:${port}${path.slice(0, 200)}`;
}

function notGranted(request: EgressRequest, why = ''): RuntimeError {
  const message = `No grant covers ${placeOf(request)}, and nobody approved it in time; claw approve shows what waits. ${why}`;
  return new RuntimeError('EGRESS_NOT_GRANTED', message.trim());
}

function denied(request: EgressRequest): RuntimeError {
  return new RuntimeError('EGRESS_DENIED', `An operator denied ${placeOf(request)}.`);
}
