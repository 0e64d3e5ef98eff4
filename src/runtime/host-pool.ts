/**
 * The host workers. They start together; when one of them has died, the others
 * are ended too and all start again in the same seats: what was sent to them
 * meanwhile waits in their inboxes.
 *
 * Invariants
 *   P1. Whoever answers a host knows of it before anything of it comes.
 *   P2. A thread that this pool ends itself is no death.
 *   P3. No host starts before every earlier one has ended.
 */
import type { MessagePort } from 'node:worker_threads';
import { type Bus, type Endpoint, newSeatOf, seatOf, type ThreadId } from '../bus/endpoint.ts';
import type { PublicKey } from '../identity/signing-key.ts';
import type { JournalMemory } from '../journal/journal-producer.ts';
import { type HostWorker, startHostWorker } from './host-worker/client.ts';
import { SteppedEvent } from './stepped-event.ts';
import { actuatorThread, hostThread, identityThread, mainThread, topics } from './topics.ts';

export interface HostDeath {
  readonly host: number;
  /** Null when the thread gave no reason. */
  readonly error: Error | null;
  /** The event that it was at, or null. */
  readonly stepped: string | null;
}

export interface HostPoolParts {
  readonly bus: Bus;
  readonly endpoint: Endpoint;
  readonly count: number;
  readonly dataDirectory: string;
  readonly journal: JournalMemory;
  readonly directory: SharedArrayBuffer;
  readonly messageKey: Uint8Array;
  /** Of the runtime's authority. */
  readonly authority: PublicKey;
  /** A thread has ended, whoever ended it: nobody may wait for it any more. */
  readonly onEnded: (id: ThreadId) => void;
  /** A thread has ended that nobody ended (P2). */
  readonly onDeath: (death: HostDeath) => void;
  /** Gives the authority a bell to hear. */
  readonly hear: (bell: MessagePort) => void;
}

export class HostPool {
  readonly count: number;
  readonly #parts: HostPoolParts;
  readonly #stepped: readonly SteppedEvent[];
  /** Threads that have not ended. */
  readonly #living = new Set<HostWorker>();
  readonly #starting = new Set<Promise<unknown>>();
  #ending = false;
  #closed = false;
  #isFirst = true;

  constructor(parts: HostPoolParts) {
    this.#parts = parts;
    this.count = parts.count;
    this.#stepped = Array.from({ length: parts.count }, () => new SteppedEvent());
  }

  /**
   * Starts all hosts; resolves when each is ready.
   * @throws RuntimeError INTERNAL when one of them ends first.
   */
  async start(): Promise<void> {
    if (this.#closed) return;
    this.#ending = false;
    const starts = this.#stepped.map((_, index) => this.#startOne(index));
    for (const start of starts) {
      const settled = start.catch(() => undefined).finally(() => this.#starting.delete(settled));
      this.#starting.add(settled);
    }
    await Promise.allSettled(starts); // (P3)
    const hosts = await Promise.all(starts);
    this.#isFirst = false;
    for (const { index } of hosts) {
      this.#parts.endpoint.threadReplaced(hostThread(index));
      this.#parts.endpoint.send(identityThread, topics.hostStarted, { host: index }); // (P1)
      this.#parts.endpoint.send(actuatorThread, topics.hostStarted, { host: index });
    }
  }

  /** Ends every thread, whatever it is doing. */
  async end(): Promise<void> {
    this.#ending = true; // (P2)
    await Promise.all(this.#starting);
    await Promise.all([...this.#living].map((host) => host.terminate()));
  }

  /** Asks every thread to end when it has done what it is at; resolves when all have ended. */
  async close(): Promise<void> {
    this.#ending = true;
    this.#closed = true;
    for (let index = 0; index < this.count; index += 1) {
      this.#parts.endpoint.send(hostThread(index), topics.close, null);
    }
    await Promise.all(this.#starting);
    await Promise.all([...this.#living].map(({ exited }) => exited));
  }

  async #startOne(index: number): Promise<HostWorker> {
    const { dataDirectory, journal, directory, count, messageKey, authority } = this.#parts;
    const seat = this.#seat(index);
    const stepped = this.#stepped[index]?.memory as SharedArrayBuffer;
    const host = await startHostWorker(
      {
        index,
        count,
        dataDirectory,
        journal,
        directory,
        stepped,
        messageKey,
        authority,
        endpoint: seat.spec,
      },
      seat.transferList,
      (error) => this.#ended(index, error),
    );
    this.#living.add(host);
    void host.exited.then(() => this.#living.delete(host));
    return host;
  }

  #seat(index: number) {
    const { bus, endpoint, hear } = this.#parts;
    if (this.#isFirst) return seatOf(bus, hostThread(index));
    const { seat, bells } = newSeatOf(bus, hostThread(index), [mainThread, identityThread]);
    for (const [rung, bell] of bells) {
      if (rung === mainThread) endpoint.addListener(bell);
      else hear(bell);
    }
    return seat;
  }

  #ended(index: number, error: Error | null): void {
    const stepped = this.#stepped[index]?.take() ?? null;
    this.#parts.onEnded(hostThread(index));
    if (!this.#ending) this.#parts.onDeath({ host: index, error, stepped });
  }
}
