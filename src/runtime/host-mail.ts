/** What the main thread sends to the others for runs, within the room of its outbox. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope } from '../actors/actor.ts';
import type { ThreadId, Topic } from '../bus/endpoint.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { RuntimeThreads } from './runtime-threads.ts';
import { hostThread, topics } from './topics.ts';

export class HostMail {
  readonly #threads: Pick<RuntimeThreads, 'endpoint' | 'directory' | 'sealed'>;
  #closed = false;

  constructor(threads: Pick<RuntimeThreads, 'endpoint' | 'directory' | 'sealed'>) {
    this.#threads = threads;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Nothing is waited for or sent soon any more. */
  close(): void {
    this.#closed = true;
  }

  /** Waits until the outbox takes what one actor brings along, or nothing is sent any more. */
  async room(): Promise<void> {
    while (!this.#closed && this.#threads.endpoint.outboxRoom() < limits.drainFramesMax) {
      await sleep(limits.outboxRetryMs);
    }
  }

  /** To the host that owns the actor, or to any one if it sleeps: that host will wake it. @throws RuntimeError OUTBOX_FULL */
  toOwner(envelope: Envelope): void {
    const owner = this.#threads.directory.lookup(envelope.run, envelope.to);
    this.toHost(owner.state === 'owned' ? owner.host : 0, envelope);
  }

  /** @throws RuntimeError OUTBOX_FULL */
  toHost(host: number, envelope: Envelope): void {
    this.send(hostThread(host), topics.envelope, this.#threads.sealed(envelope));
  }

  /** @throws RuntimeError OUTBOX_FULL */
  send<Body>(to: ThreadId, topic: Topic<Body>, body: NoInfer<Body>): void {
    if (this.#threads.endpoint.send(to, topic, body)) return;
    const message = 'The runtime has no room for another message; try again later.';
    throw new RuntimeError('OUTBOX_FULL', message, { retryable: true });
  }

  /** For what must arrive whenever there is room; nobody waits for it. */
  sendSoon<Body>(to: ThreadId, topic: Topic<Body>, body: NoInfer<Body>): void {
    if (this.#closed || this.#threads.endpoint.send(to, topic, body)) return;
    setTimeout(() => this.sendSoon(to, topic, body), limits.outboxRetryMs);
  }
}
