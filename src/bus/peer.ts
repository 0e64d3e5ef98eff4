/** A destination as one thread sees it: where its mail goes and how it is woken. */
import type { MessagePort } from 'node:worker_threads';
import { ManyToOneRingBuffer } from './many-to-one-ring-buffer.ts';
import { OutboxQueue } from './outbox.ts';
import type { ThreadId } from './thread-id.ts';
import type { PeerSpec } from './topology.ts';

export class Peer {
  readonly id: ThreadId;
  /** Its place in the list of threads. */
  readonly index: number;
  readonly inbox: ManyToOneRingBuffer;
  /** Rings its doorbell; null where it needs none. */
  readonly ringer: MessagePort | null;
  readonly queue = new OutboxQueue();
  /** Sequence of the last frame from here to there. */
  sequence = 0;
  /** Its thread is gone; nothing is sent to it any more. */
  ended = false;

  /** @param place.producer Index of the thread that opens it, where that thread sends. */
  constructor(spec: PeerSpec, place: { readonly index: number; readonly producer?: number }) {
    const { index, producer } = place;
    this.id = spec.id;
    this.index = index;
    this.inbox = new ManyToOneRingBuffer(spec.inbox, producer === undefined ? {} : { producer });
    this.ringer = spec.ringer;
  }
}
