import { expect, test } from 'vitest';
import { nodeFilePort } from '../../src/journal/file-port.ts';
import { NextSegment } from '../../src/journal/next-segment.ts';
import { temporaryFolder } from './journal-fixture.ts';

/** What follows a segment with groups of so many bytes. */
function after(next: NextSegment, groups: readonly number[]) {
  for (const bytes of groups) next.groupWritten(bytes, false);
  return next.take();
}

test('a segment of large groups is followed by a hole, and that is decided anew each time', () => {
  const options = { bytes: 16_384, burstGroupBytes: 1_000 };
  const next = new NextSegment(nodeFilePort, temporaryFolder(), options);
  expect(after(next, [])).toBe('zeros');
  expect(after(next, [100, 1_900])).toBe('hole');
  expect(after(next, [999])).toBe('zeros');
  expect(after(next, [100, 1_899])).toBe('zeros');
  expect(after(next, [9_000])).toBe('hole');
  expect(after(next, [])).toBe('zeros');
});
