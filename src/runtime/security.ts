/**
 * Who may do what, seen from the main thread: journals audit events for every
 * thread, and tells every thread what has become durable.
 *
 * Invariants
 *   S1. A thread decides by what is durable: it hears of an event after the
 *       disk has it, in the order of the journal.
 *   S2. A thread that has just started is told where the folds stand before any
 *       actor or intention reaches it.
 */
import type { Endpoint } from '../bus/endpoint.ts';
import type { AuditEvent, AuditNotice } from '../identity/audit-event.ts';
import type { QuarantineEntry } from '../identity/quarantine.ts';
import type { PublicKey } from '../identity/signing-key.ts';
import type { Examination, ExaminationResult } from '../identity/token-examination.ts';
import { limits } from '../kernel/limits.ts';
import { AuditLog } from './audit-log.ts';
import type { DurableWaiters } from './durable-waiters.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RuntimeThreads } from './runtime-threads.ts';
import type { SecurityPort } from './security-port.ts';
import {
  actuatorThread,
  hostThread,
  identityThread,
  topics,
  type ViolationMessage,
} from './topics.ts';

export interface SecurityParts {
  readonly threads: RuntimeThreads;
  readonly durable: DurableWaiters;
  readonly follower: JournalFollower;
}

export class Security implements SecurityPort {
  readonly #endpoint: Endpoint;
  readonly #hosts: number;
  readonly #follower: JournalFollower;
  readonly #log: AuditLog;
  readonly #authority: PublicKey;

  constructor({ threads, durable, follower }: SecurityParts) {
    this.#endpoint = threads.endpoint;
    this.#hosts = threads.hosts.count;
    this.#follower = follower;
    this.#authority = threads.authority;
    this.#log = new AuditLog({ producer: threads.producer, durable });
  }

  /** Takes the events of other threads. Before the endpoint listens. */
  hear(): void {
    this.#endpoint.on(topics.audit, (event, header) => {
      this.record(event).then(
        () => this.#endpoint.reply(header, null),
        (error: unknown) => this.#endpoint.replyError(header, error),
      );
    });
    this.#endpoint.on(topics.violation, (violation) => void this.#violated(violation));
  }

  /** Tells every thread where the folds stand (S2). */
  announce(): void {
    const { sequence } = this.#follower.end;
    this.#tell({ event: this.#follower.security.stateEvent(), sequence, timeMs: 0 });
  }

  /** Journals which key the authority has, where the journal does not say so yet. */
  async opened(): Promise<void> {
    const { publicKey } = this.#follower.security.folds.authority;
    if (publicKey === this.#authority) return;
    await this.record({
      type: 'authority-opened',
      publicKey: this.#authority,
      ...(publicKey === null ? {} : { before: publicKey }),
    });
  }

  /** An event has become durable (S1). */
  audited(notice: AuditNotice): void {
    this.#tell(notice);
  }

  record(event: AuditEvent): Promise<void> {
    return this.#log.append(event);
  }

  /** Journals where the folds stand, for a beginning of the journal that is about to go. */
  carry(): Promise<void> {
    return this.record(this.#follower.security.stateEvent());
  }

  examine(question: Examination): Promise<ExaminationResult> {
    const deadlineMs = limits.requestDeadlineMsMax;
    return this.#endpoint.request(actuatorThread, topics.examine, question, { deadlineMs });
  }

  quarantined(): readonly QuarantineEntry[] {
    return this.#follower.security.folds.quarantine.all();
  }

  async #violated({ run, actor, error: { code, message } }: ViolationMessage): Promise<void> {
    try {
      await this.record({ type: 'message-refused', run, actor, code, message });
      await this.record({ type: 'quarantined', run, actor, code, message });
    } catch {
      // Without its journal the runtime stops; the actor stands still until then.
    }
  }

  #tell(notice: AuditNotice): void {
    this.#endpoint.send(identityThread, topics.security, notice);
    this.#endpoint.send(actuatorThread, topics.security, notice);
    for (let host = 0; host < this.#hosts; host += 1) {
      this.#endpoint.send(hostThread(host), topics.security, notice);
    }
  }
}
