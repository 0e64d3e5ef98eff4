import { describe, expect, test } from 'vitest';
import type { GenerationOutcome } from '../../src/inference/model-port.ts';
import { generatedText, generationOf, refuseMismatch } from '../../src/runtime/generate-text.ts';

const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };

function outcome(text: string, finish: GenerationOutcome['finish'] = 'stop'): GenerationOutcome {
  return {
    status: 'completed',
    text,
    finish,
    tokens: [],
    minConfidence: 0.5,
    halt: null,
    usage: { promptTokens: 3, answerTokens: 2 },
  };
}

describe('a generation outside every run', () => {
  test('carries what was asked for, and the answer what came', () => {
    const request = { prompt: 'Hello', system: 'Be kind', temperature: 0.5, seed: 9, maxTokens: 7 };
    expect(generationOf(request)).toMatchObject({
      messages: [
        { role: 'system', content: 'Be kind' },
        { role: 'user', content: 'Hello' },
      ],
      schema: null,
      temperature: 0.5,
      seed: 9,
      maxTokens: 7,
    });
    expect(generatedText('m', outcome('Hi'))).toMatchObject({
      model: 'm',
      text: 'Hi',
      usage: { promptTokens: 3, answerTokens: 2 },
    });
  });

  test('keeps to a model and to privacy where they are said, and names who answered', () => {
    expect(generationOf({ prompt: 'Hello' })).not.toHaveProperty('privacy');
    const request = { prompt: 'Hello', model: 'quick', privacy: 'local-only' as const };
    expect(generationOf(request)).toMatchObject({ model: 'quick', privacy: 'local-only' });
    const served = { model: 'quick', sha256: null };
    expect(generatedText('m', { ...outcome('Hi'), served }).model).toBe('quick');
  });

  test('refuses a whole answer that does not fit its schema', () => {
    const request = { prompt: 'x', schema };
    expect(() => refuseMismatch(request, outcome('{"n": 1}'))).not.toThrow();
    for (const text of ['{"x": 1}', 'not JSON', '[]']) {
      expect(() => refuseMismatch(request, outcome(text))).toThrow(
        expect.objectContaining({ code: 'INFERENCE_PROTOCOL' }),
      );
    }
    // What the token limit cut off is shown as it is.
    expect(() => refuseMismatch(request, outcome('{"n"', 'length'))).not.toThrow();
    expect(() => refuseMismatch({ prompt: 'x' }, outcome('anything'))).not.toThrow();
  });
});
