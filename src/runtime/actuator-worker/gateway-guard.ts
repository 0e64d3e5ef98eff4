/**
 * What follows from refusals at the gateway: every one is journaled, and who
 * forged, replayed or reached beyond its permissions is cut off and put into
 * quarantine, as is who is refused too often or asks too much.
 *
 * Invariants
 *   G1. From the first violation on nothing more is done for the actor, also
 *       while the disk has not heard of it yet.
 *   G2. A refusal is answered only once what it led to is durable.
 */
import type { Guard } from '../../actuators/gateway.ts';
import { AnomalyDetector } from '../../identity/anomaly-detector.ts';
import type { AuditEvent } from '../../identity/audit-event.ts';
import type { Quarantine } from '../../identity/quarantine.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ErrorCode, ErrorMessage } from '../../kernel/errors.ts';
import type { ActorId, RunId } from '../../kernel/ids.ts';

/**
 * Refusals that no working agent can cause. An expired token is none of them:
 * a machine that slept between two moments has such, too.
 */
const violations: ReadonlySet<ErrorCode> = new Set([
  'CERTIFICATE_INVALID',
  'TOKEN_INVALID',
  'TOKEN_MISMATCH',
  'TOKEN_REPLAYED',
  'SIGNATURE_INVALID',
  'PERMISSION_DENIED',
]);

/** Refusals that say nothing against an actor. */
const quiet: ReadonlySet<ErrorCode> = new Set([
  'QUARANTINED',
  'RUN_NOT_OPEN',
  'BUS_MESSAGE_TOO_LARGE',
]);

interface GuardParts {
  readonly quarantine: Pick<Quarantine, 'find'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Journals an event; resolves once it is durable. */
  record(event: AuditEvent): Promise<unknown>;
}

export class GatewayGuard implements Guard {
  readonly #parts: GuardParts;
  readonly #detector = new AnomalyDetector();
  /** Cut off before the quarantine is known to be durable (G1). */
  readonly #cut = new Set<string>();

  constructor(parts: GuardParts) {
    this.#parts = parts;
  }

  async seen(run: RunId, actor: ActorId): Promise<ErrorMessage | null> {
    if (this.#isCut(run, actor)) {
      return { code: 'QUARANTINED', message: `The agent ${actor} is in quarantine.` };
    }
    const anomaly = this.#observe(run, actor, 'act');
    if (anomaly !== null) await this.#quarantine(run, actor, anomaly);
    return anomaly;
  }

  async refused(refusal: Parameters<Guard['refused']>[0]): Promise<void> {
    const { run, actor, operation, error } = refusal;
    if (quiet.has(error.code as ErrorCode)) return;
    const { code, message } = error;
    const isViolation = violations.has(code as ErrorCode);
    if (isViolation) this.#cut.add(nameOf(run, actor)); // (G1)
    await this.#parts.record({ type: 'intention-refused', run, actor, operation, code, message });
    const why = isViolation ? error : this.#observe(run, actor, 'refusal');
    if (why !== null) await this.#quarantine(run, actor, why); // (G2)
  }

  #isCut(run: RunId, actor: ActorId): boolean {
    return (
      this.#cut.has(nameOf(run, actor)) || this.#parts.quarantine.find(run, actor) !== undefined
    );
  }

  #observe(run: RunId, actor: ActorId, what: 'act' | 'refusal'): ErrorMessage | null {
    return this.#detector.observe(nameOf(run, actor), what, this.#parts.clock.monotonicMs());
  }

  async #quarantine(run: RunId, actor: ActorId, { code, message }: ErrorMessage): Promise<void> {
    const name = nameOf(run, actor);
    this.#cut.add(name); // (G1)
    await this.#parts.record({ type: 'quarantined', run, actor, code, message });
    // From here on the fold knows, and it alone can let the actor go again.
    this.#cut.delete(name);
    this.#detector.forget(name);
  }
}

function nameOf(run: RunId, actor: ActorId): string {
  return `${run} ${actor}`;
}
