/**
 * The messages between the actors of a fold: what was received must be what its
 * sender sent. A message whose sender and receiver are both here is compared as
 * soon as it is received and then forgotten, so that memory holds those on their
 * way. Of all the others there are digests, to be compared between the folds.
 */
import type { Envelope } from '../actors/actor.ts';
import { type ActorEvent, isAnswer } from '../actors/event.ts';
import { hashJson, type Sha256 } from '../kernel/hash.ts';
import type { ActorId, IntentionKey } from '../kernel/ids.ts';
import { sameJson } from '../kernel/same-json.ts';
import type { EventBody } from './event-record.ts';

/** What stands for the key of an intention where the runtime itself has sent the message. */
export function outsideKey(actor: ActorId, number: number): IntentionKey {
  return `@runtime:${actor}:${number}` as IntentionKey;
}

/** A message that an actor received, by the key of the intention that sent it, or `outsideKey`. */
export interface ReceivedMessage {
  readonly key: IntentionKey;
  readonly digest: Sha256;
  readonly sequence: number;
  readonly actor: ActorId;
  readonly actorSequence: number;
  readonly type: string;
}

export class MessageExchange {
  /** Sent, and not yet received. */
  readonly #onTheWay = new Map<IntentionKey, ActorEvent>();
  /** Received, and not known here to be what was sent. */
  readonly received: ReceivedMessage[] = [];

  send(sends: readonly Pick<Envelope, 'cause' | 'event'>[]): void {
    for (const { cause, event } of sends) if (cause !== null) this.#onTheWay.set(cause, event);
  }

  /** What the runtime itself tells an actor. */
  sendFromOutside(to: ActorId, number: number, event: ActorEvent): void {
    this.#onTheWay.set(outsideKey(to, number), event);
  }

  receive(body: EventBody, place: Pick<ReceivedMessage, 'sequence' | 'actorSequence'>): void {
    const { actor, event, cause, number } = body;
    if (isAnswer(event)) return;
    const key = cause === null ? outsideKey(actor, number) : (cause as IntentionKey);
    const sent = this.#onTheWay.get(key);
    if (sent !== undefined && sameJson(sent, event)) {
      this.#onTheWay.delete(key);
      return;
    }
    const { sequence, actorSequence } = place;
    const digest = hashJson(event);
    this.received.push({ key, digest, sequence, actor, actorSequence, type: event.type });
  }

  /** Digest of every message that was sent here and is not known to have been received. */
  sent(): Map<IntentionKey, Sha256> {
    return new Map(Array.from(this.#onTheWay, ([key, event]) => [key, hashJson(event)] as const));
  }
}
