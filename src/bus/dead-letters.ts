/**
 * What becomes of a message that nobody will handle: a description of it, for
 * whoever listens to the dead-letter topic. It says why and shows the first
 * bytes, never the whole.
 */
import { limits } from '../kernel/limits.ts';
import type { FrameBody, FrameHeader } from './frame.ts';
import type { ThreadId } from './thread-id.ts';

/** A bus publishes its dead letters on the topic with this id, where it has one. */
export const deadLetterTopicId = 0;

/** Why a message was not handled. Reported by its receiver, the last two by its sender. */
export type DeadLetterReason =
  | 'corrupt'
  | 'unknown-topic'
  | 'unknown-sender'
  | 'not-permitted'
  | 'no-handler'
  | 'late-reply'
  | 'stale-payload'
  | 'thread-ended'
  | 'shed';

export interface DeadLetter {
  readonly reason: DeadLetterReason;
  /** For people; empty where the reason says all. */
  readonly detail: string;
  /** The thread that reports it. */
  readonly reporter: ThreadId;
  /** The thread that it was meant for. */
  readonly to: ThreadId;
  /** What the frame said of itself; null when that could not be read. */
  readonly header: FrameHeader | null;
  readonly lengthBytes: number;
  /** Of the body, or of the frame where its header could not be read. */
  readonly firstBytes: Uint8Array;
}

/** A copy of the beginning of a body that has not been sent. */
export function firstBytesOf(body: FrameBody): Uint8Array {
  const isBytes = body.kind === 'value' || body.kind === 'bytes';
  return isBytes ? copyOfFirst(body.bytes, 0, body.bytes.length) : new Uint8Array(0);
}

/** A copy of the first of the bytes from `start` to `end`. */
export function copyOfFirst(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const last = Math.min(Math.max(start, end), start + limits.deadLetterBytesMax);
  return Uint8Array.from(bytes.subarray(start, last));
}

/** The latest dead letters, at most `limits.deadLettersKeptMax`, oldest first. */
export class DeadLetterList {
  #letters: DeadLetter[] = [];
  #total = 0;

  add(letter: DeadLetter): void {
    this.#total += 1;
    this.#letters.push(letter);
    if (this.#letters.length > limits.deadLettersKeptMax) this.#letters.shift();
  }

  /** How many were added, kept or not. */
  get total(): number {
    return this.#total;
  }

  latest(): readonly DeadLetter[] {
    return [...this.#letters];
  }
}
