/**
 * The messages of producers that are killed. A life is the time of one thread
 * in a producer slot; its messages carry its number and count from 1.
 *
 *   byte 0          4              8              12
 *   ┌──────────────┬──────────────┬──────────────┬──────────────┐
 *   │ life  uint32 │ sequence     │ checksum     │ body         │
 *   └──────────────┴──────────────┴──────────────┴──────────────┘
 *
 * The body differs from message to message at every byte, so that a message
 * made of parts of two fails its checksum.
 */
export interface KilledProducerTask {
  readonly memory: SharedArrayBuffer;
  /** For each life the sequence of its last committed message, int32. */
  readonly committed: SharedArrayBuffer;
  readonly producer: number;
  readonly life: number;
  readonly seed: number;
  readonly lengthMax: number;
}

const lifeOffset = 0;
const sequenceOffset = 4;
const checksumOffset = 8;
const bodyOffset = 12;
/** Most messages of a batch. */
export const batchMessagesMax = 12;

export const messageBytesMin = bodyOffset;

interface StampedMessage {
  readonly index: number;
  readonly lengthBytes: number;
  readonly life: number;
  readonly sequence: number;
}

export function stampMessage(bytes: Buffer, message: StampedMessage): void {
  const { index, lengthBytes, life, sequence } = message;
  bytes.writeUInt32LE(life, index + lifeOffset);
  bytes.writeUInt32LE(sequence, index + sequenceOffset);
  let byte = life * 31 + sequence;
  for (let at = index + bodyOffset; at < index + lengthBytes; at += 1) {
    byte = (Math.imul(byte, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = byte >>> 16;
  }
  bytes.writeInt32LE(checksumOf(bytes, index, lengthBytes), index + checksumOffset);
}

/** Life and sequence of a whole message, null for a torn one. */
export function readMessage(
  bytes: Buffer,
  index: number,
  lengthBytes: number,
): { readonly life: number; readonly sequence: number } | null {
  if (bytes.readInt32LE(index + checksumOffset) !== checksumOf(bytes, index, lengthBytes)) {
    return null;
  }
  return {
    life: bytes.readUInt32LE(index + lifeOffset),
    sequence: bytes.readUInt32LE(index + sequenceOffset),
  };
}

function checksumOf(bytes: Buffer, index: number, lengthBytes: number): number {
  let sum = lengthBytes;
  for (let at = index; at < index + lengthBytes; at += 1) {
    const isChecksum = at >= index + checksumOffset && at < index + bodyOffset;
    if (!isChecksum) sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0;
  }
  return sum;
}
