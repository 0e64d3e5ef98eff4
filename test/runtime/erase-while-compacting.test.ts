/**
 * Goal: a run that is erased while the journal is compacted is erased for good, and the
 * other runs are what they were, whichever of the two was asked for first.
 *
 * Method: the real runtime over a journal of small segments; the erasure begins
 * at each moment of a compaction that hears of its owner, and before it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type MockInstance, onTestFinished, test, vi } from 'vitest';
import { verifyJournal } from '../../src/journal/verification.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import type { ErasureReport } from '../../src/runtime/erase-run.ts';
import { Maintenance } from '../../src/runtime/maintenance.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { openRuntime } from './running.ts';
import { history } from './small-segments.ts';

/** What a compaction may say to whoever asked at the wrong moment. */
function expectDoneOrBusy(outcome: PromiseSettledResult<{ readonly done: boolean }>): void {
  if (outcome.status === 'fulfilled') return;
  expect(outcome.reason).toBeInstanceOf(RuntimeError);
  expect(outcome.reason).toMatchObject({ code: 'DATA_DIRECTORY_BUSY', retryable: true });
}

/** Begins the erasure when the compaction comes to its `call`th call of this method, and waits for it or not. */
function eraseAt(
  method: 'inUse' | 'forgetTexts' | 'dropped',
  call: number,
  erase: () => Promise<ErasureReport>,
): Promise<ErasureReport> {
  const erased = Promise.withResolvers<ErasureReport>();
  const real = Maintenance.prototype[method] as (...given: unknown[]) => unknown;
  let calls = 0;
  const spy = vi.spyOn(Maintenance.prototype, method) as unknown as MockInstance<typeof real>;
  onTestFinished(() => spy.mockRestore());
  spy.mockImplementation(function (this: Maintenance, ...given) {
    calls += 1;
    if (calls !== call) return real.apply(this, given);
    const erasing = erase();
    erased.resolve(erasing);
    if (method === 'inUse') return real.apply(this, given);
    return erasing.then(() => real.apply(this, given));
  });
  return erased.promise;
}

// Of the two runs that go each is looked at once for the plan and once before it is recorded.
test.for([
  ['is planned', 'inUse', 1],
  ['is proven', 'forgetTexts', 1],
  ['looks whether its runs are in use', 'inUse', 3],
  ['is recorded', 'dropped', 1],
  ['has not begun', null, 0],
] as const)(
  'an erasure that begins when a compaction %s',
  { timeout: 120_000 },
  async ([_, method, call]) => {
    const { data, first: run, second, third, limit } = history();
    const runtime = await openRuntime(data);
    const compact = () => runtime.compactJournal({ before: limit });
    const erase = () => runtime.erase(run);
    const erasing = method === null ? erase() : eraseAt(method, call, erase);
    const outcomes = await Promise.allSettled([compact(), erasing]);
    const [compaction, erasure] = outcomes;
    expect(erasure).toMatchObject({ status: 'fulfilled', value: { erased: [run] } });
    expectDoneOrBusy(compaction);
    const after = await runtime.compactJournal({ before: limit });
    expect(after.held).toEqual([]);
    const isErased = { status: 'erased', error: { code: 'RUN_ERASED' } };
    expect(runtime.run(run)).toMatchObject(isErased);
    expect(runtime.runs().filter(({ id }) => id === run)).toHaveLength(1);
    await runtime.stop();

    expect(existsSync(join(data, 'keys', run))).toBe(false);
    expect(verifyJournal(data)).toMatchObject({ ok: true, runsAffected: [] });
    const journal = openReadOnly(data);
    expect(journal.run(run)).toMatchObject(isErased);
    expect(journal.run(second)).toMatchObject({ status: 'succeeded', compacted: true });
    expect(await journal.replay(third)).toMatchObject({ equal: true });
    journal.close();
    const again = await openRuntime(data);
    expect(again.run(run)).toMatchObject(isErased);
    expect(again.run(second)).toMatchObject({ status: 'succeeded', compacted: true });
  },
);
