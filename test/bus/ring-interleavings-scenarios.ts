/**
 * What is explored: as small as it can be and still meet what it is named
 * after. The short scenarios are part of every test run; the long ones take
 * some minutes and up to 4 GiB of memory together.
 */
import type { Scenario } from './ring-interleavings.ts';
import { slotsTotal } from './ring-interleavings-programs.ts';

export interface NamedScenario extends Scenario {
  readonly name: string;
}

const small = { slots: 1 };
const large = { slots: 2 };
const aborted = { slots: 1, aborted: true };
/** A large message claimed here pads the end of the ring first. */
const nearTheEnd = slotsTotal - 3;

export const shortScenarios: readonly NamedScenario[] = [
  {
    name: 'two producers and a consumer that drains',
    producers: [[small, large], [large]],
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'a claim that is aborted',
    producers: [[aborted, small], [large]],
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'the end of the ring, where both producers may have to pad',
    producers: [[large], [large]],
    startSlots: nearTheEnd,
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'a full ring, refusals and second tries',
    producers: [[small], [small]],
    tries: 2,
    filledSlots: slotsTotal,
    consumer: { type: 'drain', times: 2, limit: 3 },
  },
  {
    name: 'the end of a ring that is nearly full',
    producers: [[large], [small]],
    tries: 2,
    startSlots: slotsTotal - 1,
    filledSlots: slotsTotal - 2,
    consumer: { type: 'drain', times: 2, limit: 3 },
  },
  {
    name: 'counters that pass 32 bits',
    producers: [[small, small], [small]],
    startSlots: 2 ** 32 - 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'a producer that dies anywhere',
    producers: [[small], [small]],
    deaths: 1,
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'a producer that dies anywhere and has an heir',
    producers: [[small], [small]],
    deaths: 1,
    heir: true,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'a death at the end of a ring that is nearly full',
    producers: [[large], [small]],
    deaths: 1,
    startSlots: slotsTotal - 1,
    filledSlots: slotsTotal - 3,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2, limit: 5 },
  },
  {
    name: 'a death that takes the last room',
    producers: [[small], [small]],
    deaths: 1,
    filledSlots: slotsTotal - 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2, limit: 3 },
  },
  {
    name: 'a consumer that parks',
    producers: [[small], [small]],
    grain: 'coarse',
    consumer: { type: 'park' },
  },
  {
    name: 'a consumer that parks while its producer dies',
    producers: [[small, small]],
    deaths: 1,
    consumer: { type: 'park' },
  },
  {
    name: 'a consumer that waits for its doorbell while its producer dies',
    producers: [[small, small]],
    deaths: 1,
    consumer: { type: 'listen' },
  },
  {
    name: 'stores that take effect late',
    producers: [[small], [small]],
    stores: 'delayed',
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'stores that take effect late, and one wake for two messages',
    producers: [[small, small]],
    stores: 'delayed',
    wakes: 'last',
    deaths: 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 3 },
  },
  {
    name: 'a batch of two beside a message',
    producers: [[small, small], [small]],
    batched: true,
    wakes: 'last',
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'a batch whose producer dies anywhere',
    producers: [[small, small], [small]],
    batched: true,
    wakes: 'last',
    deaths: 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'batches that do not fill their runs, and a consumer that waits for its doorbell',
    producers: [[small], [small]],
    batched: true,
    wakes: 'last',
    grain: 'coarse',
    consumer: { type: 'listen' },
  },
  {
    name: 'batches in a ring without room for a run',
    producers: [[small], [small]],
    batched: true,
    tries: 2,
    filledSlots: slotsTotal - 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2, limit: 3 },
  },
  {
    name: 'a batch whose stores take effect late',
    producers: [[small, small, small]],
    batched: true,
    stores: 'delayed',
    wakes: 'last',
    deaths: 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 3 },
  },
];

export const longScenarios: readonly NamedScenario[] = [
  {
    name: 'two messages of each producer, every access',
    producers: [
      [small, large],
      [large, small],
    ],
    startSlots: nearTheEnd,
    consumer: { type: 'drain', times: 3 },
  },
  {
    name: 'three producers',
    producers: [[small], [large], [small]],
    startSlots: nearTheEnd,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'a death among two messages',
    producers: [[small, small], [small]],
    deaths: 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 3 },
  },
  {
    name: 'a death that leaves padding, and an heir',
    producers: [[large], [large]],
    deaths: 1,
    heir: true,
    startSlots: nearTheEnd,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'both producers die',
    producers: [[small], [small]],
    deaths: 2,
    consumer: { type: 'drain', times: 3 },
  },
  {
    name: 'a consumer that waits for its doorbell while a producer dies',
    producers: [[small], [small]],
    deaths: 1,
    grain: 'coarse',
    consumer: { type: 'listen' },
  },
  {
    name: 'a consumer that parks through three messages',
    producers: [[small, small], [small]],
    wakes: 'last',
    grain: 'coarse',
    consumer: { type: 'park' },
  },
  {
    name: 'a consumer that waits for its doorbell through three messages',
    producers: [[small, small], [small]],
    grain: 'coarse',
    consumer: { type: 'listen' },
  },
  {
    name: 'late stores and a death',
    producers: [[small], [small]],
    stores: 'delayed',
    deaths: 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'late stores, three messages and one wake of each producer',
    producers: [[small, small], [small]],
    stores: 'delayed',
    wakes: 'last',
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
  {
    name: 'batches that do not fill their runs, and a consumer that parks',
    producers: [[small], [small]],
    batched: true,
    wakes: 'last',
    grain: 'coarse',
    consumer: { type: 'park' },
  },
  {
    name: 'batches of two, a death and an heir',
    producers: [[small, small], [small]],
    batched: true,
    wakes: 'last',
    deaths: 1,
    heir: true,
    grain: 'coarse',
    consumer: { type: 'drain', times: 3 },
  },
  {
    name: 'batches at the end of the ring',
    producers: [
      [small, large],
      [large, small],
    ],
    batched: true,
    wakes: 'last',
    startSlots: nearTheEnd,
    grain: 'coarse',
    consumer: { type: 'drain', times: 3 },
  },
  {
    name: 'late stores of two batches and a death',
    producers: [[small], [small]],
    batched: true,
    stores: 'delayed',
    wakes: 'last',
    deaths: 1,
    grain: 'coarse',
    consumer: { type: 'drain', times: 2 },
  },
];
