import { limits } from '../../src/kernel/limits.ts';

/** The traffic of one sample: the same for every contender that is compared. */
export interface Load {
  /** Messages of each producer. */
  readonly messages: number;
  /** Payload of each message; headers come on top. */
  readonly lengthBytes: number;
  readonly producers: number;
}

/**
 * Bytes in flight from one producer at most: what the inbox ring holds. The
 * peers that would queue without bound are held to it as well; they lose
 * nothing by it, and their queues stay out of the page faults of new memory.
 */
export const inFlightBytesMax = limits.inboxRingBytes;

/** Messages a second, all producers together. */
export function rateOf(load: Load, startedMs: number): number {
  return (load.messages * load.producers) / ((performance.now() - startedMs) / 1_000);
}
