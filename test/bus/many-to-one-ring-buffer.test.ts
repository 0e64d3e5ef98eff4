import { describe, expect, it } from 'vitest';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { slotBytes } from '../../src/bus/ring-buffer-descriptor.ts';
import { limits } from '../../src/kernel/limits.ts';

const capacityBytes = 1_024;
const slots = capacityBytes / slotBytes;

function newRing(capacity = capacityBytes): ManyToOneRingBuffer {
  return new ManyToOneRingBuffer(ManyToOneRingBuffer.allocate(capacity), { producer: 0 });
}

/** Two producers, of which the first is the consumer too. */
function twoProducers(capacity = capacityBytes): [ManyToOneRingBuffer, ManyToOneRingBuffer] {
  const memory = ManyToOneRingBuffer.allocate(capacity);
  const [first, second] = [0, 1].map((producer) => new ManyToOneRingBuffer(memory, { producer }));
  return [first as ManyToOneRingBuffer, second as ManyToOneRingBuffer];
}

/** Claims, fills and commits; the text is the payload. */
function put(ring: ManyToOneRingBuffer, text: string, type = 1): boolean {
  const index = ring.tryClaim(type, Buffer.byteLength(text));
  if (index === refusedClaim) return false;
  ring.bytes.write(text, index);
  ring.commit(index);
  return true;
}

function take(ring: ManyToOneRingBuffer, limit = Number.POSITIVE_INFINITY): string[] {
  const texts: string[] = [];
  ring.drain((_type, bytes, offset, length) => {
    texts.push(bytes.toString('utf8', offset, offset + length));
  }, limit);
  return texts;
}

describe('a many-to-one ring buffer', () => {
  it('hands over type and payload in the order of the claims', () => {
    const ring = newRing();
    put(ring, 'first', 7);
    put(ring, 'second', -8);
    const seen: [number, string][] = [];
    const count = ring.drain((type, bytes, offset, length) => {
      seen.push([type, bytes.toString('utf8', offset, offset + length)]);
    }, 10);
    expect(count).toBe(2);
    expect(seen).toEqual([
      [7, 'first'],
      [-8, 'second'],
    ]);
  });

  it('shows nothing before the commit, nor what lies behind an open claim', () => {
    const [ring, other] = twoProducers();
    const open = ring.tryClaim(1, 3);
    put(other, 'behind');
    expect(take(ring)).toEqual([]);
    expect(take(ring)).toEqual([]);
    ring.bytes.write('now', open);
    ring.commit(open);
    expect(take(ring)).toEqual(['now', 'behind']);
  });

  it('skips an aborted claim', () => {
    const [ring, other] = twoProducers();
    const given = ring.tryClaim(1, 100);
    put(other, 'kept');
    ring.abort(given);
    expect(take(ring)).toEqual(['kept']);
    expect(ring.depthBytes()).toBe(0);
  });

  it('carries an empty message', () => {
    const ring = newRing();
    put(ring, '');
    expect(take(ring)).toEqual(['']);
  });

  it('refuses a claim when it is full and accepts it after a drain', () => {
    const ring = newRing();
    for (let slot = 0; slot < slots; slot += 1) expect(put(ring, `${slot}`)).toBe(true);
    expect(put(ring, 'no')).toBe(false);
    expect(ring.depthBytes()).toBe(capacityBytes);
    expect(take(ring, 1)).toEqual(['0']);
    expect(put(ring, 'yes')).toBe(true);
    expect(put(ring, 'no')).toBe(false);
  });

  it('pads the end of the ring instead of splitting a message', () => {
    const ring = newRing();
    for (let slot = 0; slot < slots - 1; slot += 1) put(ring, 'x');
    take(ring);
    const index = ring.tryClaim(1, slotBytes + 1);
    expect(index).toBe(0);
    ring.bytes.write('w'.repeat(slotBytes + 1), index);
    ring.commit(index);
    expect(take(ring)).toEqual(['w'.repeat(slotBytes + 1)]);
    expect(ring.producerPosition()).toBe((slots + 2) * slotBytes);
    expect(ring.consumerPosition()).toBe((slots + 2) * slotBytes);
  });

  it('refuses a message whose padding does not fit either', () => {
    const ring = newRing();
    for (let slot = 0; slot < slots - 1; slot += 1) put(ring, 'x');
    take(ring, 1);
    expect(ring.tryClaim(1, slotBytes + 1)).toBe(refusedClaim);
    expect(put(ring, 'one slot')).toBe(true);
  });

  it('throws for a message above its limit and takes one at the limit', () => {
    const ring = newRing();
    expect(ring.messageBytesMax).toBe(capacityBytes / 8);
    expect(() => ring.tryClaim(1, ring.messageBytesMax + 1)).toThrowError(
      expect.objectContaining({
        code: 'BUS_MESSAGE_TOO_LARGE',
        message: expect.stringContaining('through the arena'),
      }),
    );
    expect(ring.tryClaim(1, ring.messageBytesMax)).toBe(0);
  });

  it('drains no more than the limit', () => {
    const ring = newRing();
    for (const text of ['a', 'b', 'c']) put(ring, text);
    expect(take(ring, 2)).toEqual(['a', 'b']);
    expect(take(ring, 2)).toEqual(['c']);
  });

  it('loses only the message whose handler throws', () => {
    const ring = newRing();
    for (const text of ['a', 'b', 'c']) put(ring, text);
    expect(() =>
      ring.drain(() => {
        throw new Error('handler');
      }, 10),
    ).toThrowError('handler');
    expect(take(ring)).toEqual(['b', 'c']);
    expect(ring.depthBytes()).toBe(0);
  });

  it('delivers nothing twice when a handler drains the same ring', () => {
    const ring = newRing();
    put(ring, 'outer');
    put(ring, 'next');
    const inner: number[] = [];
    ring.drain(() => {
      inner.push(ring.drain(() => undefined, 10));
    }, 1);
    expect(inner).toEqual([0]);
    expect(take(ring)).toEqual(['next']);
  });

  it('accepts what a handler sends to its own ring', () => {
    const ring = newRing();
    put(ring, 'question');
    ring.drain(() => {
      put(ring, 'answer');
    }, 1);
    expect(take(ring)).toEqual(['answer']);
  });

  it('goes on where another consumer of the same memory stopped', () => {
    const memory = ManyToOneRingBuffer.allocate(capacityBytes);
    const producer = new ManyToOneRingBuffer(memory, { producer: 0 });
    const first = new ManyToOneRingBuffer(memory);
    for (const text of ['a', 'b']) put(producer, text);
    take(first, 1);
    expect(take(new ManyToOneRingBuffer(memory))).toEqual(['b']);
  });

  it('stays within one lap of padding when every claim was aborted', () => {
    const ring = newRing();
    for (let round = 0; round < 5; round += 1) {
      for (let slot = 0; slot < slots; slot += 1) ring.abort(ring.tryClaim(1, 1));
      expect(take(ring)).toEqual([]);
      expect(ring.depthBytes()).toBe(0);
    }
  });

  it('rejects a capacity that is no power of two', () => {
    expect(() => ManyToOneRingBuffer.allocate(1_000)).toThrowError('not a ring capacity');
    expect(() => ManyToOneRingBuffer.allocate(512)).toThrowError('not a ring capacity');
    expect(() => new ManyToOneRingBuffer(new SharedArrayBuffer(4_000))).toThrowError(
      'not a ring capacity',
    );
  });
});

describe('a ring whose counters pass a power of two', () => {
  const bordersInSlots = [
    ['the signed 32 bits of its byte position', 2 ** 31 / slotBytes],
    ['the 32 bits of its byte position', 2 ** 32 / slotBytes],
    ['the signed 32 bits of its slot count', 2 ** 31],
    ['the 32 bits of its slot count', 2 ** 32],
    ['the 48 bits of its byte position', 2 ** 48 / slotBytes],
    ['the safe integers of its byte position', 2 ** 53 / slotBytes],
    ['the 48 bits of its slot count', 2 ** 48],
  ] as const;

  it.each(bordersInSlots)('keeps order, content and positions across %s', (_name, border) => {
    const start = border - 3 * slots - 1;
    const memory = ManyToOneRingBuffer.allocate(capacityBytes, start);
    const producer = new ManyToOneRingBuffer(memory, { producer: 0 });
    const consumer = new ManyToOneRingBuffer(memory);
    const tails = new Set<number>();
    const sent: string[] = [];
    const received: string[] = [];
    for (
      let round = 0;
      round < 1_000 && consumer.consumerPosition() < (border + 3 * slots) * slotBytes;
      round += 1
    ) {
      const text = `${round}:`.padEnd(1 + (round % 120), 'x');
      if (put(producer, text)) sent.push(text);
      if (round % 3 === 2) received.push(...take(consumer));
      tails.add(producer.producerPosition());
      expect(producer.depthBytes()).toBeLessThanOrEqual(capacityBytes);
    }
    received.push(...take(consumer));
    expect(received).toEqual(sent);
    expect(consumer.consumerPosition()).toBeGreaterThan(border * slotBytes);
    expect(tails.size).toBeGreaterThan(6 * slots * 0.5);
    expect(Math.min(...tails)).toBeGreaterThanOrEqual(start * slotBytes);
    expect(consumer.depthBytes()).toBe(0);
  });

  it('refuses when full just below the border, and does not take the wrap for room', () => {
    const memory = ManyToOneRingBuffer.allocate(capacityBytes, 2 ** 32 - 2);
    const ring = new ManyToOneRingBuffer(memory, { producer: 0 });
    let accepted = 0;
    while (accepted < 100 && put(ring, 'x')) accepted += 1;
    expect(accepted).toBe(slots);
    expect(take(ring)).toHaveLength(slots);
    expect(ring.producerPosition()).toBe((2 ** 32 - 2 + slots) * slotBytes);
  });
});

describe('a batch', () => {
  const capacity = 64 * 1_024;

  it('hands over what it claimed, in order, run by run and at its end', () => {
    const ring = newRing(capacity);
    ring.beginBatch();
    const texts = Array.from({ length: 200 }, (_, number) => `${number}`.padEnd(number % 100, 'x'));
    for (const text of texts) put(ring, text);
    const before = take(ring);
    expect(before.length).toBeGreaterThan(100);
    expect(before.length).toBeLessThan(200);
    ring.endBatch();
    expect([...before, ...take(ring)]).toEqual(texts);
    expect(ring.depthBytes()).toBe(0);
  });

  it('may be drained in pieces, also by the next consumer of the same memory', () => {
    const memory = ManyToOneRingBuffer.allocate(capacity);
    const ring = new ManyToOneRingBuffer(memory, { producer: 0 });
    const texts = ['a', 'b', 'c', 'd', 'e'];
    ring.beginBatch();
    for (const text of texts) put(ring, text);
    ring.endBatch();
    expect(take(ring, 2)).toEqual(['a', 'b']);
    expect(take(ring, 1)).toEqual(['c']);
    const next = new ManyToOneRingBuffer(memory);
    expect(next.tryListen()).toBe(false);
    expect(take(next)).toEqual(['d', 'e']);
    expect(next.depthBytes()).toBe(0);
  });

  it('loses only the message whose handler throws', () => {
    const ring = newRing(capacity);
    ring.beginBatch();
    for (const text of ['a', 'b', 'c']) put(ring, text);
    ring.endBatch();
    expect(() =>
      ring.drain(() => {
        throw new Error('handler');
      }, 10),
    ).toThrowError('handler');
    expect(take(ring)).toEqual(['b', 'c']);
    expect(ring.depthBytes()).toBe(0);
  });

  it('skips what was aborted in it', () => {
    const ring = newRing(capacity);
    ring.beginBatch();
    put(ring, 'a');
    ring.abort(ring.tryClaim(1, 200));
    put(ring, 'b');
    ring.abort(ring.tryClaim(1, 1));
    ring.endBatch();
    expect(take(ring)).toEqual(['a', 'b']);
    expect(ring.depthBytes()).toBe(0);
  });

  it('moves the tail once for many records, and pads what it did not use', () => {
    const ring = newRing(capacity);
    ring.beginBatch();
    for (let record = 0; record < 10; record += 1) {
      put(ring, 'x');
      expect(ring.producerPosition()).toBe(limits.ringRunSlots * slotBytes);
    }
    ring.endBatch();
    expect(take(ring)).toHaveLength(10);
    expect(ring.consumerPosition()).toBe(limits.ringRunSlots * slotBytes);
    put(ring, 'after');
    expect(ring.producerPosition()).toBe((limits.ringRunSlots + 1) * slotBytes);
  });

  it('holds back what others claim behind it until it ends', () => {
    const [ring, other] = twoProducers(capacity);
    ring.beginBatch();
    put(ring, 'batch');
    put(other, 'behind');
    expect(take(ring)).toEqual([]);
    expect(take(ring)).toEqual([]);
    ring.endBatch();
    expect(take(ring)).toEqual(['batch', 'behind']);
  });

  it('keeps the order of a message that is longer than its run', () => {
    const ring = newRing(capacity);
    const long = 'l'.repeat(limits.ringRunSlots * slotBytes + 1);
    ring.beginBatch();
    for (const text of ['a', long, 'b']) put(ring, text);
    ring.endBatch();
    expect(take(ring)).toEqual(['a', long, 'b']);
  });

  it('fills a ring that has no room for a whole run any more', () => {
    const ring = newRing(capacity);
    ring.beginBatch();
    let accepted = 0;
    while (accepted < 2_000 && put(ring, 'x')) accepted += 1;
    ring.endBatch();
    expect(accepted).toBe(capacity / slotBytes);
    expect(take(ring)).toHaveLength(accepted);
  });

  it('may be empty, and ends with the claims of before', () => {
    const ring = newRing(capacity);
    ring.beginBatch();
    ring.endBatch();
    put(ring, 'x');
    expect(ring.producerPosition()).toBe(slotBytes);
  });
});

describe('a producer that has ended', () => {
  it('stops nobody: its open claim is skipped at the second look, and counted', () => {
    const [ring, other] = twoProducers();
    ring.tryClaim(1, 100);
    put(other, 'behind');
    expect(take(other)).toEqual([]);
    expect(ring.producerEnded(0)).toBe(true);
    expect(take(other)).toEqual(['behind']);
    expect(other.gapsSkipped()).toEqual({ gaps: 1, bytes: 2 * slotBytes });
    expect(other.depthBytes()).toBe(0);
  });

  it('leaves what it committed, and the open claims of the living', () => {
    const [ring, other] = twoProducers();
    put(ring, 'kept');
    ring.tryClaim(1, 1);
    const open = other.tryClaim(1, 1);
    other.producerEnded(0);
    expect(take(other)).toEqual(['kept']);
    expect(take(other)).toEqual([]);
    expect(take(other)).toEqual([]);
    other.commit(open);
    expect(take(other)).toHaveLength(1);
  });

  it('in a batch, loses all of what it had not published', () => {
    const [ring, other] = twoProducers(64 * 1_024);
    ring.beginBatch();
    put(ring, 'first');
    put(ring, 'second');
    ring.tryClaim(1, 1);
    put(other, 'behind');
    other.producerEnded(0);
    expect(take(other)).toEqual([]);
    expect(take(other)).toEqual(['behind']);
    expect(other.gapsSkipped()).toEqual({ gaps: 1, bytes: limits.ringRunSlots * slotBytes });
  });

  it('leaves a slot that the next thread may open', () => {
    const memory = ManyToOneRingBuffer.allocate(capacityBytes);
    new ManyToOneRingBuffer(memory, { producer: 0 }).tryClaim(1, 1);
    const heir = new ManyToOneRingBuffer(memory, { producer: 0 });
    put(heir, 'new');
    expect(take(heir)).toEqual([]);
    expect(take(heir)).toEqual(['new']);
  });

  it('wakes a consumer that waits for its doorbell', () => {
    const [ring, other] = twoProducers();
    ring.tryClaim(1, 1);
    put(other, 'behind');
    expect(take(other)).toEqual([]);
    expect(other.tryListen()).toBe(true);
    expect(ring.producerEnded(0)).toBe(true);
    expect(take(other)).toEqual(['behind']);
  });
});

describe('waiting for a ring', () => {
  it('parks not at all when there is mail, even for ever', () => {
    const ring = newRing();
    put(ring, 'mail');
    ring.park(1_000_000);
    expect(take(ring)).toEqual(['mail']);
  });

  it('ends a park at its timeout and leaves no producer the duty to wake', () => {
    const ring = newRing();
    ring.park(1);
    put(ring, 'mail');
    expect(ring.wake()).toBe(false);
  });

  it('asks exactly one producer to ring the doorbell', () => {
    const ring = newRing();
    expect(ring.wake()).toBe(false);
    expect(ring.tryListen()).toBe(true);
    put(ring, 'mail');
    expect(ring.wake()).toBe(true);
    expect(ring.wake()).toBe(false);
  });

  it('asks for no doorbell while there is mail', () => {
    const ring = newRing();
    put(ring, 'mail');
    expect(ring.tryListen()).toBe(false);
    expect(ring.wake()).toBe(false);
  });

  it('asks for the doorbell while the first message is claimed and not committed', () => {
    const ring = newRing();
    const index = ring.tryClaim(1, 1);
    expect(ring.tryListen()).toBe(true);
    ring.commit(index);
    expect(ring.wake()).toBe(true);
  });

  it('refuses a second open claim of one producer, and claims without a producer slot', () => {
    const ring = newRing();
    ring.tryClaim(1, 1);
    expect(() => ring.tryClaim(1, 1)).toThrowError('one open claim');
    const reader = new ManyToOneRingBuffer(ManyToOneRingBuffer.allocate(capacityBytes));
    expect(() => reader.tryClaim(1, 1)).toThrowError('producer slot');
  });
});
