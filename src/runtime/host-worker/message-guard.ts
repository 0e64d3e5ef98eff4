/**
 * What a host checks of each message before an actor takes it in.
 *
 * Invariants
 *   M1. A message of another thread is taken only under that thread's seal.
 *   M2. A message is taken only if the table of permissions has it.
 *   M3. A definition is taken in only if the charter of the run has it; until
 *       the charter is here, its actors wait.
 *   M4. Whose message was refused stands still from then on: what it misses
 *       would make it another than its journal says.
 */
import type { Envelope } from '../../actors/actor.ts';
import { mayTell } from '../../actors/topic-permissions.ts';
import { AnomalyDetector } from '../../identity/anomaly-detector.ts';
import type { AuthorityVerifier } from '../../identity/authority.ts';
import { type Charter, charterHolds } from '../../identity/charter.ts';
import type { MessageSeal } from '../../identity/message-seal.ts';
import type { Quarantine } from '../../identity/quarantine.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ErrorMessage } from '../../kernel/errors.ts';
import { hashJson, sha256 } from '../../kernel/hash.ts';
import type { ActorId, RunId } from '../../kernel/ids.ts';
import type { SealedEnvelope, ViolationMessage } from '../topics.ts';

interface MessageGuardParts {
  readonly authority: Pick<AuthorityVerifier, 'hasSealed'>;
  readonly seal: MessageSeal;
  readonly quarantine: Pick<Quarantine, 'find' | 'isEmpty'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  report(violation: ViolationMessage): void;
}

interface Chartered {
  readonly definitions: ReadonlySet<string>;
  readonly documents: string;
  /** The text that was last found among them. */
  lastText: string | null;
}

export class MessageGuard {
  readonly #parts: MessageGuardParts;
  readonly #charters = new Map<RunId, Chartered>();
  readonly #detector = new AnomalyDetector();
  /** Refused here, and not yet known to be in quarantine (M4). */
  readonly #cut = new Set<string>();

  constructor(parts: MessageGuardParts) {
    this.#parts = parts;
  }

  /** Takes a charter, if the authority sealed it. */
  charter(run: RunId, charter: Charter): void {
    if (!charterHolds(this.#parts.authority, run, charter)) return;
    const { definitions, documents } = charter;
    this.#charters.set(run, { definitions: new Set(definitions), documents, lastText: null });
  }

  forgetRun(run: RunId): void {
    this.#charters.delete(run);
    for (const name of this.#cut) if (name.startsWith(`${run} `)) this.#cut.delete(name);
  }

  /** The quarantine has changed; it alone decides of those that it knows. */
  settled(run: string, actor: string): void {
    this.#cut.delete(`${run} ${actor}`);
    this.#detector.forget(`${run} ${actor}`);
  }

  /** The envelope under the seal, or null (M1). */
  open({ envelope, seal }: SealedEnvelope): Envelope | null {
    if (this.#parts.seal.holds(envelope, seal)) return envelope;
    this.#refuse(envelope.run, envelope.to, {
      code: 'MESSAGE_REFUSED',
      message: `A message for ${envelope.to} does not have the seal of its sender.`,
    });
    return null;
  }

  /** Whether an actor may take it in (M2, M3). Outcomes are checked by their keys. */
  admits(envelope: Envelope): boolean {
    const { run, to, from, event } = envelope;
    if (from === '@actuator') return true;
    const problem = this.#problemOf(envelope);
    if (problem === null) return true;
    this.#refuse(run, to, problem);
    if (event.type !== 'start' && from !== '@runtime') this.#refuse(run, from, problem);
    return false;
  }

  /** Whether the actor waits: for its charter, or in quarantine. */
  isHeld(run: RunId, actor: ActorId): boolean {
    if (!this.#charters.has(run)) return true; // (M3)
    if (this.#cut.size > 0 && this.#cut.has(`${run} ${actor}`)) return true; // (M4)
    const { quarantine } = this.#parts;
    return !quarantine.isEmpty && quarantine.find(run, actor) !== undefined;
  }

  #problemOf({ run, from, to, event }: Envelope): ErrorMessage | null {
    if (!mayTell({ from, to, event })) {
      const message = `${from} may not tell ${to} ${event.type}.`;
      return { code: 'MESSAGE_REFUSED', message };
    }
    if (from === '@runtime') return null;
    const atMs = this.#parts.clock.monotonicMs();
    return this.#detector.observe(`${run} ${from}`, 'message', atMs);
  }

  /** Whether a step may take in what the event brings (M3); the charter is here. */
  chartered({ run, to, event }: Envelope): boolean {
    if (event.type !== 'start' && event.type !== 'amend') return true;
    const charter = this.#charters.get(run);
    if (charter === undefined) return false;
    const isRoot = event.type === 'start' && event.machine === 'pipeline' && event.scope === 'run';
    const isSealed =
      (charter.lastText === event.definition ||
        charter.definitions.has(sha256(event.definition))) &&
      (!isRoot || charter.documents === hashJson(event.documents));
    if (isSealed) {
      charter.lastText = event.definition;
      return true;
    }
    this.#refuse(run, to, {
      code: 'CHARTER_INVALID',
      message: `What ${to} was told is not what was sealed when the run began.`,
    });
    return false;
  }

  #refuse(run: RunId, actor: ActorId, error: ErrorMessage): void {
    const name = `${run} ${actor}`;
    if (this.#cut.has(name)) return;
    this.#cut.add(name); // (M4)
    this.#parts.report({ run, actor, error });
  }
}
