/**
 * The contract of a ring buffer: bounded, claimed and then published, drained
 * in order by one consumer. A message is claimed, its payload written at the
 * returned index, and only `commit` makes it visible.
 */

/** What `tryClaim` answers when there is no room. */
export const refusedClaim = -1;

/**
 * Sees one message in place. The bytes belong to the ring and change after the
 * handler returns: copy what has to stay.
 */
export type MessageHandler = (
  type: number,
  bytes: Buffer,
  offset: number,
  lengthBytes: number,
) => void;

export interface RingBuffer {
  readonly capacityBytes: number;
  /** Largest message: the capacity divided by `limits.ringMessageFraction`. */
  readonly messageBytesMax: number;
  /** The data area. The payload of a claim starts at the index that `tryClaim` returned. */
  readonly bytes: Buffer;

  /**
   * Reserves room for a message of `lengthBytes` (0 to `messageBytesMax`) and a
   * `type` of 32 bits. Returns the index of its payload, or `refusedClaim` when
   * there is no room. Every claim must be followed by `commit` or `abort` at
   * once: the messages behind it wait.
   * @throws RuntimeError BUS_MESSAGE_TOO_LARGE
   */
  tryClaim(type: number, lengthBytes: number): number;
  /** Publishes the claim at `index`. */
  commit(index: number): void;
  /** Gives the claim at `index` up; its room becomes padding. */
  abort(index: number): void;

  /**
   * Hands up to `limit` published messages to the handler, in the order of
   * their claims, and returns how many. A handler that throws ends the batch;
   * its message counts as consumed and the next call goes on behind it.
   */
  drain(handler: MessageHandler, limit: number): number;

  /** Bytes claimed since the ring was made, padding included; never wraps. */
  producerPosition(): number;
  /** Bytes consumed since the ring was made; never wraps. */
  consumerPosition(): number;
  /** Bytes claimed and not yet consumed, 0 to `capacityBytes`. */
  depthBytes(): number;
}
