import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BusMessage,
  createBus,
  type Endpoint,
  openEndpoint,
  threadId,
} from '../../src/bus/endpoint.ts';
import { openLlamaModel } from '../../src/inference/llama-model.ts';
import type { GenerationOutcome, GenerationRequest } from '../../src/inference/model-port.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import {
  InferenceClient,
  type InferenceWorker,
  startInferenceWorker,
} from '../../src/runtime/inference-worker/client.ts';
import { inferenceTopics, readTokenNotice } from '../../src/runtime/inference-worker/protocol.ts';
import { embeddedModelFile, request } from '../inference/requests.ts';

const main = threadId(0);
const inference = threadId(1);
const other = threadId(2);

interface House {
  readonly worker: InferenceWorker;
  readonly endpoints: { readonly main: Endpoint; readonly other: Endpoint };
  /** Clients of two places on the bus; tokens of labelled calls go to main. */
  readonly clients: { readonly main: InferenceClient; readonly other: InferenceClient };
  /** What main heard and neither the worker's handle nor its client took. */
  readonly heard: BusMessage[];
  readonly failures: unknown[];
}

const houses: House[] = [];

function build(model: { modelFile?: string } = {}): House {
  const bus = createBus(
    [main, inference, other].map((id) => ({ id, waits: 'event-loop' as const })),
  );
  const seat = (id: typeof main) => {
    const found = bus.get(id);
    if (found === undefined) throw new Error(`no seat ${id}`);
    return found;
  };
  const endpoints = { main: openEndpoint(seat(main).spec), other: openEndpoint(seat(other).spec) };
  const failures: unknown[] = [];
  const worker = startInferenceWorker({
    endpoint: endpoints.main,
    seat: seat(inference),
    model: { embeddedModelFile, cores: 2, ...model },
    onFailure: (error) => failures.push(error),
  });
  const clients = {
    main: new InferenceClient(endpoints.main, { worker: inference }),
    other: new InferenceClient(endpoints.other, { worker: inference, streamTo: main }),
  };
  const heard: BusMessage[] = [];
  endpoints.main.listen((message) => {
    if (!worker.handle(message) && !clients.main.handle(message)) heard.push(message);
  });
  endpoints.other.listen((message) => {
    expect(clients.other.handle(message)).toBe(true);
  });
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
      gpu: false,
      demonstration: true,
      cores: 2,
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
    const notices = heard.map(readTokenNotice);
    expect(notices.map((notice) => notice?.text).join('')).toBe(outcome.text);
    expect(notices[0]).toEqual({
      requester: endpoints.other.self,
      request: expect.any(Number),
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

  it('serves runs in turns, so that a single call does not wait for a whole run', async () => {
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
    expect(served).toEqual(['r1', 'other', 'single', 'r2', 'r3']);
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

  it('leaves messages that are not its own to others', async () => {
    const { worker, clients } = shared;
    await worker.ready;
    const message = { topic: inferenceTopics.close + 1, from: main, correlation: 0, body: null };
    expect(worker.handle(message)).toBe(false);
    expect(clients.main.handle(message)).toBe(false);
  });
});

describe('a client', () => {
  it('whose messages are refused says so', async () => {
    const client = new InferenceClient({ self: main, send: () => false }, { worker: inference });
    await expect(client.generate(request('Hello!'))).rejects.toMatchObject({
      code: 'OUTBOX_FULL',
      retryable: true,
    });
  });

  it('fails its calls when the worker is gone', async () => {
    const client = new InferenceClient({ self: main, send: () => true }, { worker: inference });
    const call = client.generate(request('Hello!'));
    client.fail(new RuntimeError('INTERNAL', 'The inference worker ended.'));
    await expect(call).rejects.toEqual(code('INTERNAL'));
  });
});
