/**
 * A place in the outbox, kept for an outcome that must be sendable later. It
 * exists so that work is begun only when its outcome cannot be refused. It is
 * used for one frame, or given back.
 */
import { assert } from '../kernel/assert.ts';
import { toErrorMessage } from '../kernel/errors.ts';
import type { FrameHeader } from './frame.ts';
import type { Sender } from './sender.ts';
import type { ThreadId } from './thread-id.ts';
import type { Topic } from './topic.ts';

export class Reservation {
  #sender: Sender | null;

  /** The sender has reserved the place already. */
  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /**
   * Sends a message on a topic that may wait; never refused.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE; then the
   *   place is still reserved.
   */
  send<Body>(to: ThreadId, topic: Topic<Body, unknown>, body: NoInfer<Body>): void {
    assert(topic.policy === 'wait', `a message of ${topic.name} needs no reserved place`);
    this.#use().send(to, topic, body, undefined, 'reserved');
    this.#sender = null;
  }

  /** Replies to a request; never refused. Throws as `send`. */
  reply(request: FrameHeader, body: unknown): void {
    this.#use().reply(request, body, 'reply', 'reserved');
    this.#sender = null;
  }

  /** Replies to a request with an error, which is rebuilt by its code; never refused. */
  replyError(request: FrameHeader, error: unknown): void {
    this.#use().reply(request, toErrorMessage(error), 'error-reply', 'reserved');
    this.#sender = null;
  }

  /** Gives the place back; nothing happens when it was used or given back before. */
  release(): void {
    this.#sender?.outgoing.release(1);
    this.#sender = null;
  }

  #use(): Sender {
    assert(this.#sender !== null, 'a reserved place is used once');
    return this.#sender;
  }
}
