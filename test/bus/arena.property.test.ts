import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Arena } from '../../src/bus/arena.ts';
import type { ArenaReference } from '../../src/bus/arena-reference.ts';
import type { Lease } from '../../src/bus/lease.ts';

const threadsTotal = 4;
const classes = [
  { slabBytes: 4_096, slabs: 3 },
  { slabBytes: 8_192, slabs: 2 },
];

type Step =
  | { readonly do: 'allocate'; readonly thread: number; readonly bytes: number }
  | {
      readonly do: 'duplicate' | 'send' | 'take-back' | 'accept' | 'release';
      readonly thread: number;
      readonly which: number;
      readonly to: number;
    }
  | { readonly do: 'die'; readonly thread: number };

/** A payload as it should be: who holds it, and where it is under way. */
interface Payload {
  readonly mark: number;
  readonly bytes: number;
}

interface Held {
  readonly lease: Lease;
  readonly payload: Payload;
  readonly thread: number;
}

interface InFlight {
  readonly reference: ArenaReference;
  readonly payload: Payload;
  readonly from: number;
  readonly to: number;
}

const thread = fc.nat(threadsTotal - 1);
const of = <Name extends string>(name: Name, weight: number) => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(name), thread, which: fc.nat(9), to: thread }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('allocate' as const), thread, bytes: fc.nat(8_192) }),
  },
  of('duplicate', 3),
  of('send', 5),
  of('accept', 5),
  of('take-back', 1),
  of('release', 5),
  { weight: 1, arbitrary: fc.record({ do: fc.constant('die' as const), thread }) },
);

/** The arena, led along a plain list of who has what. */
class Pair {
  held: Held[] = [];
  flying: InFlight[] = [];
  readonly old: ArenaReference[] = [];
  refused = 0;
  readonly #memory = Arena.allocate(classes);
  readonly #arenas = Array.from(
    { length: threadsTotal },
    (_, self) => new Arena(this.#memory, self),
  );
  #marks = 0;

  lead(next: Step): void {
    const arena = this.#arena(next.thread);
    switch (next.do) {
      case 'allocate': {
        const lease = arena.tryAllocate(next.bytes);
        if (lease === null) {
          this.refused += 1;
          expect(this.#payloads().size).toBeGreaterThanOrEqual(next.bytes > 4_096 ? 2 : 5);
          return;
        }
        this.#marks = (this.#marks % 250) + 1;
        lease.bytes.fill(this.#marks);
        const payload = { mark: this.#marks, bytes: next.bytes };
        this.held.push({ lease, payload, thread: next.thread });
        break;
      }
      case 'duplicate': {
        const own = this.#pick(next);
        const lease = own?.lease.tryDuplicate() ?? null;
        if (own !== undefined && lease !== null) this.held.push({ ...own, lease });
        break;
      }
      case 'send': {
        const own = this.#pick(next);
        if (own === undefined) return;
        const { payload, thread: from } = own;
        this.held = this.held.filter((each) => each !== own);
        this.flying.push({ reference: own.lease.transferTo(next.to), payload, from, to: next.to });
        break;
      }
      case 'accept': {
        const flight = this.flying.find(({ to }) => to === next.thread);
        if (flight === undefined) return;
        this.#land(flight, arena.accept(flight.reference), flight.to);
        break;
      }
      case 'take-back': {
        const flight = this.flying.find(({ from }) => from === next.thread);
        if (flight === undefined) return;
        this.#land(flight, arena.takeBack(flight.reference), flight.from);
        break;
      }
      case 'release': {
        const own = this.#pick(next);
        own?.lease.release();
        this.held = this.held.filter((each) => each !== own);
        break;
      }
      case 'die':
        this.#die(next.thread);
    }
  }

  /** Every payload is whole, no old reference opens anything, and only what is held is live. */
  check(): void {
    for (const { lease, payload } of this.held) {
      expect(lease.byteLength).toBe(payload.bytes);
      expect(lease.bytes.every((byte) => byte === payload.mark)).toBe(true);
    }
    for (const reference of this.old.slice(-5)) {
      for (const arena of this.#arenas) expect(() => arena.accept(reference)).toThrowError();
    }
    const live = this.#arena(0).statistics();
    expect(live.reduce((sum, { slabsLive }) => sum + slabsLive, 0)).toBe(this.#payloads().size);
  }

  end(): void {
    for (let dead = 1; dead < threadsTotal; dead += 1) this.#die(dead);
    for (const { lease } of this.held) lease.release();
    this.held = [];
    for (const { reference } of this.flying) this.#arena(0).accept(reference).release();
    this.flying = [];
    this.check();
  }

  #arena(self: number): Arena {
    const arena = this.#arenas[self];
    if (arena === undefined) throw new Error('no such thread');
    return arena;
  }

  #payloads(): Set<Payload> {
    return new Set([...this.held, ...this.flying].map(({ payload }) => payload));
  }

  #pick({ thread: self, which }: { readonly thread: number; readonly which: number }) {
    const own = this.held.filter((each) => each.thread === self);
    return own[which % Math.max(1, own.length)];
  }

  #land(flight: InFlight, lease: Lease, self: number): void {
    this.flying = this.flying.filter((each) => each !== flight);
    this.old.push(flight.reference);
    this.held.push({ lease, payload: flight.payload, thread: self });
  }

  /** Another thread reclaims what the dead one had, and what it sent and nobody accepted. */
  #die(dead: number): void {
    const reclaimer = this.#arena((dead + 1) % threadsTotal);
    reclaimer.reclaim(dead);
    this.held = this.held.filter((each) => each.thread !== dead);
    const lost = this.flying.filter(({ from, to }) => to === dead || from === dead);
    for (let to = 0; to < threadsTotal; to += 1) reclaimer.reclaimInFlight(dead, to);
    this.flying = this.flying.filter((each) => !lost.includes(each));
    this.old.push(...lost.map(({ reference }) => reference));
    this.#arenas[dead] = new Arena(this.#memory, dead);
  }
}

it('keeps payloads apart and loses no slab, whoever shares, sends, accepts, releases and dies', () => {
  let refused = 0;
  let references = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 150 }), (steps) => {
      const pair = new Pair();
      for (const next of steps) {
        pair.lead(next);
        pair.check();
      }
      pair.end();
      refused += pair.refused;
      references += pair.old.length;
    }),
    { numRuns: 200 },
  );
  expect(refused).toBeGreaterThan(50);
  expect(references).toBeGreaterThan(300);
});
