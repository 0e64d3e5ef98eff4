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
import type { PublicKey } from '../identity/signing-key.ts';
import type { Examination, ExaminationResult } from '../identity/token-examination.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { AuditLog } from './audit-log.ts';
import type { RuntimeConfig } from './config.ts';
import type { DurableWaiters } from './durable-waiters.ts';
import { EgressDesk } from './egress-desk.ts';
import type { JournalFollower } from './journal-follower.ts';
import { OperatorDesk } from './operator-desk.ts';
import { isReservedEvent } from './reserved-events.ts';
import type { RuntimeThreads } from './runtime-threads.ts';
import { approvalWaitOf } from './security-config.ts';
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
  readonly config: Pick<RuntimeConfig, 'dataDirectory' | 'approvals'>;
}

export class Security implements SecurityPort {
  readonly operators: OperatorDesk;
  readonly #egress: EgressDesk;
  readonly #endpoint: Endpoint;
  readonly #hosts: number;
  readonly #follower: JournalFollower;
  readonly #log: AuditLog;
  readonly #authority: PublicKey;

  constructor(parts: SecurityParts) {
    const { threads, durable, follower, config } = parts;
    this.#endpoint = threads.endpoint;
    this.#hosts = threads.hosts.count;
    this.#follower = follower;
    this.#authority = threads.authority;
    this.#log = new AuditLog({ producer: threads.producer, durable });
    const { folds } = follower.security;
    const desk = { folds, clock: systemClock, record: (event: AuditEvent) => this.record(event) };
    this.operators = new OperatorDesk({ ...desk, dataDirectory: config.dataDirectory });
    this.#egress = new EgressDesk({ ...desk, waitMs: approvalWaitOf(config) });
  }

  /** Takes the events of other threads. Before the endpoint listens. */
  hear(): void {
    this.#endpoint.on(topics.audit, (event, header) => {
      this.#recordFor(event).then(
        () => this.#endpoint.reply(header, null),
        (error: unknown) => this.#endpoint.replyError(header, error),
      );
    });
    this.#endpoint.on(topics.violation, (violation) => void this.#violated(violation));
    this.#endpoint.on(topics.egress, (question, header) => {
      this.#egress.permit(question).then(
        (permit) => this.#endpoint.reply(header, permit),
        (error: unknown) => this.#endpoint.replyError(header, error),
      );
    });
    this.#endpoint.on(topics.egressWithdrawn, ({ key }) => this.#egress.withdraw(key));
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
    this.#egress.audited(notice.event);
  }

  record(event: AuditEvent): Promise<void> {
    return this.#log.append(event);
  }

  /** Nobody waits for people any more. */
  close(): void {
    this.#egress.close();
  }

  /** Journals where the folds stand, for a beginning of the journal that is about to go. */
  carry(): Promise<void> {
    return this.record(this.#follower.security.stateEvent());
  }

  examine(question: Examination): Promise<ExaminationResult> {
    const deadlineMs = limits.requestDeadlineMsMax;
    return this.#endpoint.request(actuatorThread, topics.examine, question, { deadlineMs });
  }

  async #violated({ run, actor, error: { code, message } }: ViolationMessage): Promise<void> {
    try {
      await this.record({ type: 'message-refused', run, actor, code, message });
      await this.record({ type: 'quarantined', run, actor, code, message });
    } catch {
      // Without its journal the runtime stops; the actor stands still until then.
    }
  }

  /** An event of another thread. */
  async #recordFor(event: AuditEvent): Promise<void> {
    if (!isReservedEvent(event.type)) return this.record(event);
    throw new RuntimeError('BUS_NOT_PERMITTED', `No thread but main may journal ${event.type}.`);
  }

  #tell(notice: AuditNotice): void {
    this.#endpoint.send(identityThread, topics.security, notice);
    this.#endpoint.send(actuatorThread, topics.security, notice);
    for (let host = 0; host < this.#hosts; host += 1) {
      this.#endpoint.send(hostThread(host), topics.security, notice);
    }
  }
}
