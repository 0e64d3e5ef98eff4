import { RuntimeError } from '../kernel/errors.ts';

/** The error of a frame that has `what` it may not have; whoever reads it skips the frame. */
export function corruptFrame(
  what: string,
  options: { readonly cause?: unknown } = {},
): RuntimeError {
  return new RuntimeError('BUS_FRAME_CORRUPT', `A frame has ${what}; it was skipped.`, options);
}
