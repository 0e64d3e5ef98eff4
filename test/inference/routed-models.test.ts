/** Choosing among real models: the draft as the small one, the embedded as the large, a server as the remote. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RoutingPolicy } from '../../src/actors/routing-policy.ts';
import type { GeneratedToken, GenerationRequest } from '../../src/inference/model-port.ts';
import { ModelSet, type ModelSetSettings } from '../../src/inference/model-set.ts';
import { routeRecordSchema } from '../../src/inference/route-record.ts';
import { RoutedModels } from '../../src/inference/routed-models.ts';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import {
  type Answer,
  answerJson,
  chunk,
  sayWhole,
  sendEvent,
  startEndpointServer,
} from './endpoint-server.ts';
import { draftModelFile, embeddedModelFile, longRequest, request } from './requests.ts';

/** As their files have it. */
const parameters = { small: 436_896, large: 3_803_904 };
const base = { embeddedModelFile, cores: 2, deterministic: true, sequences: 1 };
const file = (name: string, modelFile: string) => ({
  name,
  model: { ...base, modelFile, trusted: true },
});
const smallSlot = { ...file('small', draftModelFile), tier: 'small' as const };
const largeSlot = { ...file('large', embeddedModelFile), tier: 'large' as const };
const lost = (name: string, tier: 'small' | 'large') => ({
  ...file(name, '/nowhere/lost.gguf'),
  tier,
});
const remote = (baseUrl: string) => ({
  name: 'far',
  model: { ...base, baseUrl, modelName: 'far' },
});

async function open(
  policy: RoutingPolicy | null,
  others: ModelSetSettings['others'] = [largeSlot],
  first: ModelSetSettings['default'] = smallSlot,
): Promise<RoutedModels> {
  const set = new ModelSet({ default: first, others, memoryMb: null });
  onTestFinished(() => set.close());
  await set.open();
  return new RoutedModels(set, policy);
}

async function serve(answer: Answer) {
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  return server;
}

const extraction = (changes: Partial<GenerationRequest> = {}): GenerationRequest =>
  request('Extract the names from: Priya wrote to Marco in Leeds.', {
    schema: {
      type: 'object',
      properties: { names: { type: 'array', items: { type: 'string' } } },
    },
    ...changes,
  });

async function errorOf(failing: Promise<unknown>): Promise<RuntimeError | null> {
  return failing.then(
    () => null,
    (error: RuntimeError) => error,
  );
}

/** The outcome, with the tokens that were shown. */
async function ask(models: RoutedModels, question: GenerationRequest) {
  const shown: GeneratedToken[] = [];
  const outcome = await models.generate(question, { onToken: (token) => shown.push(token) });
  return { outcome, shown, routing: outcome.routing };
}

const costOf = (usage: { promptTokens: number; answerTokens: number }, count: number): number =>
  (usage.promptTokens + usage.answerTokens) * count;

describe('a choice among models', () => {
  test('is made only under a policy, and only where no model is named', async () => {
    const without = await open(null);
    expect((await ask(without, extraction())).routing).toBeUndefined();
    const models = await open({});
    const named = await ask(models, extraction({ model: 'large' }));
    expect(named.routing).toBeUndefined();
    expect(named.outcome.served?.model).toBe('large');
    const own = await ask(without, extraction({ routing: { prefer: { extraction: 'large' } } }));
    expect(own.outcome.served?.model).toBe('large');
  });

  test('is told with its reasons and with what it saved', async () => {
    const { outcome, shown, routing } = await ask(await open({}), extraction());
    expect(outcome.served?.model).toBe('small');
    expect(shown).toEqual(outcome.tokens);
    expect(routeRecordSchema.parse(routing)).toEqual(routing);
    expect(routing).toMatchObject({
      taskClass: 'extraction',
      evidence: '"Extract"',
      privacy: 'any',
      answerTokens: 120,
      ranked: [{ model: 'small' }, { model: 'large', reasons: expect.any(Array) }],
      attempts: [{ model: 'small', passedOver: null, minConfidence: outcome.minConfidence }],
      cost: {
        spent: costOf(outcome.usage, parameters.small),
        saved: costOf(outcome.usage, parameters.large - parameters.small),
      },
    });
  });
});

describe('a cascade', () => {
  test('takes the answer of the small model when it is sure enough', async () => {
    const { routing, shown, outcome } = await ask(
      await open({ escalate: { below: 0 } }),
      extraction(),
    );
    expect(routing?.attempts).toHaveLength(1);
    expect(outcome.served?.model).toBe('small');
    expect(shown).toEqual(outcome.tokens);
  });

  test('asks the large one when it is not, and shows that answer alone', async () => {
    const models = await open({ escalate: { below: 1 } });
    const alone = await models.generate(extraction({ model: 'large' }));
    const small = await models.generate(extraction({ model: 'small' }));
    const { outcome, shown, routing } = await ask(models, extraction());
    expect(outcome.text).toBe(alone.text);
    expect(shown).toEqual(alone.tokens);
    expect(routing?.attempts).toEqual([
      {
        model: 'small',
        passedOver: expect.stringContaining('is below 1'),
        minConfidence: small.minConfidence,
        tokens: small.usage.promptTokens + small.usage.answerTokens,
        cost: costOf(small.usage, parameters.small),
      },
      expect.objectContaining({ model: 'large', passedOver: null }),
    ]);
    expect(routing?.cost.saved).toBe(-costOf(small.usage, parameters.small));
  });

  test('asks the large one when a detector stopped the small one', async () => {
    const models = await open({ escalate: { below: 0 } });
    const { routing } = await ask(
      models,
      extraction({ detectors: { minConfidence: 1, repetition: null } }),
    );
    expect(routing?.attempts[0]).toMatchObject({
      model: 'small',
      passedOver: 'stopped by the detector of confidence',
    });
    expect(routing?.attempts[1]?.model).toBe('large');
  });

  test('lets the doubtful answer stand when no larger one comes', async () => {
    const models = await open({ escalate: { below: 1 } }, [lost('large', 'large')]);
    const alone = await models.generate(extraction({ model: 'small' }));
    const { outcome, shown, routing } = await ask(models, extraction());
    expect(outcome.text).toBe(alone.text);
    expect(shown).toEqual(alone.tokens);
    expect(routing?.attempts.map(({ model, passedOver }) => [model, passedOver])).toEqual([
      ['large', 'MODEL_NOT_FOUND'],
      ['small', null],
    ]);
  });

  test('ends with an abort or a time limit, and asks nobody else', async () => {
    const models = await open({ escalate: { below: 1 }, prefer: { chat: 'large' } });
    const stop = new AbortController();
    const aborted = models.generate(longRequest(), {
      signal: stop.signal,
      onToken: () => stop.abort(),
    });
    expect((await errorOf(aborted))?.code).toBe('INFERENCE_ABORTED');
    const late = await errorOf(models.generate(longRequest({ timeoutMs: 1 })));
    expect(late?.code).toBe('INFERENCE_TIMEOUT');
  });
});

describe('another model', () => {
  const prefer = { extraction: 'remote' } as const;

  test('takes over from an endpoint that fails, and from a file that is lost', async () => {
    const server = await serve((response) => answerJson(response, 503, { error: 'overloaded' }));
    const others = [remote(server.baseUrl), lost('gone', 'large')];
    const { outcome, routing } = await ask(await open({ prefer }, others), extraction());
    expect(server.calls).toHaveLength(1);
    expect(routing?.attempts.map(({ model, passedOver }) => [model, passedOver])).toEqual([
      ['far', 'INFERENCE_REJECTED'],
      ['gone', 'MODEL_NOT_FOUND'],
      ['small', null],
    ]);
    expect(outcome.served?.model).toBe('small');
  });

  test('takes over where the prompt is longer than its estimate', async () => {
    const server = await serve((response) => sayWhole(response, 'seven'));
    const models = await open({}, [largeSlot, remote(server.baseUrl)]);
    // Every digit is a token of its own here.
    const { routing } = await ask(models, request('7'.repeat(4_000)));
    expect(routing?.attempts.map(({ model, passedOver }) => [model, passedOver])).toEqual([
      ['small', 'CONTEXT_TOO_LONG'],
      ['large', 'CONTEXT_TOO_LONG'],
      ['far', null],
    ]);
  });

  test('does not take over from an answer that was partly shown', async () => {
    const server = await serve((response) => {
      sendEvent(response, chunk('{"names"', [['{"names"', 0.9]]));
      setTimeout(() => response.destroy(), 50);
    });
    const models = await open({ prefer }, [remote(server.baseUrl)]);
    const error = await errorOf(ask(models, extraction()));
    expect(error).toMatchObject({ code: 'INFERENCE_PROTOCOL', retryable: true });
  });

  test('fails as the last one did when none is left', async () => {
    const models = await open({ remote: 'never' }, [], smallSlot);
    const error = await errorOf(models.generate(request('x '.repeat(9_000))));
    expect(error?.code).toBe('CONTEXT_TOO_LONG');
    const strict = await errorOf(models.generate(extraction({ routing: { maxCost: 1 } })));
    expect(strict).toMatchObject({ code: 'ROUTE_EMPTY' });
  });
});

describe('a local-only prompt', () => {
  const privacy = 'local-only' as const;

  test('reaches no endpoint, by preference, cascade, fallback or name', async () => {
    const server = await serve((response) => sayWhole(response, '{"names": []}'));
    const far = remote(server.baseUrl);
    const policies: RoutingPolicy[] = [
      {},
      { prefer: { extraction: 'remote' } },
      { escalate: { below: 1 } },
      { prefer: { extraction: 'remote' }, escalate: { below: 1 } },
    ];
    for (const routing of policies) {
      const models = await open(null, [far]);
      const { routing: record } = await ask(models, extraction({ privacy, routing }));
      expect(record?.attempts.map(({ model }) => model)).toEqual(['small']);
      expect(record?.excluded).toMatchObject([{ model: 'far' }]);
    }
    const broken = await open({ prefer: { extraction: 'small' } }, [far, lost('gone', 'large')]);
    const tooLong = request(`Extract the names from: ${'x '.repeat(9_000)}`, { privacy });
    expect((await errorOf(broken.generate(tooLong)))?.code).toBe('CONTEXT_TOO_LONG');
    const named = await errorOf(broken.generate(extraction({ privacy, model: 'far' })));
    expect(named?.code).toBe('PRIVACY_LOCAL_ONLY');
    const alone = await open({}, [], { model: far.model });
    expect((await errorOf(alone.generate(extraction({ privacy }))))?.code).toBe(
      'PRIVACY_LOCAL_ONLY',
    );
    expect(server.calls).toEqual([]);
    expect((await alone.generate(extraction())).text).toBe('{"names": []}');
    expect(server.calls).toHaveLength(1);
  });
});
