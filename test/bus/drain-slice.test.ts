import { describe, expect, it } from 'vitest';
import { DrainSlice } from '../../src/bus/drain-slice.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { limits } from '../../src/kernel/limits.ts';

/** An inbox of `frames`, each of which costs the handler `frameMs`. */
function inbox(frames: number, frameMs: () => number) {
  const clock = new ManualClock(1_000);
  const batches: number[] = [];
  let left = frames;
  const drain = (limit: number): number => {
    const taken = Math.min(limit, left);
    left -= taken;
    for (let frame = 0; frame < taken; frame += 1) clock.advance(frameMs());
    batches.push(taken);
    return taken;
  };
  return { slice: new DrainSlice(clock), drain, batches, clock };
}

describe('a slice of an inbox', () => {
  it('takes what is there, once', () => {
    const { slice, drain, batches } = inbox(1, () => 0);
    expect(slice.run(100, drain)).toBe(1);
    expect(batches).toEqual([1]);
    expect(slice.run(100, drain)).toBe(0);
  });

  it('takes no more frames than the limit', () => {
    const { slice, drain } = inbox(1_000, () => 0);
    expect(slice.run(300, drain)).toBe(300);
    expect(slice.run(1, drain)).toBe(1);
    expect(slice.run(0, drain)).toBe(0);
  });

  it('ends when its time is over, if handlers take some', () => {
    const { slice, drain, clock } = inbox(100_000, () => 0.1);
    const startMs = clock.monotonicMs();
    const taken = slice.run(100_000, drain);
    expect(taken).toBeGreaterThan(limits.drainSliceMsMax / 0.1 / 2);
    // At most one batch beyond the slice, and the frames before the first look.
    expect(clock.monotonicMs() - startMs).toBeLessThanOrEqual(limits.drainSliceMsMax + 1.8);
  });

  it('looks after every frame once handlers have proved slow', () => {
    const { slice, drain, batches } = inbox(10_000, () => 3);
    slice.run(256, drain);
    batches.length = 0;
    slice.run(256, drain);
    // Two before the first look, then one frame a look.
    expect(batches).toEqual([2, 1, 1]);
  });

  it('looks less often again once they are fast', () => {
    let frameMs = 3;
    const { slice, drain, batches } = inbox(10_000, () => frameMs);
    slice.run(256, drain);
    frameMs = 0;
    slice.run(64, drain);
    batches.length = 0;
    slice.run(64, drain);
    expect(batches).toEqual([2, 16, 16, 16, 14]);
  });
});
