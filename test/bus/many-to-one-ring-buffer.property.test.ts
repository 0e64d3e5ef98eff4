import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { slotBytes } from '../../src/bus/ring-buffer-descriptor.ts';
import { limits } from '../../src/kernel/limits.ts';

const producersTotal = 4;

type Step =
  | { readonly do: 'claim'; readonly producer: number; readonly length: number }
  | {
      readonly do: 'commit' | 'abort' | 'begin' | 'end' | 'die';
      readonly producer: number;
    }
  | { readonly do: 'drain'; readonly limit: number };

/** What was claimed, and what becomes of it: null is skipped. */
interface Item {
  readonly slots: number;
  readonly index: number;
  content: Buffer | null;
}

/** What is published at once: one item, or all of a run. */
interface ModelRecord {
  readonly slots: number;
  readonly index: number;
  readonly items: Item[];
  state: 'open' | 'published' | 'dead';
}

const capacityBytes = 2_048;
const slotsTotal = capacityBytes / slotBytes;
const runSlotsMax = Math.min(limits.ringRunSlots, slotsTotal / limits.ringMessageFraction);

function itemSlots({ items }: ModelRecord): number {
  return items.reduce((sum, { slots }) => sum + slots, 0);
}

/** What a ring has to do, said in the plainest way: a list of records. */
class Model {
  tail: number;
  head: number;
  gaps = 0;
  readonly records: ModelRecord[] = [];
  readonly batching = new Set<number>();
  readonly #runs = new Map<number, ModelRecord>();
  readonly #open = new Map<number, { readonly item: Item; readonly record: ModelRecord }>();
  #claims = 0;
  #stuckAt = -1;

  constructor(start: number) {
    this.tail = start;
    this.head = start;
  }

  openClaim(producer: number): Item | undefined {
    return this.#open.get(producer)?.item;
  }

  claim(producer: number, length: number): Item | null {
    const wanted = Math.max(1, Math.ceil(length / slotBytes));
    let record = this.#runs.get(producer) ?? null;
    if (record !== null && record.slots - itemSlots(record) < wanted) {
      this.#publishRun(producer);
      record = null;
    }
    if (record === null && this.batching.has(producer) && wanted < runSlotsMax) {
      record = this.#append(runSlotsMax);
      if (record !== null) this.#runs.set(producer, record);
    }
    record ??= this.#append(wanted);
    if (record === null) return null;
    this.#claims += 1;
    const index = record.index + itemSlots(record) * slotBytes;
    const item = { slots: wanted, index, content: Buffer.alloc(length, this.#claims) };
    record.items.push(item);
    this.#open.set(producer, { item, record });
    return item;
  }

  settle(producer: number, isCommitted: boolean): void {
    const open = this.#open.get(producer);
    this.#open.delete(producer);
    if (open === undefined) return;
    if (!isCommitted) open.item.content = null;
    if (open.record !== this.#runs.get(producer)) open.record.state = 'published';
  }

  endBatch(producer: number): void {
    this.batching.delete(producer);
    this.#publishRun(producer);
  }

  die(producer: number): void {
    const left = [this.#open.get(producer)?.record, this.#runs.get(producer)];
    for (const record of left) if (record !== undefined) record.state = 'dead';
    this.#open.delete(producer);
    this.#runs.delete(producer);
    this.batching.delete(producer);
  }

  drain(limit: number): Buffer[] {
    const contents: Buffer[] = [];
    while (contents.length < limit) {
      const first = this.records[0];
      if (first?.state !== 'published') {
        if (contents.length > 0) break;
        const isStuck = this.#stuckAt === this.head;
        this.#stuckAt = this.head;
        if (!isStuck || first?.state !== 'dead') break;
        this.gaps += 1;
        while (this.records[0]?.state === 'dead') this.head += this.records.shift()?.slots ?? 0;
        continue;
      }
      const content = this.#consume(first);
      if (content !== null) contents.push(content);
    }
    return contents;
  }

  /** One item, or what a run has behind its last one. */
  #consume(record: ModelRecord): Buffer | null {
    const item = record.items.shift();
    const slots = item?.slots ?? record.slots;
    this.head += slots;
    const rest = { ...record, slots: record.slots - slots };
    if (rest.slots > 0) this.records[0] = rest;
    else this.records.shift();
    return item?.content ?? null;
  }

  #append(wanted: number): ModelRecord | null {
    const slot = this.tail % slotsTotal;
    const gap = slotsTotal - slot < wanted ? slotsTotal - slot : 0;
    if (this.tail + gap + wanted - this.head > slotsTotal) return null;
    if (gap > 0) this.records.push({ slots: gap, index: -1, items: [], state: 'published' });
    const index = (gap > 0 ? 0 : slot) * slotBytes;
    const record: ModelRecord = { slots: wanted, index, items: [], state: 'open' };
    this.records.push(record);
    this.tail += gap + wanted;
    return record;
  }

  #publishRun(producer: number): void {
    const run = this.#runs.get(producer);
    if (run !== undefined) run.state = 'published';
    this.#runs.delete(producer);
  }
}

const producer = fc.nat(producersTotal - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      producer,
      length: fc.oneof(fc.nat(slotBytes), fc.nat(capacityBytes / 8)),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('commit' as const), producer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), producer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin' as const), producer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), producer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('die' as const), producer }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('drain' as const),
      limit: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

/** The ring and its model, led through the same steps. */
class Pair {
  readonly model: Model;
  readonly consumer: ManyToOneRingBuffer;
  readonly #memory: SharedArrayBuffer;
  readonly #producers: ManyToOneRingBuffer[];

  constructor(startSlots: number) {
    this.#memory = ManyToOneRingBuffer.allocate(capacityBytes, startSlots);
    this.#producers = Array.from({ length: producersTotal }, (_, slot) => this.#open(slot));
    this.consumer = new ManyToOneRingBuffer(this.#memory);
    this.model = new Model(startSlots);
  }

  lead(next: Step): void {
    if (next.do === 'drain') {
      expect(this.#drained(next.limit)).toEqual(this.model.drain(next.limit));
      return;
    }
    const ring = this.#producers[next.producer] ?? this.consumer;
    const open = this.model.openClaim(next.producer);
    switch (next.do) {
      case 'claim': {
        // A producer settles a claim before the next one.
        if (open !== undefined) return;
        const record = this.model.claim(next.producer, next.length);
        expect(ring.tryClaim(1, next.length)).toBe(record === null ? refusedClaim : record.index);
        break;
      }
      case 'commit':
      case 'abort':
        if (open === undefined) return;
        open.content?.copy(ring.bytes, open.index);
        if (next.do === 'commit') ring.commit(open.index);
        else ring.abort(open.index);
        this.model.settle(next.producer, next.do === 'commit');
        break;
      case 'begin':
        ring.beginBatch();
        this.model.batching.add(next.producer);
        break;
      case 'end':
        if (open !== undefined) return;
        ring.endBatch();
        this.model.endBatch(next.producer);
        break;
      case 'die':
        this.consumer.producerEnded(next.producer);
        this.model.die(next.producer);
        this.#producers[next.producer] = this.#open(next.producer);
    }
  }

  #open(slot: number): ManyToOneRingBuffer {
    return new ManyToOneRingBuffer(this.#memory, { producer: slot });
  }

  #drained(limit: number): Buffer[] {
    const contents: Buffer[] = [];
    this.consumer.drain((_type, bytes, offset, length) => {
      contents.push(Buffer.from(bytes.subarray(offset, offset + length)));
    }, limit);
    return contents;
  }
}

it('does what a list of records does, whatever is claimed, committed, aborted, batched, drained, and whoever dies', () => {
  const start = fc.constantFrom(0, 2 ** 31 - 40, 2 ** 32 - 40, 2 ** 45, 2 ** 52);
  const seen = { gaps: 0, batches: 0 };
  fc.assert(
    fc.property(start, fc.array(step, { minLength: 50, maxLength: 400 }), (from, steps) => {
      const pair = new Pair(from);
      for (const next of steps) {
        pair.lead(next);
        const { model, consumer } = pair;
        expect(consumer.producerPosition()).toBe(model.tail * slotBytes);
        expect(consumer.consumerPosition()).toBe(model.head * slotBytes);
        expect(consumer.gapsSkipped().gaps).toBe(model.gaps);
      }
      seen.gaps += pair.model.gaps;
      seen.batches += steps.filter((next) => next.do === 'begin').length;
    }),
    { numRuns: 200 },
  );
  expect(seen.gaps).toBeGreaterThan(100);
  expect(seen.batches).toBeGreaterThan(100);
});
