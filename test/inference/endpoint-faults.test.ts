/** What an endpoint may do wrong on the wire, and what the caller is told of it. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { EndpointClient } from '../../src/inference/endpoint-client.ts';
import type { ModelPort } from '../../src/inference/model-port.ts';
import { OpenAiModel } from '../../src/inference/openai-model.ts';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import {
  type Answer,
  chunk,
  type EndpointServer,
  refuse,
  sendEvent,
  startEndpointServer,
  usageChunk,
} from './endpoint-server.ts';
import { request } from './requests.ts';

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function serve(answer: Answer): Promise<{ server: EndpointServer; model: ModelPort }> {
  const server = await startEndpointServer(answer);
  const model = new OpenAiModel(new EndpointClient(server.baseUrl, null), 'm');
  opened.push(server, model);
  return { server, model };
}

async function failure(failing: Promise<unknown>): Promise<RuntimeError> {
  return failing.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: RuntimeError) => error,
  );
}

/** A whole answer as it goes over the wire. */
const wire = [chunk('Zażółć ', null), chunk('gęślą', null), chunk('', null, 'stop')]
  .map((each) => `data: ${JSON.stringify(each)}\n\n`)
  .join('');
const bytes = Buffer.from(wire);
const endOfAnswer = bytes.indexOf('"finish_reason":"stop"');

/** Sends what is left of a stream; hanging up is no proper end, unlike `end`. */
async function sendRaw(
  response: ServerResponse,
  { sent, hangsUp }: { sent: Uint8Array; hangsUp: boolean },
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  await new Promise((resolve) => response.write(sent, resolve));
  if (hangsUp) response.destroy();
  else response.end();
}

describe('a stream that breaks off', () => {
  const inCharacter = bytes.indexOf(Buffer.from('ę')) + 1;
  const places: [string, number][] = [
    ['before its first byte', 0],
    ['in the middle of a line', bytes.indexOf('chatcmpl') + 3],
    ['in the middle of a character', inCharacter],
    ['between two events', bytes.indexOf('\n\n') + 2],
    ['before the blank line of an event', bytes.indexOf('\n\n') + 1],
    ['just before it says how it ended', endOfAnswer],
    ['in the blank line after the end', bytes.length - 1],
  ];

  it.each(places.flatMap(([name, at]) => [[name, at, false] as const, [name, at, true] as const]))(
    '%s (byte %i, hangs up: %s) is no answer, and may be tried again',
    async (_, at, hangsUp) => {
      const { model } = await serve((response) =>
        sendRaw(response, { sent: bytes.subarray(0, at), hangsUp }),
      );
      const error = await failure(model.generate(request('Where?')));
      expect(error).toMatchObject({ code: 'INFERENCE_PROTOCOL', retryable: true });
    },
  );

  it.each([false, true])(
    'without [DONE] after its end is whole (hangs up: %s)',
    async (hangsUp) => {
      const { model } = await serve((response) => sendRaw(response, { sent: bytes, hangsUp }));
      const outcome = await model.generate(request('Where?'));
      expect(outcome).toMatchObject({ finish: 'stop', text: 'Zażółć gęślą' });
    },
  );

  it('at any byte is either whole or no answer, never a part of one', async () => {
    const cuts = Array.from({ length: 24 }, (_, index) => Math.floor((index * bytes.length) / 24));
    const left = [...cuts];
    const { model } = await serve((response) =>
      sendRaw(response, { sent: bytes.subarray(0, left.shift() ?? 0), hangsUp: false }),
    );
    for (const _ of cuts) {
      const error = await failure(model.generate(request('Where?')));
      expect(error).toMatchObject({ code: 'INFERENCE_PROTOCOL', retryable: true });
    }
  });
});

describe('a stream with garbage in it', () => {
  const good = `data: ${JSON.stringify(chunk('Leeds', null))}\n\n`;

  it.each([
    ['half a JSON object', `${good}data: {"choices": [\n\n`],
    ['an event that is a list', `${good}data: []\n\n`],
    ['a text that is a number', `${good}data: {"choices":[{"delta":{"content":7}}]}\n\n`],
    [
      'a certainty that is a text',
      `${good}data: {"choices":[{"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":"high"}]}}]}\n\n`,
    ],
    ['bytes that are no UTF-8', Buffer.concat([Buffer.from(good), Buffer.of(0xc3, 0x28, 0x0a)])],
    ['zeros', Buffer.concat([Buffer.from(`${good}data: `), Buffer.alloc(64), Buffer.from('\n\n')])],
  ])('is refused: %s', async (_, sent) => {
    const { model } = await serve((response) =>
      sendRaw(response, { sent: Buffer.from(sent), hangsUp: false }),
    );
    const error = await failure(model.generate(request('Where?')));
    expect(error).toMatchObject({ code: 'INFERENCE_PROTOCOL', retryable: false });
  });

  it.each([
    ['fields and events that nobody knows', 'id: 7\nretry: 10\nevent: ping\n\n: comment\n\n'],
    ['members that nobody knows', 'data: {"choices":[],"timings":{"ms":1},"x":null}\n\n'],
    ['an empty event', '\n\n\n\n'],
  ])('is read past what the protocol allows: %s', async (_, between) => {
    const end = `data: ${JSON.stringify(chunk('', null, 'stop'))}\n\n`;
    const { model } = await serve((response) =>
      sendRaw(response, { sent: Buffer.from(`${good}${between}${end}`), hangsUp: false }),
    );
    expect((await model.generate(request('Where?'))).text).toBe('Leeds');
  });

  it('after its end is not looked at', async () => {
    const { model } = await serve((response) => {
      sendEvent(response, chunk('Leeds', null));
      sendEvent(response, chunk('', null, 'stop'));
      sendEvent(response, usageChunk(5, 1));
      sendEvent(response, 'garbage');
      response.end();
    });
    const outcome = await model.generate(request('Where?'));
    expect(outcome).toMatchObject({ text: 'Leeds', usage: { promptTokens: 5 } });
  });
});

describe('a refusal', () => {
  const date = 'Sat, 28 Nov 2026 10:00:00 GMT';
  const later = 'Sat, 28 Nov 2026 10:01:30 GMT';

  it.each<[string, Record<string, string>, number | undefined]>([
    ['seconds', { 'retry-after': '7' }, 7_000],
    ['a date, by the clock of the server', { date, 'retry-after': later }, 90_000],
    ['a date that is past', { date: later, 'retry-after': date }, undefined],
    ['more than an hour', { 'retry-after': '86400' }, 3_600_000],
    ['nothing', {}, undefined],
    ['nonsense', { 'retry-after': 'soon' }, undefined],
    ['less than nothing', { 'retry-after': '-5' }, undefined],
  ])('with Retry-After as %s says how long to wait', async (_, headers, wait) => {
    const { server, model } = await serve((response) =>
      refuse(response, 429, { message: 'slow down', code: 'rate_limit_exceeded' }, headers),
    );
    const error = await failure(model.generate(request('Where?')));
    expect(error).toMatchObject({ code: 'INFERENCE_REJECTED', retryable: true });
    expect(error.details.retryAfterMs).toBe(wait);
    if (wait === 7_000) expect(error.message).toContain('wait 7 s, or lower');
    expect(server.calls).toHaveLength(1);
  });

  it('for another model than those that it serves is no fault of the server', async () => {
    const { model } = await serve(() => undefined);
    const error = await failure(model.generate(request('Where?', { model: 'other' })));
    expect(error).toMatchObject({ code: 'INFERENCE_REJECTED', retryable: false });
    expect(error.details.status).toBe(404);
  });

  it('whose body never ends is cut, and is a refusal all the same', async () => {
    const { server, model } = await serve((response) => {
      response.writeHead(503, { 'content-type': 'application/json' });
      const pump = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1 << 16)));
      };
      response.on('drain', pump);
      pump();
    });
    const error = await failure(model.generate(request('Where?')));
    expect(error).toMatchObject({ code: 'INFERENCE_REJECTED', retryable: true });
    expect(error.message.length).toBeLessThan(1_000);
    await server.dropped;
  });
});

describe('an endpoint that is silent', () => {
  it.each<[string, Answer]>([
    ['before its headers', () => undefined],
    [
      'after its headers',
      (response) =>
        void response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(),
    ],
    ['between two tokens', (response) => sendEvent(response, chunk('Lee', null))],
    [
      'in the middle of a line',
      (response) =>
        void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"cho'),
    ],
  ])('%s runs into the time limit of the generation', async (_, answer) => {
    const { server, model } = await serve(answer);
    const error = await failure(model.generate(request('Where?', { timeoutMs: 100 })));
    expect(error).toMatchObject({ code: 'INFERENCE_TIMEOUT', retryable: true });
    await server.dropped;
  });

  it('but for a drop now and then runs into it as well', async () => {
    const { server, model } = await serve((response) => {
      const drip = setInterval(() => sendEvent(response, chunk('a', null)), 20);
      response.on('close', () => clearInterval(drip));
    });
    const heard: string[] = [];
    const asked = request('Where?', { timeoutMs: 300, maxTokens: 1_000 });
    const failing = model.generate(asked, { onToken: ({ text }) => heard.push(text) });
    expect(await failure(failing)).toMatchObject({ code: 'INFERENCE_TIMEOUT' });
    expect(heard.length).toBeGreaterThan(0);
    await server.dropped;
  });
});
