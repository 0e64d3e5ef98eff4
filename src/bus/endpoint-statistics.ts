/** What an endpoint did since the bus was made, and what waits now, over all topics. */
import type { ThreadCountersView, TopicCounts } from './bus-counters.ts';

/** What waits now. */
interface Waiting {
  /** Bytes in this thread's inbox. */
  readonly depthBytes: number;
  /** Frames in this thread's outbox. */
  readonly outboxFrames: number;
  /** Places of the outbox that are kept for outcomes. */
  readonly reserved: number;
  /** Requests that have no reply yet. */
  readonly requests: number;
}

export interface EndpointStatistics extends Waiting {
  /** Frames that went into an inbox. */
  readonly published: number;
  /** Frames that had to wait in the outbox. */
  readonly deferred: number;
  /** Sends that were refused because the outbox was full. */
  readonly refused: number;
  /** Frames given up because an inbox was full. */
  readonly shed: number;
  /** Messages handed to a handler. */
  readonly received: number;
  /** Frames that the permission table refused, here as sender or receiver. */
  readonly denied: number;
  readonly deadLettered: number;
  /** Damaged frames skipped. */
  readonly corrupt: number;
  /** Frames missing in the sequences of the senders. */
  readonly missing: number;
}

export function statisticsOf(view: ThreadCountersView, waiting: Waiting): EndpointStatistics {
  const sum = (count: (topic: TopicCounts) => number): number =>
    view.topics.reduce((total, topic) => total + count(topic), count(view.noTopic));
  return {
    ...waiting,
    published: sum(({ published }) => published),
    deferred: sum(({ deferred }) => deferred),
    refused: sum(({ refused }) => refused),
    shed: sum(({ shed }) => shed),
    received: sum(({ received }) => received),
    denied: sum(({ denied }) => denied),
    deadLettered: sum(({ deadLettered }) => deadLettered),
    corrupt: view.corrupt,
    missing: view.missing,
  };
}
