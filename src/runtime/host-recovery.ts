/**
 * A host worker has died and the process lives: the hosts start again and the
 * open runs go on from the journal, as they would after a restart of it all.
 * Actuators, model and clients notice nothing but the pause.
 *
 * Invariants
 *   V1. Nothing is rebuilt before the journal is durable up to everything that
 *       any dead host had appended.
 *   V2. Of two recoveries one is under way; a death in the midst of it begins it anew.
 *   V3. What is fatal again and again ends: an event that `limits.deathsPerEventMax`
 *       hosts died at suspends its run, and more than `limits.hostRestartsMax`
 *       restarts in `limits.hostRestartWindowMs` stop the runtime.
 */
import { type Clock, systemClock } from '../kernel/clock.ts';
import { fromErrorMessage, RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { HostDeath } from './host-pool.ts';

export interface HostRecoveryParts {
  /** Ends all hosts, whatever they are doing. */
  endHosts(): Promise<void>;
  /** @throws RuntimeError when one of them ends first */
  startHosts(): Promise<void>;
  /** Resolves once everything appended by now is durable and shown (V1). */
  whenJournaled(): Promise<void>;
  /** No run begins until `resumeAll` is done, and one that is under way stops. */
  pause(): void;
  /** No actor lives on any host any more; all hosts have ended. */
  forgetActors(): void;
  /** Continues every open run; answers how many go on. */
  resumeAll(): Promise<number>;
  suspend(run: RunId, error: RuntimeError): void;
  onNotice(text: string): void;
  /** The runtime has to stop. */
  onFailure(error: RuntimeError): void;
  readonly clock?: Clock;
}

function reasonOf({ error }: HostDeath): string {
  return error === null ? 'no reason given' : error.message;
}

export class HostRecovery {
  readonly #parts: HostRecoveryParts;
  readonly #clock: Clock;
  #deaths = 0;
  #restarts = 0;
  #recentMs: number[] = [];
  /** The event that the last host died at, and how many died there in a row. */
  #fatal: { readonly event: string; count: number } | null = null;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: HostRecoveryParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  /** Deaths so far. */
  get deaths(): number {
    return this.#deaths;
  }

  /** How often the hosts have started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves when no recovery is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Hosts that die from now on stay dead. */
  stop(): void {
    this.#stopped = true;
  }

  /** A host has died. */
  died(death: HostDeath): void {
    if (this.#stopped) return;
    this.#deaths += 1;
    this.#parts.pause();
    this.#count(death);
    const nowMs = this.#clock.monotonicMs();
    this.#recentMs = this.#recentMs.filter((at) => nowMs - at < limits.hostRestartWindowMs);
    this.#recentMs.push(nowMs);
    if (this.#recentMs.length > limits.hostRestartsMax) {
      this.#fail(death); // (V3)
      return;
    }
    this.#parts.onNotice(
      `The thread host-${death.host} has died (${reasonOf(death)}); the hosts start again.`,
    );
    this.#running ??= Promise.resolve()
      .then(() => this.#recover())
      .finally(() => {
        this.#running = null;
      });
  }

  async #recover(): Promise<void> {
    for (let death = -1; death !== this.#deaths && !this.#stopped; ) {
      death = this.#deaths; // (V2)
      try {
        await this.#recoverOnce(death);
      } catch (error) {
        if (death !== this.#deaths) continue;
        this.#stopped = true;
        this.#parts.onFailure(fromErrorMessage(toErrorMessage(error)));
      }
    }
  }

  async #recoverOnce(death: number): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    await this.#parts.endHosts();
    await this.#parts.whenJournaled(); // (V1)
    if (this.#stopped) return;
    this.#parts.forgetActors();
    this.#suspendFatal();
    await this.#parts.startHosts();
    if (death !== this.#deaths || this.#stopped) return;
    const runs = await this.#parts.resumeAll();
    if (death !== this.#deaths) return;
    this.#restarts += 1;
    const tookMs = Math.round(this.#clock.monotonicMs() - startedMs);
    this.#parts.onNotice(`The hosts have started again; ${runs} runs go on after ${tookMs} ms.`);
  }

  #count({ stepped }: HostDeath): void {
    if (stepped === null) return;
    if (this.#fatal?.event === stepped) this.#fatal.count += 1;
    else this.#fatal = { event: stepped, count: 1 };
  }

  /** (V3) */
  #suspendFatal(): void {
    if (this.#fatal === null || this.#fatal.count < limits.deathsPerEventMax) return;
    const { event, count } = this.#fatal;
    this.#fatal = null;
    const [run, sequence, ...actor] = event.split(':');
    const message = `${count} hosts have died at the event ${Number(sequence) + 1} of ${actor.join(':')}; the run does not go on by itself.`;
    this.#parts.suspend(run as RunId, new RuntimeError('EVENT_FATAL', message));
  }

  #fail(death: HostDeath): void {
    this.#stopped = true;
    const message = `Hosts have died ${this.#recentMs.length} times within ${limits.hostRestartWindowMs / 1000} s, the last of ${reasonOf(death)}; start the runtime again.`;
    this.#parts.onFailure(new RuntimeError('INTERNAL', message, { cause: death.error }));
  }
}
