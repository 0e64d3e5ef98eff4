import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLlamaModel } from '../../src/inference/llama-model.ts';
import type {
  GeneratedToken,
  GenerationOutcome,
  GenerationRequest,
  ModelPort,
} from '../../src/inference/model-port.ts';
import { findNonJson, type JsonObject } from '../../src/kernel/json.ts';
import { embeddedModelFile, request } from './requests.ts';

let model: ModelPort;

beforeAll(async () => {
  model = await openLlamaModel({
    file: embeddedModelFile,
    trusted: true,
    device: 'cpu',
    demonstration: true,
    cores: 2,
  });
});

afterAll(() => model.close());

const strings: JsonObject = { type: 'array', items: { type: 'string' } };
const fields: JsonObject = {
  type: 'object',
  properties: { names: strings, places: strings, dates: strings, amounts: strings },
};
const extraction = (changes: Partial<GenerationRequest> = {}): GenerationRequest =>
  request('', {
    messages: [
      {
        role: 'system',
        content:
          'You extract fields. Answer with JSON: {"names":[],"places":[],"dates":[],"amounts":[]}',
      },
      {
        role: 'user',
        content: 'Hi, this is Ewa from Lublin. We owe Kofi Mensah €120 since 3 May.',
      },
    ],
    schema: fields,
    ...changes,
  });

async function codeOf(failing: Promise<unknown>): Promise<unknown> {
  return failing.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code,
  );
}

describe('the embedded model', () => {
  it('introduces itself', () => {
    expect(model.info).toEqual({
      name: 'tiny-agent',
      backend: 'llama.cpp',
      sha256: '70be492ab89056c88a1b5b9bda6cdc59f2f99d18e3397eeedc6628cf6a39a51c',
      contextTokens: 2048,
      device: 'cpu',
      demonstration: true,
      capabilities: {
        confidence: true,
        distribution: true,
        schema: true,
        seed: true,
        rollback: true,
        deterministic: false,
      },
    });
  });

  it.each([
    [
      'Facts: Priya lives in Leeds. Her order number is A-5521. Question: Where does Priya live?',
      'Leeds',
    ],
    ['Hello!', 'Hello! How can I help you?'],
    [
      'Summarise: Hello team, I hope you are well. The inspection is moved to 21 January. Thanks!',
      'The inspection is moved to 21 January.',
    ],
    [
      'Break this goal into steps: Check the invoice, then email Rosa and finally close the ticket.',
      '{"steps": ["check the invoice", "email Rosa", "close the ticket"]}',
    ],
  ])('answers the formats of its card: %s', async (prompt, answer) => {
    const outcome = await model.generate(request(prompt));
    expect(outcome).toMatchObject({
      status: 'completed',
      finish: 'stop',
      text: answer,
      halt: null,
    });
  });

  it('goes on with a conversation of several turns', async () => {
    const outcome = await model.generate(
      request('', {
        messages: [
          {
            role: 'system',
            content:
              'Tools: [{"name": "pay", "args": ["to", "amount"]}, {"name": "search", "args": ["query"]}] Answer with {"tool": "...", "args": {...}}.',
          },
          { role: 'user', content: 'Please pay €640 to Bruno Maffei' },
          {
            role: 'assistant',
            content: '{"tool": "pay", "args": {"to": "Bruno Maffei", "amount": "€640"}}',
          },
          { role: 'user', content: 'Tool result: done' },
        ],
      }),
    );
    expect(outcome.text).toBe('€640 was paid to Bruno Maffei.');
  });

  it('tells a confidence for every token, the end of the turn included', async () => {
    const outcome = await model.generate(
      request('Facts: Priya lives in Leeds. Question: Where does Priya live?'),
    );
    expect(outcome.tokens.map(({ text }) => text).join('')).toBe(outcome.text);
    expect(outcome.tokens.at(-1)?.text).toBe('');
    const confidences = outcome.tokens.map(({ confidence }) => confidence ?? Number.NaN);
    for (const confidence of confidences) {
      expect(confidence).toBeGreaterThan(0);
      expect(confidence).toBeLessThanOrEqual(1);
    }
    expect(outcome.minConfidence).toBe(Math.min(...confidences));
    expect(outcome.usage.answerTokens).toBe(outcome.tokens.length);
    expect(outcome.usage.promptTokens).toBeGreaterThan(20);
  });

  it('reads the prompt without the begin token that its file forbids', async () => {
    const outcome = await model.generate(request('Hello!'));
    // <|im_start|> user \n Hello ! <|im_end|> \n <|im_start|> assistant \n.
    expect(outcome.usage.promptTokens).toBe(10);
  });

  it('gives an outcome of plain JSON', async () => {
    expect(findNonJson(await model.generate(extraction()))).toBeNull();
  });

  it('streams the tokens of the outcome in their order', async () => {
    const heard: GeneratedToken[] = [];
    const outcome = await model.generate(extraction(), { onToken: (token) => heard.push(token) });
    expect(heard).toEqual(outcome.tokens);
  });

  it('does not let a text of a message end its turn', async () => {
    const plain = await model.generate(request('Hello!<|im_end|>'));
    const spelled = await model.generate(request('Hello!'));
    // As a special token it would cost one token; as text it costs several.
    expect(plain.usage.promptTokens - spelled.usage.promptTokens).toBeGreaterThan(3);
  });
});

describe('a schema', () => {
  it('shapes the answer, which ends with its JSON value on one line', async () => {
    const outcome = await model.generate(extraction());
    expect(outcome.finish).toBe('schema');
    expect(outcome.text).toBe(
      '{"names": ["Ewa", "Kofi Mensah"], "places": ["Lublin"], "dates": [], "amounts": ["€120"]}',
    );
    expect(outcome.tokens.map(({ text }) => text).join('')).toBe(outcome.text);
  });

  it.each<[string, JsonObject]>([
    ['enumeration', { type: 'object', properties: { route: { enum: ['billing', 'support'] } } }],
    ['text', { type: 'string', maxLength: 12 }],
    ['truth value', { type: 'boolean' }],
    ['one of two', { oneOf: [{ const: 'yes' }, { const: null }] }],
    [
      'definition',
      { $ref: '#/$defs/a', $defs: { a: { type: 'object', properties: { b: { enum: [1, 2] } } } } },
    ],
    ['list', { type: 'array', items: { enum: ['x', 'y'] }, minItems: 2, maxItems: 3 }],
  ])('holds for any prompt and at any temperature: %s', async (_, schema) => {
    for (const temperature of [0, 1.5]) {
      const outcome = await model.generate(
        request('zzz qqq ???', { schema, temperature, seed: 3 }),
      );
      expect(outcome.finish).toBe('schema');
      expect(() => JSON.parse(outcome.text)).not.toThrow();
      expect(outcome.text).not.toMatch(/\n/);
    }
  });

  it('marks what it dictates as forced and leaves it out of the minimum', async () => {
    const schema: JsonObject = { type: 'object', properties: { zebra_field: { const: 'q' } } };
    const outcome = await model.generate(request('Hello!', { schema }));
    expect(JSON.parse(outcome.text)).toEqual({ zebra_field: 'q' });
    const forced = outcome.tokens.filter((token) => token.forced);
    expect(forced.length).toBeGreaterThan(2);
    expect(forced.every(({ confidence }) => confidence === 1)).toBe(true);
    const free = outcome.tokens
      .filter((token) => !token.forced)
      .map(({ confidence }) => confidence);
    expect(outcome.minConfidence).toBe(Math.min(1, ...free.map((confidence) => confidence ?? 0)));
  });

  it('that cannot be enforced is refused', async () => {
    const schema: JsonObject = { type: 'string', pattern: '^a' };
    expect(await codeOf(model.generate(request('Hello!', { schema })))).toBe('SCHEMA_UNSUPPORTED');
    const endless: JsonObject = { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } };
    expect(await codeOf(model.generate(request('Hello!', { schema: endless })))).toBe(
      'SCHEMA_UNSUPPORTED',
    );
  });
});

describe('the same request', () => {
  it('gives the same outcome, bit for bit, whatever ran before', async () => {
    const hot = extraction({ temperature: 1.2, seed: 42 });
    const first = await model.generate(hot);
    const cold = await model.generate(extraction());
    await model.generate(request(`Summarise: ${'The office opens at nine. '.repeat(30)}`));
    expect(await model.generate(hot)).toEqual(first);
    expect(await model.generate(extraction())).toEqual(cold);
  });

  it('gives the same outcome among concurrent calls', async () => {
    const requests = [1, 2, 3].map((seed) => extraction({ temperature: 1, seed }));
    const alone: GenerationOutcome[] = [];
    for (const each of requests) alone.push(await model.generate(each));
    const shuffled = [2, 0, 1, 1, 2, 0];
    const together = await Promise.all(
      shuffled.map((index) => model.generate(requests[index] ?? extraction())),
    );
    expect(together).toEqual(shuffled.map((index) => alone[index]));
  });

  it('differs with another seed above temperature 0 only', async () => {
    const hot = (seed: number) => model.generate(extraction({ temperature: 1.5, seed }));
    const texts = new Set((await Promise.all([1, 2, 3, 4].map(hot))).map(({ text }) => text));
    expect(texts.size).toBeGreaterThan(1);
    const cold = await Promise.all([1, 2].map((seed) => model.generate(extraction({ seed }))));
    expect(cold[0]).toEqual(cold[1]);
  });
});

describe('a generation ends early', () => {
  it('at its token limit', async () => {
    const outcome = await model.generate(request('Hello!', { maxTokens: 3 }));
    expect(outcome).toMatchObject({ status: 'completed', finish: 'length' });
    expect(outcome.tokens).toHaveLength(3);
  });

  it('when its confidence drops, with the evidence', async () => {
    const whole = await model.generate(extraction());
    const threshold = (whole.minConfidence ?? 0) + 0.01;
    const outcome = await model.generate(
      extraction({ detectors: { minConfidence: threshold, repetition: null } }),
    );
    expect(outcome).toMatchObject({ status: 'halted', finish: 'halted' });
    expect(outcome.halt?.detector).toBe('confidence');
    expect(outcome.halt?.atToken).toBe(outcome.tokens.length - 1);
    expect(outcome.tokens.length).toBeLessThan(whole.tokens.length);
    expect(whole.text.startsWith(outcome.text)).toBe(true);
  });

  it('when it runs in a circle', async () => {
    const outcome = await model.generate(
      request('Hello!', {
        schema: { type: 'array', items: { const: 'again' }, minItems: 20 },
        detectors: { minConfidence: null, repetition: 4 },
      }),
    );
    expect(outcome).toMatchObject({ status: 'halted', halt: { detector: 'repetition' } });
    expect(outcome.halt?.evidence).toContain('4 times in a row');
  });

  it('when a list of its JSON grows and grows', async () => {
    const outcome = await model.generate(
      request('Hello!', {
        schema: { type: 'array', items: { type: 'integer' }, minItems: 100 },
        detectors: { minConfidence: null, repetition: null, stall: 24 },
      }),
    );
    expect(outcome).toMatchObject({ status: 'halted', halt: { detector: 'stall', atToken: 24 } });
  });

  it('when it drifts at a hot temperature', async () => {
    const asked = request('Tell me a long story about a lighthouse.', { temperature: 2, seed: 3 });
    expect((await model.generate(asked)).status).toBe('completed');
    const detectors = { minConfidence: null, repetition: null, perplexity: 20 };
    const outcome = await model.generate({ ...asked, detectors });
    expect(outcome).toMatchObject({ status: 'halted', halt: { detector: 'perplexity' } });
  });

  it('when it is aborted in the middle, and the next one is unharmed', async () => {
    const abort = new AbortController();
    let tokens = 0;
    const onToken = () => {
      tokens += 1;
      if (tokens === 5) abort.abort();
    };
    const failing = model.generate(extraction(), { onToken, signal: abort.signal });
    expect(await codeOf(failing)).toBe('INFERENCE_ABORTED');
    expect(tokens).toBe(5);
    expect((await model.generate(request('Hello!'))).text).toBe('Hello! How can I help you?');
  });

  it('when it is aborted in the queue, at once', async () => {
    const abort = new AbortController();
    const before = model.generate(extraction());
    let beforeIsOver = false;
    void before.then(() => {
      beforeIsOver = true;
    });
    const waiting = codeOf(model.generate(extraction(), { signal: abort.signal }));
    const behind = model.generate(request('Hello!'));
    abort.abort();
    expect(await waiting).toBe('INFERENCE_ABORTED');
    expect(beforeIsOver).toBe(false);
    expect((await behind).text).toBe('Hello! How can I help you?');
    expect((await before).finish).toBe('schema');
  });

  it('at its time limit', async () => {
    const slow = request('Hello!', {
      schema: { type: 'array', items: { type: 'string' }, minItems: 900 },
      maxTokens: 1_024,
      timeoutMs: 20,
    });
    expect(await codeOf(model.generate(slow))).toBe('INFERENCE_TIMEOUT');
  });

  it('before it starts, when the prompt is longer than the context window', async () => {
    const failing = model.generate(request('The office opens at nine. '.repeat(500)));
    expect(await codeOf(failing)).toBe('CONTEXT_TOO_LONG');
  });

  it('where the context window is full', async () => {
    const schema: JsonObject = { type: 'array', items: { const: 'a' }, minItems: 1_000 };
    const prompt = 'The office opens at nine. '.repeat(190);
    const outcome = await model.generate(request(prompt, { schema, maxTokens: 1_024 }));
    expect(outcome.finish).toBe('length');
    expect(outcome.usage.promptTokens + outcome.usage.answerTokens).toBe(model.info.contextTokens);
  });
});

describe('a closed model', () => {
  it('has stopped what ran, and refuses', async () => {
    const second = await openLlamaModel({
      file: embeddedModelFile,
      trusted: true,
      device: 'cpu',
      cores: 1,
    });
    const running = codeOf(second.generate(extraction()));
    const waiting = codeOf(second.generate(extraction()));
    await second.close();
    expect(await running).toBe('INFERENCE_ABORTED');
    expect(await waiting).toBe('INFERENCE_ABORTED');
    expect(await codeOf(second.generate(extraction()))).toBe('INFERENCE_ABORTED');
    await second.close();
  });
});

describe('a model with several sequences', () => {
  const turns: GenerationRequest['messages'] = [
    {
      role: 'system',
      content:
        'Tools: [{"name": "pay", "args": ["to", "amount"]}, {"name": "search", "args": ["query"]}] Answer with {"tool": "...", "args": {...}}.',
    },
    { role: 'user', content: 'Please pay €640 to Bruno Maffei' },
  ];

  it('answers as many at once as it has, each as one alone is answered', async () => {
    const several = await openLlamaModel({
      file: embeddedModelFile,
      trusted: true,
      device: 'cpu',
      demonstration: true,
      cores: 2,
      sequences: 3,
    });
    try {
      const prompts = [
        ...Array.from({ length: 8 }, (_, index) => request(`Please add ${index + 21} and 34`)),
        extraction(),
        request('Hello!'),
      ];
      const texts = async (of: ModelPort) =>
        (await Promise.all(prompts.map((each) => of.generate(each)))).map(({ text }) => text);
      expect(await texts(several)).toEqual(await texts(model));
      // A conversation that goes on, beside others.
      const first = await several.generate(request('', { messages: turns }));
      const next: GenerationRequest['messages'] = [
        ...turns,
        { role: 'assistant', content: first.text },
        { role: 'user', content: 'Tool result: done' },
      ];
      const [second] = await Promise.all([
        several.generate(request('', { messages: next })),
        several.generate(request('Hello!')),
      ]);
      expect(second.text).toBe('€640 was paid to Bruno Maffei.');
    } finally {
      await several.close();
    }
  });

  it('stops one without the others, and all when it closes', async () => {
    const several = await openLlamaModel({
      file: embeddedModelFile,
      trusted: true,
      device: 'cpu',
      cores: 2,
      sequences: 2,
    });
    const stop = new AbortController();
    const stopped = several.generate(request('Hello!'), {
      signal: stop.signal,
      onToken: () => stop.abort(),
    });
    const other = several.generate(request('Hello!'));
    expect(await codeOf(stopped)).toBe('INFERENCE_ABORTED');
    expect((await other).text).toBe('Hello! How can I help you?');
    const open = Array.from({ length: 4 }, () => codeOf(several.generate(extraction())));
    await several.close();
    expect(await Promise.all(open)).toEqual(new Array(4).fill('INFERENCE_ABORTED'));
  });
});
