/**
 * Wakes a thread that waits in its event loop, where `Atomics.wait` is not
 * allowed. A ring says when a bell is due (see `SleepFlag`): the ports carry
 * nothing but the wake-up itself.
 *
 * Each pair of threads has a channel of its own, because one end of a channel
 * lives in exactly one thread.
 */

import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';

/** The two ends of a bell: one rings, the other hears. */
interface DoorbellChannel {
  readonly ringer: MessagePort;
  readonly listener: MessagePort;
}

export function createDoorbell(): DoorbellChannel {
  const { port1, port2 } = new MessageChannel();
  return { ringer: port1, listener: port2 };
}

/** A number is cloned without an allocation on the other side. */
const ding = 1;

export function ring(ringer: MessagePort): void {
  ringer.postMessage(ding);
}

/** Calls `onRing` whenever one of the listeners hears its bell. Open listeners keep the process alive. */
export function hear(listeners: readonly MessagePort[], onRing: () => void): void {
  for (const listener of listeners) listener.on('message', onRing);
}
