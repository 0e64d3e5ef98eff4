import { describe, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { Admission, type RunSize } from '../../src/runtime/admission.ts';
import { RunIndex } from '../../src/runtime/run-index.ts';

function sized(steps: number): RunSize {
  return { documents: [], stepsTotal: steps };
}

function held(admission: Admission, size?: RunSize) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const running = admission.hold(async (admit) => {
    if (size !== undefined) admit(size);
    await promise;
  });
  return { running, release: resolve };
}

describe('admission', () => {
  test('counts a run from the moment it is asked for (A1)', async () => {
    const admission = new Admission(new RunIndex(() => () => null));
    const holds = Array.from({ length: limits.openRunsMax }, () => held(admission));
    await expect(held(admission).running).rejects.toMatchObject({
      code: 'TOO_MANY_RUNS',
      retryable: true,
    });
    holds[0]?.release();
    await holds[0]?.running;
    const again = held(admission);
    for (const { release } of [...holds, again]) release();
    await Promise.all([...holds, again].map(({ running }) => running));
  });

  test('reserves the actors of runs that are being prepared, and gives them back (A2)', async () => {
    const admission = new Admission(new RunIndex(() => () => null));
    const most = limits.directorySlots / 2 - 2;
    const large = held(admission, sized(most));
    await expect(held(admission, sized(1)).running).rejects.toMatchObject({
      code: 'TOO_MANY_RUNS',
    });
    large.release();
    await large.running;
    const next = held(admission, sized(1));
    next.release();
    await next.running;
  });
});
