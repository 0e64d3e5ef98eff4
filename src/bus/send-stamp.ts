/**
 * The moment of a send, as frames carry it: microseconds of the operating
 * system's monotonic clock, which all threads of a process share, modulo 2^32.
 * One in some frames is stamped, because a clock costs as much as a send.
 */

const wrap = 2 ** 32;

/** Every so many frames of a topic, beginning with the first, one is stamped. A power of two. */
export const framesPerStamp = 16;

export function nowStampUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1_000_000 + Math.floor(nanoseconds / 1_000)) % wrap;
}

/** Microseconds from a stamp to a later one, right up to 71 minutes. */
export function elapsedUs(fromUs: number, toUs: number): number {
  return (toUs - fromUs) >>> 0;
}
