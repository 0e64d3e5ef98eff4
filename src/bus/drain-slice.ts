/**
 * How much of an inbox a thread takes at once: bounded by frames and by time,
 * so that it looks at its timers and its other work however much mail there
 * is, and however slow its handlers are.
 *
 * The clock costs as much as a frame. So the first few frames are not timed,
 * for most slices end with them, and the distance between two looks follows
 * what the frames before have cost.
 */
import type { Clock } from '../kernel/clock.ts';
import { limits } from '../kernel/limits.ts';

/** Frames that a slice begins with before it looks at the clock. */
const untimedFrames = 2;
/** Most frames, and about the time, between two looks. */
const framesPerLookMax = 16;
const lookMs = limits.drainSliceMsMax / 4;

export class DrainSlice {
  readonly #clock: Clock;
  #framesPerLook = framesPerLookMax;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `drain` for up to `limit` frames in all, until it takes fewer than it
   * may or `limits.drainSliceMsMax` have passed. Returns the frames taken.
   */
  run(limit: number, drain: (frames: number) => number): number {
    const first = Math.min(untimedFrames, limit);
    let taken = drain(first);
    if (taken < first) return taken;
    const startMs = this.#clock.monotonicMs();
    let lookedMs = startMs;
    while (taken < limit && lookedMs - startMs < limits.drainSliceMsMax) {
      const batch = Math.min(this.#framesPerLook, limit - taken);
      const got = drain(batch);
      taken += got;
      if (got < batch) break;
      const nowMs = this.#clock.monotonicMs();
      this.#learn((nowMs - lookedMs) / batch);
      lookedMs = nowMs;
    }
    return taken;
  }

  #learn(perFrameMs: number): void {
    const frames = perFrameMs > 0 ? Math.floor(lookMs / perFrameMs) : framesPerLookMax;
    this.#framesPerLook = Math.max(1, Math.min(framesPerLookMax, frames));
  }
}
