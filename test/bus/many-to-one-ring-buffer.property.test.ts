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

interface ModelRecord {
  readonly producer: number;
  slots: number;
  readonly index: number;
  readonly content: Buffer;
  state: 'open' | 'committed' | 'skipped' | 'dead';
}

const capacityBytes = 2_048;
const slotsTotal = capacityBytes / slotBytes;
const runSlotsMax = Math.min(limits.ringRunSlots, slotsTotal / limits.ringMessageFraction);
const nobody = Buffer.alloc(0);

/** What a ring has to do, said in the plainest way: a list of records. */
class Model {
  tail: number;
  head: number;
  gaps = 0;
  readonly records: ModelRecord[] = [];
  readonly batching = new Set<number>();
  /** What is left of the run of a producer: the last of its records, empty or not. */
  readonly #runs = new Map<number, ModelRecord>();
  readonly #open = new Map<number, ModelRecord>();
  #claims = 0;
  #stuckAt = -1;

  constructor(start: number) {
    this.tail = start;
    this.head = start;
  }

  openClaim(producer: number): ModelRecord | undefined {
    return this.#open.get(producer);
  }

  claim(producer: number, length: number): ModelRecord | null {
    const wanted = Math.max(1, Math.ceil(length / slotBytes));
    const run = this.#runs.get(producer);
    if (run !== undefined && run.slots < wanted) this.#closeRun(producer);
    if (!this.#runs.has(producer) && this.batching.has(producer) && wanted < runSlotsMax) {
      const whole = this.#append(producer, runSlotsMax);
      if (whole !== null) this.#runs.set(producer, whole);
    }
    const record = this.#runs.has(producer)
      ? this.#takeOfRun(producer, wanted)
      : this.#append(producer, wanted);
    if (record === null) return null;
    this.#claims += 1;
    const claimed = { ...record, content: Buffer.alloc(length, this.#claims) };
    this.records[this.records.indexOf(record)] = claimed;
    this.#open.set(producer, claimed);
    return claimed;
  }

  settle(producer: number, state: 'committed' | 'skipped'): void {
    const record = this.#open.get(producer);
    if (record !== undefined) record.state = state;
    this.#open.delete(producer);
  }

  endBatch(producer: number): void {
    this.batching.delete(producer);
    this.#closeRun(producer);
  }

  die(producer: number): void {
    const left = [this.#open.get(producer), this.#runs.get(producer)];
    for (const record of left) if (record !== undefined) record.state = 'dead';
    this.#open.delete(producer);
    this.#runs.delete(producer);
    this.batching.delete(producer);
  }

  drain(limit: number): Buffer[] {
    const contents: Buffer[] = [];
    while (contents.length < limit) {
      const first = this.records[0];
      if (first === undefined) {
        if (contents.length === 0) this.#stuckAt = this.head;
        break;
      }
      if (first.state === 'open' || first.state === 'dead') {
        if (contents.length > 0) break;
        const isStuck = this.#stuckAt === this.head;
        this.#stuckAt = this.head;
        if (!isStuck || first.state === 'open') break;
        this.gaps += 1;
        while (this.records[0]?.state === 'dead') this.#consume();
        continue;
      }
      this.#consume();
      if (first.state === 'committed') contents.push(first.content);
    }
    return contents;
  }

  #consume(): void {
    this.head += this.records.shift()?.slots ?? 0;
  }

  #append(producer: number, wanted: number): ModelRecord | null {
    const slot = this.tail % slotsTotal;
    const gap = slotsTotal - slot < wanted ? slotsTotal - slot : 0;
    if (this.tail + gap + wanted - this.head > slotsTotal) return null;
    if (gap > 0) {
      this.records.push({ producer, slots: gap, index: -1, content: nobody, state: 'skipped' });
    }
    const index = (gap > 0 ? 0 : slot) * slotBytes;
    const record: ModelRecord = { producer, slots: wanted, index, content: nobody, state: 'open' };
    this.records.push(record);
    this.tail += gap + wanted;
    return record;
  }

  #takeOfRun(producer: number, wanted: number): ModelRecord | null {
    const run = this.#runs.get(producer);
    if (run === undefined) return null;
    const taken: ModelRecord = { ...run, slots: wanted };
    const rest = { ...run, slots: run.slots - wanted, index: run.index + wanted * slotBytes };
    const at = this.records.indexOf(run);
    this.records.splice(at, 1, taken, ...(rest.slots > 0 ? [rest] : []));
    if (rest.slots > 0) this.#runs.set(producer, rest);
    else this.#runs.delete(producer);
    return taken;
  }

  #closeRun(producer: number): void {
    const run = this.#runs.get(producer);
    if (run !== undefined) run.state = 'skipped';
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
        open.content.copy(ring.bytes, open.index);
        if (next.do === 'commit') ring.commit(open.index);
        else ring.abort(open.index);
        this.model.settle(next.producer, next.do === 'commit' ? 'committed' : 'skipped');
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
