import { describe, expect, it } from 'vitest';
import { type DeadLetter, DeadLetterList } from '../../src/bus/dead-letters.ts';
import { defineTopic, type Endpoint, threadId } from '../../src/bus/endpoint.ts';
import { encodeBody, type FrameHeader, frameLength, writeFrame } from '../../src/bus/frame.ts';
import type { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { limits } from '../../src/kernel/limits.ts';
import { a, b, c, deadLetters, kept, note, order, question, reported, three } from './small-bus.ts';

const notPermitted = expect.objectContaining({ code: 'BUS_NOT_PERMITTED' });

/** Writes a frame that no endpoint would send. */
function forge(inbox: ManyToOneRingBuffer, header: Partial<FrameHeader>, value: unknown): void {
  const body = encodeBody(value);
  const index = inbox.tryClaim(1, frameLength(body));
  const whole: FrameHeader = {
    type: 'message',
    topic: note.id,
    from: a,
    correlation: 0,
    sequence: 1,
    cause: null,
    sentAtUs: null,
    ...header,
  };
  writeFrame(whole, body, inbox.bytes, index);
  inbox.commit(index);
}

/** Three threads, the last of which collects dead letters. */
function watched() {
  const house = three();
  house.third.subscribe(deadLetters);
  const letters = kept(house.third, deadLetters) as DeadLetter[];
  const collect = (): DeadLetter[] => {
    house.third.drain();
    return letters;
  };
  return { ...house, collect };
}

describe('the permission table', () => {
  it('lets a topic pass from those that may send it to those that may receive it', () => {
    const { first, second } = three();
    const heard = kept(second, order);
    expect(first.send(b, order, 1)).toBe(true);
    second.drain();
    expect(heard).toEqual([1]);
  });

  it('refuses a sender, a receiver and a topic that it does not name, at the sender', () => {
    const { first, second } = three();
    const unknown = defineTopic<number>({ ...order, id: 99, name: 'unknown' });
    expect(() => second.send(b, order, 1)).toThrowError(notPermitted);
    expect(() => first.send(c, order, 1)).toThrowError(notPermitted);
    expect(() => first.send(b, unknown, 1)).toThrowError(notPermitted);
    expect(() => second.publish(order, 1)).toThrowError(notPermitted);
    expect(first.statistics()).toMatchObject({ denied: 2, published: 0 });
    expect(second.statistics()).toMatchObject({ denied: 2, published: 0 });
    expect(second.drain()).toBe(0);
  });

  it('refuses to handle or to subscribe to what a thread may not receive', () => {
    const { first, second, third } = three();
    expect(() => third.on(order, () => undefined)).toThrowError(notPermitted);
    expect(() => third.subscribe(order)).toThrowError(notPermitted);
    second.subscribe(order);
    expect(first.publish(order, 5)).toEqual([]);
    expect(third.drain()).toBe(0);
    expect(second.drain()).toBe(1);
  });

  it('asks nobody who may not be asked, and answers nobody who may not ask', () => {
    const { first, second, third, inboxOf } = watched();
    const options = { deadlineMs: 100, onReply: () => undefined };
    expect(() => second.ask(c, question, 'why?', options)).toThrowError(notPermitted);
    expect(second.statistics().requests).toBe(0);
    const headers: FrameHeader[] = [];
    second.on(question, (_body, header) => headers.push(header));
    first.ask(b, question, 'why?', options);
    second.drain();
    const [asked] = headers;
    if (asked === undefined) throw new Error('the question has arrived');
    expect(() => second.reply({ ...asked, from: c }, 'because')).toThrowError(notPermitted);
    // A reply is no message of the topic: its sender may answer it, not ask with it.
    forge(inboxOf(0), { type: 'reply', topic: question.id, from: c, correlation: 1 }, 'forged');
    first.drain();
    expect(first.statistics()).toMatchObject({ denied: 1, requests: 1, received: 0 });
    expect(third.statistics().denied).toBe(0);
  });

  it('refuses a frame at its receiver before the body is decoded', () => {
    const { second, inboxOf, collect } = watched();
    const heard = kept(second, order);
    forge(inboxOf(1), { topic: order.id, from: c }, { secret: true });
    forge(inboxOf(1), { topic: order.id, from: a }, 7);
    expect(second.drain()).toBe(2);
    expect(heard).toEqual([7]);
    expect(second.statistics()).toMatchObject({ denied: 1, received: 1, deadLettered: 1 });
    expect(collect()).toMatchObject([
      { reason: 'not-permitted', reporter: b, to: b, header: { from: c, topic: order.id } },
    ]);
  });
});

describe('a dead letter', () => {
  it('says why a message was not handled', () => {
    const { first, second, inboxOf, collect } = watched();
    kept(second, order);
    forge(inboxOf(1), { topic: 200 }, 'unknown topic');
    forge(inboxOf(1), { from: threadId(77) }, 'unknown sender');
    forge(inboxOf(1), { topic: question.id, type: 'request', from: a }, 'nobody answers');
    first.send(b, note, 'nobody handles notes');
    second.drain();
    forge(inboxOf(0), { type: 'reply', topic: question.id, from: b, correlation: 9 }, 'late');
    first.drain();
    expect(collect().map(({ reason, reporter }) => [reason, reporter])).toEqual([
      ['unknown-topic', b],
      ['unknown-sender', b],
      ['no-handler', b],
      ['no-handler', b],
      ['late-reply', a],
    ]);
    expect(second.statistics()).toMatchObject({ deadLettered: 4, received: 0 });
  });

  it('shows the first bytes of the body, or of a frame without a header', () => {
    const { first, second, inboxOf, collect } = watched();
    first.send(b, note, Buffer.alloc(90, 'x'));
    second.drain();
    const inbox = inboxOf(1);
    const index = inbox.tryClaim(1, 40);
    inbox.bytes.fill(0xee, index, index + 40);
    inbox.commit(index);
    second.drain();
    const [unhandled, corrupt] = collect();
    expect(Buffer.from(unhandled?.firstBytes ?? [])).toEqual(
      Buffer.alloc(limits.deadLetterBytesMax, 'x'),
    );
    expect(unhandled).toMatchObject({ reason: 'no-handler', lengthBytes: 32 + 90 });
    expect(Buffer.from(corrupt?.firstBytes ?? [])).toEqual(Buffer.alloc(40, 0xee));
    expect(corrupt).toMatchObject({ reason: 'corrupt', header: null, lengthBytes: 40 });
    expect(corrupt?.detail).toContain('magic');
  });

  it('is made of a message that was shed, where its topic wants so', () => {
    const { first, collect } = watched();
    let sent = 0;
    while (first.send(b, reported, `message ${sent}`)) sent += 1;
    const [letter, ...more] = collect();
    expect(letter).toMatchObject({ reason: 'shed', reporter: a, to: b });
    expect(Buffer.from(letter?.firstBytes ?? []).toString()).toContain(`message ${sent}`);
    expect(more).toEqual([]);
  });

  it('never makes another one', () => {
    const { first, second, inboxOf } = three();
    // Subscribed, and nobody handles them: each letter would make a letter for ever.
    first.subscribe(deadLetters);
    first.send(b, note, 'unhandled');
    second.drain();
    expect(first.drain()).toBe(1);
    expect(first.drain()).toBe(0);
    expect(first.statistics()).toMatchObject({ deadLettered: 1, published: 1 });
    // Where there is no room for it, it is shed and no more.
    while (second.send(a, reported, 'filling'));
    forge(inboxOf(1), { topic: 200 }, 'unknown topic');
    second.drain();
    expect(second.statistics().outboxFrames).toBe(0);
  });

  it('is only counted while nobody listens', () => {
    const { first, second } = three();
    first.send(b, note, 'unhandled');
    second.drain();
    expect(second.statistics()).toMatchObject({ deadLettered: 1, published: 0 });
  });
});

describe('a list of dead letters', () => {
  it('keeps the latest and counts them all', () => {
    const list = new DeadLetterList();
    const letter = (lengthBytes: number): DeadLetter => ({
      reason: 'corrupt',
      detail: '',
      reporter: a,
      to: a,
      header: null,
      lengthBytes,
      firstBytes: new Uint8Array(0),
    });
    const total = limits.deadLettersKeptMax + 10;
    for (let number = 0; number < total; number += 1) list.add(letter(number));
    const lengths = list.latest().map(({ lengthBytes }) => lengthBytes);
    expect([lengths.length, lengths.at(0), lengths.at(-1)]).toEqual([
      limits.deadLettersKeptMax,
      10,
      total - 1,
    ]);
    expect(list.total).toBe(total);
  });
});

/** Types are part of the contract: these lines do not compile if they stop being errors. */
function neverCalled(endpoint: Endpoint): void {
  // @ts-expect-error An order is a number.
  endpoint.send(b, order, 'one');
  // @ts-expect-error So is what its handler gets.
  endpoint.on(order, (body: string) => body);
  // @ts-expect-error The answer to a question is a string.
  const answer: Promise<number> = endpoint.request(b, question, 'why?', { deadlineMs: 1 });
  void answer;
}
void neverCalled;
