import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { type Generator, inferenceActuator } from '../../src/actuators/inference.ts';
import { openModel } from '../../src/inference/open-model.ts';
import { parseIntentionKey } from '../../src/kernel/ids.ts';
import { actuatorContext } from './actuator-context.ts';

const model = await openModel({
  embeddedModelFile: fileURLToPath(new URL('../../models/tiny-agent.gguf', import.meta.url)),
  cores: availableParallelism(),
});
afterAll(() => model.close());

const labels: object[] = [];
const generator: Generator = {
  generate(request, { signal, label }) {
    labels.push(label);
    if (!('messages' in request)) throw new Error('a model answers messages');
    return model.generate(request, { signal });
  },
};
const generate = inferenceActuator(generator, { lookup: () => null }).operations.generate;
const context = actuatorContext('/');

const request = {
  messages: [
    {
      role: 'user',
      content:
        'Route this request to one of: shipping, travel, billing. Request: Where is my parcel?',
    },
  ],
  schema: { type: 'object', properties: { route: { enum: ['shipping', 'travel', 'billing'] } } },
  temperature: 0,
  seed: 1,
  maxTokens: 64,
  timeoutMs: 30_000,
  detectors: { minConfidence: null, repetition: null },
};

async function outcomeOf(args: object, signal = context.signal): Promise<unknown> {
  return generate?.perform(generate.arguments.parse(args), { ...context, signal });
}

test('generates an outcome that fits its schema, labelled with run and actor', async () => {
  const outcome = generate?.result.parse(await outcomeOf(request)) as { text: string };
  expect(['shipping', 'travel', 'billing']).toContain(JSON.parse(outcome.text).route);
  expect(labels).toEqual([{ run: context.run, actor: parseIntentionKey(context.key).actor }]);
});

test('an abort ends the generation', async () => {
  const controller = new AbortController();
  controller.abort();
  await expect(outcomeOf(request, controller.signal)).rejects.toMatchObject({
    code: 'INFERENCE_ABORTED',
  });
});

test.each([
  { messages: [] },
  { messages: [{ role: 'tool', content: '' }] },
  { temperature: -1 },
  { timeoutMs: 0 },
  { extra: 1 },
])('takes no request that is not one (%#)', (wrong) => {
  expect(generate?.arguments.safeParse({ ...request, ...wrong }).success).toBe(false);
});
