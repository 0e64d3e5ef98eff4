import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { headWord, slotBytes, tailWord } from '../../src/bus/ring-buffer-descriptor.ts';

type Step =
  | { readonly do: 'claim'; readonly producer: number; readonly length: number }
  | { readonly do: 'commit' | 'abort'; readonly which: number }
  | { readonly do: 'drain'; readonly limit: number };

interface ModelRecord {
  readonly slots: number;
  readonly index: number;
  readonly content: Buffer;
  state: 'open' | 'committed' | 'skipped';
}

const capacityBytes = 2_048;
const slotsTotal = capacityBytes / slotBytes;

/** What a ring has to do, said in the plainest way: a list of records. */
class Model {
  tail: number;
  head: number;
  records: ModelRecord[] = [];
  #claims = 0;

  constructor(start: number) {
    this.tail = start;
    this.head = start;
  }

  claim(length: number): ModelRecord | null {
    const wanted = Math.max(1, Math.ceil(length / slotBytes));
    const slot = this.tail % slotsTotal;
    const gap = slotsTotal - slot < wanted ? slotsTotal - slot : 0;
    if (this.tail + gap + wanted - this.head > slotsTotal) return null;
    if (gap > 0) {
      this.records.push({ slots: gap, index: -1, content: Buffer.alloc(0), state: 'skipped' });
    }
    this.#claims += 1;
    const record: ModelRecord = {
      slots: wanted,
      index: (gap > 0 ? 0 : slot) * slotBytes,
      content: Buffer.alloc(length, this.#claims),
      state: 'open',
    };
    this.records.push(record);
    this.tail += gap + wanted;
    return record;
  }

  drain(limit: number): Buffer[] {
    const contents: Buffer[] = [];
    while (contents.length < limit) {
      const first = this.records[0];
      if (first === undefined || first.state === 'open') break;
      this.records.shift();
      this.head += first.slots;
      if (first.state === 'committed') contents.push(first.content);
    }
    return contents;
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      producer: fc.nat(1),
      length: fc.nat(capacityBytes / 8),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('commit' as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('drain' as const),
      limit: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

function settle(model: Model, ring: ManyToOneRingBuffer, step: Step): void {
  if (step.do !== 'commit' && step.do !== 'abort') return;
  const open = model.records.filter(({ state }) => state === 'open');
  const record = open[step.which % Math.max(1, open.length)];
  if (record === undefined) return;
  if (step.do === 'commit') {
    record.content.copy(ring.bytes, record.index);
    ring.commit(record.index);
    record.state = 'committed';
  } else {
    ring.abort(record.index);
    record.state = 'skipped';
  }
}

function drained(ring: ManyToOneRingBuffer, limit: number): Buffer[] {
  const contents: Buffer[] = [];
  ring.drain((_type, bytes, offset, length) => {
    contents.push(Buffer.from(bytes.subarray(offset, offset + length)));
  }, limit);
  return contents;
}

it('does what a list of records does, whatever is claimed, committed, aborted and drained', () => {
  const start = fc.constantFrom(0, 2 ** 31 - 40, 2 ** 32 - 40, 2 ** 45);
  fc.assert(
    fc.property(start, fc.array(step, { minLength: 50, maxLength: 400 }), (from, steps) => {
      const memory = ManyToOneRingBuffer.allocate(capacityBytes);
      const words = new BigInt64Array(memory, 0, 32);
      words[tailWord] = BigInt(from);
      words[headWord] = BigInt(from);
      const producers = [new ManyToOneRingBuffer(memory), new ManyToOneRingBuffer(memory)];
      const consumer = new ManyToOneRingBuffer(memory);
      const model = new Model(from);
      for (const next of steps) {
        if (next.do === 'claim') {
          const record = model.claim(next.length);
          const index = producers[next.producer]?.tryClaim(1, next.length);
          expect(index).toBe(record === null ? refusedClaim : record.index);
        } else if (next.do === 'drain') {
          const expected = model.drain(next.limit);
          expect(drained(consumer, next.limit)).toEqual(expected);
        } else {
          settle(model, consumer, next);
        }
        expect(consumer.producerPosition()).toBe(model.tail * slotBytes);
      }
    }),
    { numRuns: 150 },
  );
});
