/**
 * Goal: every order in which two producers, a consumer and the end of a
 * producer's thread can interleave in a small ring, at each single access to
 * its memory, leads to a state where P1 to P3 of ring-interleavings.ts hold.
 *
 * Method: the explorer walks through all of them; what it leaves out are
 * schedules that meet a situation already met. The last tests put mistakes
 * into the ring, which the explorer has to find.
 *
 * BUS_INTERLEAVINGS=long adds scenarios that take some minutes.
 */
import { describe, expect, it } from 'vitest';
import { exploreRing, type Scenario } from './ring-interleavings.ts';
import type { Exploration } from './ring-interleavings-explorer.ts';
import { lateClear, lateIntent, tornClaim } from './ring-interleavings-faults.ts';
import { slotsTotal } from './ring-interleavings-programs.ts';
import { longScenarios, shortScenarios } from './ring-interleavings-scenarios.ts';

const isLong = process.env.BUS_INTERLEAVINGS === 'long';
const longMsMax = 600_000;
/** Fewer schedules than this would mean that a scenario does not interleave anything. */
const schedulesMin = 1e9;

function print(name: string, { situations, schedules, ends }: Exploration): void {
  process.stdout.write(
    `  ${name}: ${situations} situations, ${schedules.toExponential(1)} schedules, ${ends} ends\n`,
  );
}

describe('a ring, whatever the order of single steps', () => {
  const scenarios = isLong ? [...shortScenarios, ...longScenarios] : shortScenarios;
  it.each(scenarios)(
    'keeps its promises through $name',
    ({ name, ...scenario }) => {
      const exploration = exploreRing(scenario);
      print(name, exploration);
      expect(exploration.failure).toBeNull();
      expect(exploration.schedules).toBeGreaterThan(schedulesMin);
    },
    longMsMax,
  );
});

describe('the explorer', () => {
  const small = { slots: 1 };
  const two = [[small], [small]];
  const mistakes: readonly (Scenario & { readonly mistake: string; readonly message: RegExp })[] = [
    {
      mistake: 'an intent that is named after the claim',
      message: /^sent .*, received nothing$/,
      producers: two,
      consumer: { type: 'drain', times: 3 },
      faults: { words: lateIntent },
    },
    {
      mistake: 'records that are cleared after their slots are free',
      message: /^sent .*, received nothing$/,
      producers: two,
      tries: 2,
      filledSlots: slotsTotal,
      consumer: { type: 'drain', times: 2, limit: 3 },
      faults: { words: lateClear },
    },
    {
      mistake: 'a claim that is no single step',
      message: /received/,
      producers: two,
      consumer: { type: 'drain', times: 2 },
      faults: { words: tornClaim },
    },
    {
      mistake: 'a wake before the commit',
      message: /^the consumer sleeps before 0:0$/,
      producers: [[small]],
      consumer: { type: 'park' },
      faults: { wakeBeforeCommit: true },
    },
    {
      mistake: 'a payload that is written after the commit',
      message: /torn/,
      producers: [[{ slots: 2 }]],
      consumer: { type: 'drain', times: 1 },
      faults: { commitBeforePayload: true },
    },
    {
      mistake: 'a batch that ends without a wake',
      message: /^the consumer sleeps before/,
      producers: [[small], [small]],
      batched: true,
      wakes: 'last',
      consumer: { type: 'listen' },
      grain: 'coarse',
      faults: { batchWithoutWake: true },
    },
    {
      mistake: 'a death that nobody tells the ring',
      message: /bytes stay claimed$/,
      producers: two,
      deaths: 1,
      consumer: { type: 'drain', times: 2 },
      faults: { deathUntold: true },
    },
  ];

  it.each(mistakes)('finds $mistake', ({ mistake: _mistake, message, ...scenario }) => {
    const { failure } = exploreRing(scenario);
    expect(failure?.message).toMatch(message);
    expect(failure?.schedule.length).toBeGreaterThan(10);
  });

  it('finds the same schedules without mistake to be in order', () => {
    for (const { mistake: _mistake, message: _message, faults: _faults, ...scenario } of mistakes) {
      expect(exploreRing(scenario).failure).toBeNull();
    }
  });

  it('throws rather than stop half-way when its bound is too small', () => {
    expect(() =>
      exploreRing({
        producers: two,
        consumer: { type: 'drain', times: 2 },
        situationsMax: 1_000,
      }),
    ).toThrowError('more than 1000 situations');
  });
});
