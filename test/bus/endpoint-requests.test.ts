import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DeadLetter } from '../../src/bus/dead-letters.ts';
import type { Endpoint, FrameHeader } from '../../src/bus/endpoint.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import { b, c, deadLetters, fill, kept, question, smallBus, turns } from './small-bus.ts';

afterEach(() => {
  vi.useRealTimers();
});

const code = (expected: string) => expect.objectContaining({ code: expected });

/** A thread that asks in its event loop, one that answers by parking, one that collects dead letters. */
function asking() {
  const house = smallBus(['event-loop', 'atomics', 'atomics']);
  const [asker, answerer, third] = house.endpoints as [Endpoint, Endpoint, Endpoint];
  third.subscribe(deadLetters);
  const letters = kept(third, deadLetters) as DeadLetter[];
  const questions: { body: string; header: FrameHeader }[] = [];
  answerer.on(question, (body, header) => questions.push({ body, header }));
  asker.listen();
  return { ...house, asker, answerer, third, letters, questions };
}

const soon = { deadlineMs: 60_000 };

describe('a request', () => {
  it('resolves with the reply, whichever order the replies come in', async () => {
    const { asker, answerer, questions } = asking();
    const replies = ['one', 'two', 'three'].map((body) => asker.request(b, question, body, soon));
    answerer.drain();
    for (const { body, header } of questions.toReversed()) {
      expect(answerer.reply(header, `re: ${body}`)).toBe(true);
    }
    expect(await Promise.all(replies)).toEqual(['re: one', 're: two', 're: three']);
    expect(asker.statistics().requests).toBe(0);
  });

  it('may have the longest deadline, for which no timer is set that is too long to wait', async () => {
    const longest = limits.requestDeadlineMsMax;
    // A time to which the deadline is added with a little too much.
    const awkward = Array.from({ length: 1_000 }, (_, index) => 1 + index * 1.001).find(
      (nowMs) => nowMs + longest - nowMs > longest,
    );
    expect(awkward).toBeDefined();
    const { asker, answerer, questions } = asking();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(awkward ?? 0);
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const reply = asker.request(b, question, 'when?', { deadlineMs: longest });
    const delays = timers.mock.calls.map(([, delayMs]) => delayMs ?? 0);
    timers.mockRestore();
    clock.mockRestore();
    // Node.js takes a longer one for 1 ms.
    expect(delays.filter((delayMs) => delayMs >= longest)).toEqual([longest]);
    answerer.drain();
    answerer.reply(questions[0]?.header as FrameHeader, 'now');
    expect(await reply).toBe('now');
  });

  it('is the cause of its reply', async () => {
    const { asker, answerer, questions, inboxOf } = asking();
    const reply = asker.request(b, question, 'why?', soon);
    answerer.drain();
    const causes: unknown[] = [];
    const asked = questions[0]?.header as FrameHeader;
    answerer.reply(asked, 'because');
    inboxOf(0).drain((_type, bytes, offset) => {
      causes.push([bytes.readUInt16LE(offset + 20), bytes.readUInt32LE(offset + 16)]);
    }, 1);
    expect(causes).toEqual([[asked.from, asked.sequence]]);
    asker.close();
    await expect(reply).rejects.toEqual(code('BUS_CLOSED'));
  });

  it('rejects with the error that was replied, rebuilt by its code', async () => {
    const { asker, answerer, questions } = asking();
    const reply = asker.request(b, question, 'why?', soon);
    const other = asker.request(b, question, 'how?', soon);
    answerer.drain();
    const [first, second] = questions.map(({ header }) => header) as [FrameHeader, FrameHeader];
    const busy = new RuntimeError('ACTUATOR_BUSY', 'Not now.', { retryable: true });
    expect(answerer.replyError(first, busy)).toBe(true);
    expect(answerer.replyError(second, new Error('no reason'))).toBe(true);
    await expect(reply).rejects.toMatchObject({
      code: 'ACTUATOR_BUSY',
      message: 'Not now.',
      retryable: true,
    });
    await expect(other).rejects.toMatchObject({ code: 'INTERNAL', message: 'no reason' });
  });

  it('expires, and its late reply is a dead letter', async () => {
    const { asker, answerer, third, questions, letters } = asking();
    const reply = asker.request(b, question, 'why?', { deadlineMs: 5 });
    await expect(reply).rejects.toMatchObject({ code: 'BUS_REQUEST_EXPIRED', retryable: true });
    answerer.drain();
    answerer.reply(questions[0]?.header as FrameHeader, 'because');
    await turns();
    third.drain();
    expect(letters).toMatchObject([{ reason: 'late-reply', header: { type: 'reply', from: b } }]);
  });

  it('expires at its own deadline although one that is asked later is due before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { asker } = asking();
    const ended: string[] = [];
    for (const [name, deadlineMs] of [
      ['late', 500],
      ['early', 100],
      ['middle', 300],
    ] as const) {
      void asker.request(b, question, name, { deadlineMs }).catch(() => ended.push(name));
    }
    await vi.advanceTimersByTimeAsync(99);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toEqual(['early']);
    await vi.advanceTimersByTimeAsync(200);
    expect(ended).toEqual(['early', 'middle']);
    await vi.advanceTimersByTimeAsync(200);
    expect(ended).toEqual(['early', 'middle', 'late']);
  });

  it('ends with its signal, before and after it was sent', async () => {
    const { asker, answerer, third, questions, letters } = asking();
    const controller = new AbortController();
    const reason = new Error('nobody wants to know any more');
    const options = { ...soon, signal: controller.signal };
    const reply = asker.request(b, question, 'why?', options);
    controller.abort(reason);
    await expect(reply).rejects.toBe(reason);
    await expect(asker.request(b, question, 'again?', options)).rejects.toBe(reason);
    answerer.drain();
    expect(questions.map(({ body }) => body)).toEqual(['why?']);
    answerer.reply(questions[0]?.header as FrameHeader, 'because');
    await turns();
    third.drain();
    expect(letters.map(({ reason: why }) => why)).toEqual(['late-reply']);
  });

  it('fails when its reply is damaged', async () => {
    const { asker, answerer, questions, inboxOf } = asking();
    const reply = asker.request(b, question, 'why?', soon);
    await turns(1);
    answerer.drain();
    answerer.reply(questions[0]?.header as FrameHeader, 'because');
    const [lengthBytes] = [inboxOf(0).depthBytes()];
    expect(lengthBytes).toBeGreaterThan(0);
    // The header stays as it is; the codec knows no value that begins like this.
    inboxOf(0).bytes[32] = 0xc1;
    await expect(reply).rejects.toEqual(code('BUS_FRAME_CORRUPT'));
    expect(asker.statistics()).toMatchObject({ corrupt: 1, requests: 0 });
  });

  it('is refused while the outbox is full, and leaves nothing behind', async () => {
    const { asker, answerer } = asking();
    fill(asker, answerer, limits.outboxFramesMax);
    await expect(asker.request(b, question, 'why?', soon)).rejects.toMatchObject({
      code: 'OUTBOX_FULL',
      retryable: true,
    });
    expect(asker.statistics().requests).toBe(0);
  });

  it('is settled by the answer that a thread gave before it ended', async () => {
    const { asker, answerer, bus, questions } = asking();
    const reply = asker.request(b, question, 'why?', soon);
    answerer.drain();
    expect(answerer.reply(questions[0]?.header as FrameHeader, 'because')).toBe(true);
    bus.monitor.threadEnded(b);
    await expect(reply).resolves.toBe('because');
  });

  it('to a thread that has ended fails, whether its end was known or not', async () => {
    const { asker, bus } = asking();
    const early = asker.request(b, question, 'before', soon);
    bus.monitor.threadEnded(b);
    await expect(early).rejects.toEqual(code('BUS_THREAD_ENDED'));
    await expect(asker.request(b, question, 'after', soon)).rejects.toEqual(
      code('BUS_THREAD_ENDED'),
    );
    expect(asker.statistics().requests).toBe(0);
  });

  it('is not made by a thread that could not hear the reply', async () => {
    const { answerer } = asking();
    await expect(answerer.request(c, question, 'why?', soon)).rejects.toThrowError('asks');
  });
});

describe('a thread without an event loop', () => {
  function parking() {
    const { endpoints } = smallBus(['atomics', 'atomics']);
    const [asker, answerer] = endpoints as [Endpoint, Endpoint];
    answerer.on(question, (body, header) => answerer.reply(header, `re: ${body}`));
    return { asker, answerer };
  }

  it('gets the reply while it drains', () => {
    const { asker, answerer } = parking();
    const heard: unknown[] = [];
    const onReply = (error: unknown, reply: string | null) => heard.push([error, reply]);
    expect(asker.ask(b, question, 'why?', { ...soon, onReply })).toBe(true);
    answerer.drain();
    expect(heard).toEqual([]);
    asker.drain();
    expect(heard).toEqual([[null, 're: why?']]);
  });

  it('hears of a deadline between two sleeps, none of which is longer', () => {
    const { asker } = parking();
    const heard: unknown[] = [];
    const onReply = (error: RuntimeError | null) => heard.push(error?.code);
    asker.ask(b, question, 'why?', { deadlineMs: 20, onReply });
    for (let sleeps = 0; sleeps < 100 && heard.length === 0; sleeps += 1) {
      asker.park(60_000);
      asker.drain();
    }
    expect(heard).toEqual(['BUS_REQUEST_EXPIRED']);
  });

  it('is told at once when nothing could be sent', () => {
    const { asker, answerer } = parking();
    fill(asker, answerer, limits.outboxFramesMax);
    const onReply = vi.fn();
    expect(asker.ask(b, question, 'why?', { ...soon, onReply })).toBe(false);
    expect(asker.statistics().requests).toBe(0);
    expect(onReply).not.toHaveBeenCalled();
  });
});
