/** Where a step may merge. */
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { parsePipelineObject } from '../../src/runtime/pipeline-file.ts';

function parse(step: JsonObject, agent: JsonObject = {}) {
  const definition = {
    name: 'demo',
    agents: {
      finder: { prompt: '{{document.text}}' },
      merger: { prompt: '{{#each.statements}}[{{number}}] {{text}}{{/each.statements}}', ...agent },
    },
    tools: {
      calc: { actuator: 'sandbox', operation: 'run', parameters: [], arguments: { source: '1' } },
    },
    steps: [
      { id: 'find', agent: 'finder', map: 'documents' },
      { id: 'other', agent: 'finder', map: 'documents' },
      { id: 'merge', agent: 'merger', needs: ['find'], reduce: { step: 'find' }, ...step },
    ],
  };
  return parsePipelineObject(definition, { knownChecks: [] });
}

test('a step over all documents merges a step over each', () => {
  expect(parse({}).steps[2]?.reduce).toEqual({
    step: 'find',
    atOnce: 8,
    maxCharacters: 4_000,
    support: 0.6,
    keep: false,
  });
});

describe('refused', () => {
  test.each<[string, JsonObject, JsonObject, string]>([
    ['a step over each document', { map: 'documents' }, {}, 'one over all documents; remove map'],
    ['a step with elements', { each: 'items' }, {}, 'has its own elements; remove each'],
    [
      'an unknown step',
      { reduce: { step: 'nothing' } },
      {},
      'there is no step over each document "nothing"; there are find, other',
    ],
    ['itself', { reduce: { step: 'merge' } }, {}, 'there is no step over each document "merge"'],
    [
      'a step that it does not need',
      { reduce: { step: 'other' } },
      {},
      'does not need "other"; add it to needs',
    ],
    ['an agent with tools', {}, { tools: ['calc'] }, 'a merge calls none'],
    ['a vote about merges', {}, { validate: { pattern: 'vote' } }, 'votes about its answers'],
    ['one at a time', { reduce: { step: 'find', atOnce: 1 } }, {}, 'atOnce'],
  ])('%s', (_, step, agent, message) => {
    expect(() => parse(step, agent)).toThrow(message);
  });
});
