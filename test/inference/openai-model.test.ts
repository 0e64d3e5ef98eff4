import { afterEach, describe, expect, it } from 'vitest';
import type { ModelPort } from '../../src/inference/model-port.ts';
import { openModel } from '../../src/inference/open-model.ts';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import {
  type Answer,
  answerJson,
  chunk,
  type EndpointServer,
  refuse,
  sendEvent,
  startEndpointServer,
  usageChunk,
} from './endpoint-server.ts';
import { embeddedModelFile, request } from './requests.ts';

const apiKey = 'sk-secret-0123456789';
const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function openAt(baseUrl: string, modelName: string | null = 'm'): Promise<ModelPort> {
  const model = await openModel({
    baseUrl,
    apiKey,
    embeddedModelFile,
    cores: 2,
    ...(modelName === null ? {} : { modelName }),
  });
  opened.push(model);
  return model;
}

async function serve(
  answer: Answer,
  modelName: string | null = 'm',
): Promise<{ server: EndpointServer; model: ModelPort }> {
  const server = await startEndpointServer(answer, apiKey);
  opened.push(server);
  return { server, model: await openAt(server.baseUrl, modelName) };
}

async function failure(failing: Promise<unknown>): Promise<RuntimeError> {
  return failing.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: RuntimeError) => error,
  );
}

const leeds: Answer = (response) => {
  sendEvent(response, chunk('', null));
  sendEvent(response, chunk('Lee', [['Lee', 0.9]]));
  sendEvent(
    response,
    chunk('ds, UK', [
      ['ds', 0.8],
      [', UK', 0.25],
    ]),
  );
  sendEvent(response, chunk('', null, 'stop'));
  sendEvent(response, usageChunk(12, 3));
  sendEvent(response, '[DONE]');
  response.end();
};

describe('an answer of an endpoint', () => {
  it('comes with text, tokens, confidences and usage', async () => {
    const { model } = await serve(leeds);
    const heard: string[] = [];
    const outcome = await model.generate(request('Where?'), {
      onToken: (token) => heard.push(token.text),
    });
    expect(outcome).toMatchObject({
      status: 'completed',
      text: 'Leeds, UK',
      finish: 'stop',
      halt: null,
      usage: { promptTokens: 12, answerTokens: 3 },
    });
    expect(heard).toEqual(['Lee', 'ds', ', UK']);
    expect(outcome.tokens.map(({ confidence }) => confidence?.toFixed(6))).toEqual([
      '0.900000',
      '0.800000',
      '0.250000',
    ]);
    expect(outcome.minConfidence).toBeCloseTo(0.25, 9);
  });

  it('was asked for with everything that the request says', async () => {
    const { server, model } = await serve(leeds);
    await model.generate(request('Where?', { temperature: 0.7, seed: 9, maxTokens: 33 }));
    expect(server.calls[0]).toEqual({
      authorization: `Bearer ${apiKey}`,
      body: {
        model: 'm',
        messages: [{ role: 'user', content: 'Where?' }],
        temperature: 0.7,
        seed: 9,
        max_tokens: 33,
        stream: true,
        stream_options: { include_usage: true },
        logprobs: true,
        top_logprobs: 5,
      },
    });
  });

  it('has unknown confidences where the server tells none', async () => {
    const { model } = await serve((response) => {
      sendEvent(response, chunk('Leeds', null));
      sendEvent(response, chunk('', null, 'stop'));
      sendEvent(response, '[DONE]');
      response.end();
    });
    const detectors = { minConfidence: 0.9, repetition: null };
    const outcome = await model.generate(request('Where?', { detectors }));
    expect(outcome).toMatchObject({ status: 'completed', minConfidence: null });
    expect(outcome.tokens).toEqual([
      { text: 'Leeds', confidence: null, forced: false, entropy: null, margin: null },
    ]);
  });

  it('tells entropy and margin of the tokens whose rivals the server lists', async () => {
    const { model } = await serve((response) => {
      sendEvent(response, chunk('Lee', [['Lee', 0.5, [0.5, 0.25, 0.25]]]));
      sendEvent(response, chunk('ds', [['ds', 0.9]]));
      sendEvent(response, chunk('', null, 'stop'));
      response.end();
    });
    const { tokens } = await model.generate(request('Where?'));
    expect(tokens).toMatchObject([
      { entropy: expect.closeTo(1.5 * Math.LN2, 9), margin: expect.closeTo(0.25, 9) },
      { confidence: expect.closeTo(0.9, 9), entropy: null, margin: null },
    ]);
  });

  it('is as doubtful as the most doubtful part where tokens are parts of characters', async () => {
    const { model } = await serve((response) => {
      const parts = [
        ['\\xc3', 0.6, [0.6, 0.4]],
        ['\\xa9', 0.9, [0.9, 0.1]],
      ] as const;
      sendEvent(response, chunk('é', parts));
      sendEvent(response, chunk('', null, 'stop'));
      response.end();
    });
    const outcome = await model.generate(request('Where?'));
    expect(outcome.text).toBe('é');
    expect(outcome.minConfidence).toBeCloseTo(0.6, 9);
    expect(outcome.tokens).toMatchObject([
      { entropy: expect.closeTo(0.673, 3), margin: expect.closeTo(0.2, 9) },
    ]);
  });

  it('has an unknown confidence where the server has no number for a token', async () => {
    const { model } = await serve((response) => {
      sendEvent(response, chunk('Leeds', [['Leeds', Number.NaN, [Number.NaN, 0.5, 0.25]]]));
      sendEvent(response, chunk('', null, 'stop'));
      response.end();
    });
    const outcome = await model.generate(request('Where?'));
    expect(outcome.tokens[0]).toMatchObject({ confidence: null, margin: 0.25 });
    expect(outcome.minConfidence).toBeNull();
  });

  it('is read through any cut of the stream, with CR LF and comments', async () => {
    const { model } = await serve(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const events = [
        ': keep alive\r\n\r\n',
        `event: x\r\ndata: ${JSON.stringify(chunk('Zażółć 😀', null))}\r\n\r\n`,
        `data:${JSON.stringify(chunk('', null, 'stop'))}\r\n\r\n`,
        'data: [DONE]\r\n\r\n',
      ];
      for (const byte of Buffer.from(events.join(''))) {
        await new Promise((resolve) => response.write(Buffer.of(byte), resolve));
      }
      response.end();
    });
    expect((await model.generate(request('Where?'))).text).toBe('Zażółć 😀');
  });

  it('under a schema ends with its JSON value, and the schema was sent', async () => {
    const { server, model } = await serve((response) => {
      sendEvent(response, chunk('{"a": ', null));
      sendEvent(response, chunk('1}\n\n', null));
      sendEvent(response, chunk('\n\n', null));
      sendEvent(response, chunk('', null, 'length'));
      sendEvent(response, usageChunk(5, 9));
      sendEvent(response, '[DONE]');
      response.end();
    });
    const schema = { type: 'object', properties: { a: { type: 'integer' } } };
    const outcome = await model.generate(request('Where?', { schema }));
    expect(outcome).toMatchObject({
      finish: 'schema',
      text: '{"a": 1}',
      usage: { promptTokens: 5, answerTokens: 9 },
    });
    expect(server.calls[0]?.body.response_format?.json_schema.schema).toEqual(schema);
  });

  it('is halted by a detector, and the connection is dropped', async () => {
    const { server, model } = await serve((response) => {
      sendEvent(response, chunk('Lee', [['Lee', 0.9]]));
      sendEvent(response, chunk('ds', [['ds', 0.2]]));
    });
    const detectors = { minConfidence: 0.5, repetition: null };
    const outcome = await model.generate(request('Where?', { detectors, timeoutMs: 120_000 }));
    expect(outcome).toMatchObject({
      status: 'halted',
      finish: 'halted',
      text: 'Leeds',
      halt: { detector: 'confidence', atToken: 1 },
    });
    await server.dropped;
  });

  it('is taken although the server never closes its stream', async () => {
    const { server, model } = await serve((response) => {
      sendEvent(response, chunk('Leeds', null));
      sendEvent(response, chunk('', null, 'stop'));
    });
    const outcome = await model.generate(request('Where?', { timeoutMs: 120_000 }));
    expect(outcome).toMatchObject({ finish: 'stop', text: 'Leeds' });
    await server.dropped;
  });

  it('ends by itself exactly at the token limit', async () => {
    const { model } = await serve((response) => {
      sendEvent(response, chunk('Lee', null));
      sendEvent(response, chunk('ds', null));
      sendEvent(response, chunk('', null, 'stop'));
      sendEvent(response, usageChunk(4, 2));
      sendEvent(response, '[DONE]');
      response.end();
    });
    const outcome = await model.generate(request('Where?', { maxTokens: 2 }));
    expect(outcome).toMatchObject({ finish: 'stop', usage: { promptTokens: 4 } });
  });

  it('is cut at the token limit although the server goes on', async () => {
    const { model } = await serve((response) => {
      for (let count = 0; count < 100; count += 1) sendEvent(response, chunk('no ', null));
    });
    const outcome = await model.generate(request('Where?', { maxTokens: 3 }));
    expect(outcome).toMatchObject({ finish: 'length', text: 'no no no ' });
  });

  const asked = ({ calls }: EndpointServer) =>
    calls.map(({ body }) => [body.logprobs, body.top_logprobs]);

  it('comes without log-probabilities from a server that refuses them, also next time', async () => {
    const { server, model } = await serve((response, call) => {
      if (call.body.logprobs) refuse(response, 400, { message: 'logprobs is not supported here' });
      else void leeds(response, call);
    });
    expect(model.info.capabilities).toMatchObject({ confidence: true, distribution: true });
    expect((await model.generate(request('Where?'))).text).toBe('Leeds, UK');
    await model.generate(request('Where?'));
    const none = [undefined, undefined];
    expect(asked(server)).toEqual([[true, 5], none, none]);
    expect(model.info.capabilities).toMatchObject({ confidence: false, distribution: false });
  });

  it('comes without lists from a server that refuses those, also next time', async () => {
    const { server, model } = await serve((response, call) => {
      if (call.body.top_logprobs === undefined) void leeds(response, call);
      else refuse(response, 422, { message: 'too many', param: 'top_logprobs' });
    });
    const outcome = await model.generate(request('Where?'));
    expect(outcome.minConfidence).toBeCloseTo(0.25, 9);
    expect(outcome.tokens[0]).toMatchObject({ entropy: null, margin: null });
    await model.generate(request('Where?'));
    const chosen = [true, undefined];
    expect(asked(server)).toEqual([[true, 5], chosen, chosen]);
    expect(model.info.capabilities).toMatchObject({ confidence: true, distribution: false });
  });

  it('comes from a server that refuses lists and then log-probabilities as well', async () => {
    const { server, model } = await serve((response, call) => {
      const { logprobs, top_logprobs: listed } = call.body;
      if (listed !== undefined) refuse(response, 400, { message: 'no top_logprobs' });
      else if (logprobs) refuse(response, 400, { message: 'no logprobs' });
      else void leeds(response, call);
    });
    const both = [model.generate(request('Where?')), model.generate(request('When?'))];
    for (const { text } of await Promise.all(both)) expect(text).toBe('Leeds, UK');
    await model.generate(request('Where?'));
    expect(asked(server).at(-1)).toEqual([undefined, undefined]);
    expect(asked(server).length).toBeLessThanOrEqual(7);
  });

  it('is asked for once where a refusal is about something else', async () => {
    const { server, model } = await serve((response) =>
      refuse(response, 400, { message: 'the schema is not supported' }),
    );
    expect(await failure(model.generate(request('Where?')))).toMatchObject({
      code: 'INFERENCE_REJECTED',
    });
    expect(server.calls).toHaveLength(1);
    expect(model.info.capabilities).toMatchObject({ confidence: true, distribution: true });
  });
});

describe('an endpoint that fails', () => {
  it.each([
    [401, false],
    [403, false],
    [404, false],
    [400, false],
    [429, true],
    [500, true],
    [503, true],
  ])('with HTTP %i is a refusal, retryable: %s', async (status, retryable) => {
    const { server, model } = await serve((response) => {
      answerJson(response, status, { error: { message: `no, not with the key ${apiKey}` } });
    });
    const error = await failure(model.generate(request('Where?')));
    expect(error).toMatchObject({ code: 'INFERENCE_REJECTED', retryable });
    expect(error.message).toContain(`HTTP ${status}`);
    expect(error.message).toContain('not with the key [key]');
    expect(JSON.stringify(error)).not.toContain(apiKey);
    expect(server.calls).toHaveLength(1);
  });

  it.each<[string, Answer]>([
    [
      'a web page',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    ],
    ['one JSON object', (response) => answerJson(response, 200, { choices: [] })],
    ['a stream of no JSON', (response) => sendEvent(response, 'hello')],
    ['a stream of other JSON', (response) => sendEvent(response, { choices: 'none' })],
    ['certainty above 1', (response) => sendEvent(response, chunk('a', [['a', 2]]))],
    ['an unknown end', (response) => sendEvent(response, chunk('', null, 'tool_calls'))],
    ['a fault inside the stream', (response) => sendEvent(response, { error: { message: 'oom' } })],
    [
      'bytes that are no text',
      (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(Buffer.from([0x64, 0xff, 0xfe, 0x0a]));
      },
    ],
    [
      'an end before the end of the answer',
      (response) => {
        sendEvent(response, chunk('Lee', null));
        response.end();
      },
    ],
    [
      'a broken connection',
      (response) => {
        sendEvent(response, chunk('Lee', null));
        response.write('data: {"cho', () => response.destroy());
      },
    ],
    [
      'a redirect elsewhere',
      (response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    ],
  ])('by answering %s breaks the protocol', async (_, answer) => {
    const { model } = await serve(answer);
    expect(await failure(model.generate(request('Where?')))).toMatchObject({
      code: 'INFERENCE_PROTOCOL',
    });
  });

  it('by answering without end is cut off', async () => {
    const { server, model } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const line = Buffer.alloc(1 << 20, 'x');
      const pump = () => {
        while (!response.destroyed && response.write(line));
      };
      response.on('drain', pump);
      pump();
    });
    const error = await failure(model.generate(request('Where?')));
    expect(error).toMatchObject({ code: 'INFERENCE_PROTOCOL' });
    expect(error.message).toContain('more than 4194304 bytes');
    await server.dropped;
  });

  it.each<[string, Answer]>([
    ['before its answer', () => undefined],
    ['in its answer', (response) => sendEvent(response, chunk('Lee', null))],
    ['in its refusal', (response) => void response.writeHead(500).write('{"error": ')],
  ])('by hanging %s runs into the time limit', async (_, answer) => {
    const { server, model } = await serve(answer);
    const error = await failure(model.generate(request('Where?', { timeoutMs: 150 })));
    expect(error).toMatchObject({ code: 'INFERENCE_TIMEOUT' });
    await server.dropped;
  });

  it('by not being there is unavailable', async () => {
    const server = await startEndpointServer(leeds);
    await server.close();
    const model = await openAt(server.baseUrl);
    const error = await failure(model.generate(request('Where?')));
    expect(error).toMatchObject({ code: 'INFERENCE_UNAVAILABLE', retryable: true });
    expect(error.message).toContain(server.baseUrl);
    expect(await failure(openAt(server.baseUrl, null))).toMatchObject({
      code: 'INFERENCE_UNAVAILABLE',
    });
  });
});

describe('a call of an endpoint', () => {
  it('is aborted', async () => {
    const abort = new AbortController();
    const { server, model } = await serve((response) => {
      sendEvent(response, chunk('Lee', null));
    });
    const failing = model.generate(request('Where?'), {
      signal: abort.signal,
      onToken: () => abort.abort(),
    });
    expect(await failure(failing)).toMatchObject({ code: 'INFERENCE_ABORTED' });
    await server.dropped;
  });

  it('is aborted when the model closes', async () => {
    const { model } = await serve(() => undefined);
    const failing = failure(model.generate(request('Where?')));
    await model.close();
    expect(await failing).toMatchObject({ code: 'INFERENCE_ABORTED' });
    expect(await failure(model.generate(request('Where?')))).toMatchObject({
      code: 'INFERENCE_ABORTED',
    });
  });
});

describe('the settings of an endpoint', () => {
  it('name no model: the first one of its list serves', async () => {
    const { model } = await serve(leeds, null);
    expect(model.info).toMatchObject({ name: 'first-model', backend: 'openai-compatible' });
  });

  it.each(['127.0.0.1:8080/v1', 'ftp://host/v1', 'http://user:secret@host/v1', ''])(
    'are refused with the address %j, which is not repeated',
    async (baseUrl) => {
      const error = await failure(openAt(baseUrl));
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(error.message).not.toContain('secret');
    },
  );

  it('are refused with a key that no header can carry', async () => {
    const failing = openModel({
      baseUrl: 'http://127.0.0.1/v1',
      apiKey: 'line\nbreak',
      modelName: 'm',
      embeddedModelFile,
      cores: 1,
    });
    expect(await failure(failing)).toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
