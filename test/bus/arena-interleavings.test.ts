import { describe, expect, it } from 'vitest';
import {
  exploreSlab,
  type Hand,
  type SlabScenario,
  SteppedSlabWords,
} from './arena-interleavings.ts';
import type { Port } from './ring-interleavings-course.ts';

/**
 * Goal: every order in which threads can take, share, send, accept and give up
 * the leases of one slab, and die meanwhile, at each single access to its
 * memory, leads to a state where S1 to S3 of arena-interleavings.ts hold.
 *
 * The last tests put mistakes into the accesses, which the explorer has to find.
 */

/** Takes the slab if it can, and gives it up. */
function churn(hand: Hand): void {
  const held = hand.take();
  if (held !== null) hand.release(held);
}

/** Shares what it takes with itself, and gives the first lease up first. */
function share(hand: Hand): void {
  const held = hand.take();
  if (held === null) return;
  const second = hand.grant(held);
  hand.release(held);
  hand.release(second);
}

/** Holds a lease from the start and gives it up. */
function leave(lease: number): (hand: Hand) => void {
  return (hand) => hand.release(hand.initial(lease));
}

/** Holds a lease from the start, and goes over to another one. */
function move(lease: number): (hand: Hand) => void {
  return (hand) => {
    const held = hand.initial(lease);
    const next = hand.grant(held);
    hand.release(held);
    hand.release(next);
  };
}

function takeAndSend(to: number): (hand: Hand) => void {
  return (hand) => {
    const held = hand.take();
    if (held !== null) hand.send(held, to);
  };
}

/** Holds lease 0 from the start, sends another one and gives its own up. */
function shareAndSend(to: number): (hand: Hand) => void {
  return (hand) => {
    const held = hand.initial(0);
    hand.send(hand.grant(held), to);
    hand.release(held);
  };
}

function receive(from: number): (hand: Hand) => void {
  return (hand) => {
    const held = hand.receive(from);
    if (held !== null) hand.release(held);
  };
}

const scenarios: readonly (readonly [string, SlabScenario])[] = [
  ['two threads take one slab and give it up', { threads: [churn, churn] }],
  ['three threads do', { threads: [churn, churn, churn], situationsMax: 2_000_000 }],
  [
    'two threads do with processors that store late',
    { threads: [churn, churn], stores: 'delayed' },
  ],
  [
    'one of two that share a slab with themselves dies',
    { threads: [share, share], mortal: [0, 1] },
  ],
  [
    'the last two leases end at once, and a third thread wants the slab',
    { threads: [leave(0), leave(1), churn], held: [0, 1] },
  ],
  [
    'a lease moves behind the look of one that leaves',
    { threads: [leave(0), move(1), churn], held: [0, 1] },
  ],
  [
    'the same with processors that store late',
    { threads: [leave(0), move(1)], held: [0, 1], stores: 'delayed' },
  ],
  ['one of two holders dies', { threads: [leave(0), move(1)], held: [0, 1], mortal: [0, 1] }],
  [
    'a payload is sent and accepted while a third thread wants the slab',
    { threads: [takeAndSend(1), receive(0), churn] },
  ],
  [
    'sender or receiver dies',
    { threads: [takeAndSend(1), receive(0), churn], mortal: [0, 1], receiver: 1 },
  ],
  [
    'a shared payload is sent, and one of both dies',
    { threads: [shareAndSend(1), receive(0), churn], held: [0], mortal: [0, 1], receiver: 1 },
  ],
];

describe('in every order of their accesses to shared memory', () => {
  it.each(scenarios)('no payload is another, no slab is lost: %s', (_name, scenario) => {
    const { failure, schedules } = exploreSlab(scenario);
    expect(failure).toBeNull();
    expect(schedules).toBeGreaterThan(1_000);
  });
});

/** Forgets to count what was granted. */
class UncountedGrants extends SteppedSlabWords {
  override addPosition(index: number): bigint {
    return this.loadPosition(index);
  }
}

/** Compares and exchanges in two steps. */
class TornExchange extends SteppedSlabWords {
  override compareExchange(word: number, expected: number, next: number): number {
    const found = this.load(word);
    if (found === expected) this.store(word, next);
    return found;
  }
}

describe('the explorer', () => {
  it.each([
    [
      'grants that are not counted',
      UncountedGrants,
      { threads: [leave(0), move(1)], held: [0, 1] },
    ],
    ['an exchange that is no single step', TornExchange, { threads: [churn, churn] }],
  ] as const)('finds %s', (_mistake, Words, scenario) => {
    const words = (memory: SharedArrayBuffer, port: Port) => new Words(memory, port);
    expect(() => {
      const { failure } = exploreSlab({ ...scenario, faults: { words } });
      if (failure !== null) throw new Error(failure.message);
    }).toThrowError();
  });
});
