import type { FrameHeader, ThreadId } from '../../src/bus/endpoint.ts';

/** A header that is written again and again, as the bus itself does: only its sequence changes. */
export type ReusedHeader = Omit<FrameHeader, 'sequence'> & { sequence: number };

const topic = 1;

export function reusedHeader(from: ThreadId): ReusedHeader {
  return { type: 'message', topic, from, correlation: 0, sequence: 0, cause: null, sentAtUs: null };
}

/** The only type of record in the rings of the benchmark. */
export const frameRecord = 1;
