import { describe, expect, it } from 'vitest';
import { toGrammarSchema } from '../../src/inference/grammar-schema.ts';
import type { JsonObject } from '../../src/kernel/json.ts';

describe('a schema that a grammar can enforce', () => {
  it('keeps its structure and drops annotations', () => {
    const schema: JsonObject = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'Answer',
      type: 'object',
      properties: {
        route: { enum: ['billing', 'support'], description: 'Where it goes.' },
        names: { type: 'array', items: { type: 'string', minLength: 1 }, maxItems: 4 },
        when: { anyOf: [{ type: 'string', format: 'date' }, { type: 'null' }] },
        who: { $ref: '#/$defs/person' },
      },
      required: ['route', 'names'],
      additionalProperties: false,
      $defs: { person: { type: 'object', properties: { name: { type: 'string' } } } },
    };
    expect(toGrammarSchema(schema)).toEqual({
      type: 'object',
      properties: {
        route: { enum: ['billing', 'support'] },
        names: { type: 'array', items: { type: 'string', minLength: 1 }, maxItems: 4 },
        when: { oneOf: [{ type: 'string', format: 'date' }, { type: 'null' }] },
        who: { $ref: '#/$defs/person' },
      },
      additionalProperties: false,
      $defs: { person: { type: 'object', properties: { name: { type: 'string' } } } },
    });
  });

  it.each<[string, JsonObject, string]>([
    ['a pattern', { type: 'string', pattern: '^a' }, '$.pattern'],
    ['a range', { type: 'integer', minimum: 1 }, '$.minimum'],
    ['a negation', { not: { type: 'string' } }, '$.not'],
    ['no type at all', {}, '$.type'],
    ['an unknown type', { type: 'date' }, '$.type'],
    ['an unknown format', { type: 'string', format: 'email' }, '$.format'],
    ['a reference into nothing', { $ref: '#/$defs/absent' }, '$.$ref'],
    ['a reference elsewhere', { $ref: 'https://example.org/schema' }, '$.$ref'],
    ['an object as constant', { const: { a: 1 } }, '$.const'],
    ['an empty enumeration', { enum: [] }, '$.enum'],
    [
      'a required name without a property',
      { type: 'object', properties: {}, required: ['a'] },
      '$.required',
    ],
    ['an endless list', { type: 'array', items: { type: 'string' }, minItems: 1e9 }, '$.minItems'],
    ['a minimum above the maximum', { type: 'array', minItems: 3, maxItems: 2 }, '$'],
    ['a property that is no schema', { type: 'object', properties: { a: 1 } }, '$.a'],
    [
      'a keyword deep inside',
      { type: 'array', items: { type: 'string', pattern: 'a' } },
      '$.items.pattern',
    ],
  ])('is not one with %s, and the message names the place', (_, schema, path) => {
    expect(() => toGrammarSchema(schema)).toThrow(
      expect.objectContaining({
        code: 'SCHEMA_UNSUPPORTED',
        details: { path },
        message: expect.stringContaining(`: ${path} `),
      }),
    );
  });

  it('is not nested without end', () => {
    let schema: JsonObject = { type: 'string' };
    for (let depth = 0; depth < 40; depth += 1) schema = { type: 'array', items: schema };
    expect(() => toGrammarSchema(schema)).toThrow('nested too deep');
  });
});
