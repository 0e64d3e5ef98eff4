import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ContextNode, contextHash } from '../../src/actors/context-node.ts';
import {
  createBus,
  type Endpoint,
  openEndpoint,
  type RequestOptions,
  seatOf,
} from '../../src/bus/endpoint.ts';
import { openLlamaModel } from '../../src/inference/llama-model.ts';
import type { GenerationOutcome, GenerationRequest } from '../../src/inference/model-port.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import {
  InferenceClient,
  type InferenceWorker,
  startInferenceWorker,
} from '../../src/runtime/inference-worker/client.ts';
import type { TokenNotice } from '../../src/runtime/inference-worker/protocol.ts';
import { actuatorThread, inferenceThread, mainThread, topics } from '../../src/runtime/topics.ts';
import { embeddedModelFile, request } from '../inference/requests.ts';

interface House {
  readonly worker: InferenceWorker;
  readonly endpoints: { readonly main: Endpoint; readonly other: Endpoint };
  /** Clients of two places on the bus; tokens of labelled calls go to main. */
  readonly clients: { readonly main: InferenceClient; readonly other: InferenceClient };
  /** Tokens that main heard and that are not of its own calls. */
  readonly heard: TokenNotice[];
  readonly failures: unknown[];
}

const houses: House[] = [];

function build(model: { modelFile?: string } = {}): House {
  const bus = createBus({
    threads: [
      { id: mainThread, name: 'main', waits: 'event-loop' },
      { id: inferenceThread, name: 'inference', waits: 'event-loop' },
      { id: actuatorThread, name: 'actuators', waits: 'event-loop' },
    ],
    topics: Object.values(topics),
  });
  const endpoints = {
    main: openEndpoint(seatOf(bus, mainThread).spec),
    other: openEndpoint(seatOf(bus, actuatorThread).spec),
  };
  const failures: unknown[] = [];
  const worker = startInferenceWorker({
    endpoint: endpoints.main,
    seat: seatOf(bus, inferenceThread),
    models: {
      default: { model: { embeddedModelFile, cores: 2, deterministic: true, ...model } },
      others: [],
      memoryMb: null,
      routing: null,
    },
    onEnded: (error) => {
      bus.monitor.threadEnded(inferenceThread);
      if (error !== null) failures.push(error);
    },
  });
  const clients = {
    main: new InferenceClient(endpoints.main),
    other: new InferenceClient(endpoints.other, { streamTo: mainThread }),
  };
  const heard: TokenNotice[] = [];
  endpoints.main.on(topics.token, (notice) => {
    if (!clients.main.takeToken(notice)) heard.push(notice);
  });
  endpoints.main.listen();
  endpoints.other.listen();
  const house = { worker, endpoints, clients, heard, failures };
  houses.push(house);
  return house;
}

let shared: House;

beforeAll(() => {
  shared = build();
});

afterAll(async () => {
  for (const { worker, endpoints } of houses.splice(0)) {
    await worker.close();
    endpoints.main.close();
    endpoints.other.close();
  }
});

const names: JsonObject = {
  type: 'object',
  properties: { names: { type: 'array', items: { type: 'string' } } },
};
const extraction = (seed: number): GenerationRequest =>
  request('Extract the names from: Priya wrote to Marco in Leeds.', {
    schema: names,
    temperature: 1,
    seed,
  });
/** Takes long: the model has to fill a long list. */
const long = (): GenerationRequest =>
  request('Hello!', {
    schema: { type: 'array', items: { type: 'string' }, minItems: 900 },
    maxTokens: 1_024,
  });

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('the inference worker', () => {
  it('says which model serves and answers as the model in this thread does', async () => {
    const { worker, clients } = shared;
    const model = await openLlamaModel({
      file: embeddedModelFile,
      trusted: true,
      device: 'cpu',
      demonstration: true,
      cores: 2,
      deterministic: true,
    });
    expect(await worker.ready).toEqual(model.info);
    const seeds = [1, 2, 3, 4, 5, 6];
    const here: GenerationOutcome[] = [];
    for (const seed of seeds) here.push(await model.generate(extraction(seed)));
    const there = await Promise.all(
      seeds.map((seed) => clients[seed % 2 ? 'main' : 'other'].generate(extraction(seed))),
    );
    expect(there).toEqual(here);
    await model.close();
  });

  it('serves calls that came before the model was loaded', async () => {
    const { clients } = build();
    expect((await clients.other.generate(request('Hello!'))).text).toBe(
      'Hello! How can I help you?',
    );
  });

  it('streams tokens to the caller, before the outcome', async () => {
    const { clients, heard } = shared;
    const tokens: string[] = [];
    const outcome = await clients.main.generate(request('Hello!'), {
      onToken: ({ text }) => tokens.push(text),
    });
    expect(tokens).toEqual(outcome.tokens.map(({ text }) => text));
    expect(heard).toEqual([]);
  });

  it('streams labelled tokens to the thread that watches', async () => {
    const { clients, endpoints, heard } = shared;
    const label = { run: 'r', actor: 'a' };
    heard.length = 0;
    const outcome = await clients.other.generate(request('Hello!'), { label });
    // Both come from the worker in order, but to two inboxes: a call of main closes the gap.
    await clients.main.generate(request('Hello!', { maxTokens: 1 }));
    expect(heard.map(({ text }) => text).join('')).toBe(outcome.text);
    expect(heard[0]).toEqual({
      requester: endpoints.other.self,
      call: expect.any(Number),
      place: 0,
      label,
      ...outcome.tokens[0],
    });
  });

  it('aborts one call and serves the others', async () => {
    const { clients } = shared;
    const abort = new AbortController();
    const before = clients.main.generate(request('Hello!'));
    const aborted = clients.main.generate(long(), {
      signal: abort.signal,
      onToken: () => abort.abort(),
    });
    const next = clients.main.generate(request('Hello!'));
    await expect(aborted).rejects.toEqual(code('INFERENCE_ABORTED'));
    expect((await before).text).toBe('Hello! How can I help you?');
    expect((await next).text).toBe('Hello! How can I help you?');
    await expect(clients.main.generate(long(), { signal: abort.signal })).rejects.toEqual(
      code('INFERENCE_ABORTED'),
    );
  });

  it('serves a single call first, and runs in turns, so that nobody waits for a whole run', async () => {
    const { clients } = shared;
    const label = { run: 'r', actor: 'a' };
    const abort = new AbortController();
    const served: string[] = [];
    const call = async (name: string, options: { label?: JsonObject }) => {
      await clients.main.generate(request('Hello!', { maxTokens: 2 }), options);
      served.push(name);
    };
    // Holds the turn until all others wait: its abort is sent behind them.
    const blocking = clients.main.generate(long(), {
      signal: abort.signal,
      onToken: () => abort.abort(),
    });
    const calls = [call('r1', { label }), call('r2', { label }), call('r3', { label })];
    calls.push(call('other', { label: { run: 's', actor: 'a' } }), call('single', {}));
    await expect(blocking).rejects.toEqual(code('INFERENCE_ABORTED'));
    await Promise.all(calls);
    expect(served).toEqual(['single', 'r1', 'other', 'r2', 'r3']);
  });

  it('answers on a context as on its messages, and is told only what is new', async () => {
    const { clients } = shared;
    const question = 'Extract the names from: Priya wrote to Marco in Leeds.';
    const { messages, ...parameters } = request(question, { schema: names });
    const whole = await clients.other.generate({
      ...parameters,
      messages: [
        ...messages,
        { role: 'assistant', content: '{}' },
        { role: 'user', content: 'Result of read:\nmore' },
      ],
    });
    const first: ContextNode = { parent: null, items: [{ role: 'user', content: question }] };
    const second: ContextNode = {
      parent: contextHash(first),
      items: [
        { role: 'assistant', content: '{}' },
        { role: 'tool', tool: 'read', content: 'more' },
      ],
    };
    await clients.main.generate({ ...parameters, chain: [first] });
    expect(await clients.other.generate({ ...parameters, chain: [second] })).toEqual(whole);
    const again: ContextNode = { parent: contextHash(second), items: [] };
    expect(await clients.other.generate({ ...parameters, chain: [again] })).toEqual(whole);
    const unknown: ContextNode = { ...second, parent: sha256('never') };
    await expect(clients.main.generate({ ...parameters, chain: [unknown] })).rejects.toThrow(
      code('CONTEXT_UNKNOWN'),
    );
  });

  it('passes errors of the model on by their code', async () => {
    const { clients } = shared;
    const schema = { type: 'string', pattern: 'a' };
    await expect(clients.main.generate(request('Hello!', { schema }))).rejects.toEqual(
      code('SCHEMA_UNSUPPORTED'),
    );
    await expect(clients.main.generate({ ...long(), timeoutMs: 20 })).rejects.toMatchObject({
      code: 'INFERENCE_TIMEOUT',
      retryable: true,
    });
  });

  it('refuses a request that is not valid', async () => {
    const { clients } = shared;
    const failing = clients.main.generate(request('Hello!', { temperature: 9 }));
    await expect(failing).rejects.toEqual(code('REQUEST_INVALID'));
    await expect(failing).rejects.toThrow('request.temperature');
  });

  it('stops in the middle of a generation, and this process lives', async () => {
    const { worker, clients, failures } = build();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const running = clients.main.generate(long(), { onToken: () => start() });
    const waiting = clients.other.generate(long());
    const both = Promise.allSettled([running, waiting]);
    await started;
    await worker.close();
    const aborted = { status: 'rejected', reason: code('INFERENCE_ABORTED') };
    expect(await both).toEqual([aborted, aborted]);
    expect(failures).toEqual([]);
  });

  it('reports a model that cannot be loaded, to its owner and to callers', async () => {
    const { worker, clients, failures } = build({ modelFile: import.meta.filename });
    const call = clients.main.generate(request('Hello!'));
    await expect(worker.ready).rejects.toEqual(code('MODEL_INVALID'));
    await expect(call).rejects.toEqual(code('MODEL_INVALID'));
    await worker.close();
    expect(failures).toEqual([]);
  });

  it('fails the calls of a thread that ended, at once', async () => {
    const { worker, clients } = build();
    await worker.close();
    await expect(clients.other.generate(request('Hello!'))).rejects.toEqual(
      code('BUS_THREAD_ENDED'),
    );
  });
});

describe('a client', () => {
  it('whose messages are refused says so', async () => {
    const full = new RuntimeError('OUTBOX_FULL', 'No room.', { retryable: true });
    const endpoint = { self: mainThread, send: () => false, request: () => Promise.reject(full) };
    await expect(new InferenceClient(endpoint).generate(request('Hello!'))).rejects.toBe(full);
  });

  it('frees a caller whose abort cannot be sent', async () => {
    const abort = new AbortController();
    const waitForEver = (_to: unknown, _topic: unknown, _body: unknown, options: RequestOptions) =>
      new Promise<never>((_resolve, reject) => {
        options.signal?.addEventListener('abort', () => reject(options.signal?.reason));
      });
    const client = new InferenceClient({
      self: mainThread,
      send: () => false,
      request: waitForEver,
    });
    const call = client.generate(request('Hello!'), { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toEqual(code('INFERENCE_ABORTED'));
  });
});
