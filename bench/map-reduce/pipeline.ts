/** The pipeline that looks for dates in the parts of a document and merges what it finds. */
import type { JsonObject } from '../../src/kernel/json.ts';

/** Of one part: what the embedded model was trained on, and a little more. */
export const partCharacters = 850;
/** What fits the window of 2,048 tokens of the embedded model beside an answer. */
export const windowCharacters = 4_800;

const dates: JsonObject = {
  type: 'object',
  properties: { dates: { type: 'array', items: { type: 'string' }, maxItems: 4 } },
  required: ['dates'],
};

function merging(id: string, keep: boolean): JsonObject {
  const reduce = { step: 'find', atOnce: 3, maxCharacters: 900, keep };
  return { id, agent: 'merger', needs: ['find'], when: 'always', reduce };
}

/** @param charactersMax Of a part; null: the document is one. */
export function plantedPipeline(charactersMax: number | null): JsonObject {
  const split = charactersMax === null ? {} : { split: { maxCharacters: charactersMax } };
  return {
    name: 'planted',
    input: { documents: split },
    agents: {
      finder: {
        prompt: 'Extract the dates from: {{document.text}}',
        output: dates,
        limits: { maxTokens: 64 },
        supervise: { repetition: 4, retries: 0 },
        checks: [{ use: 'quotes', with: { whole: 'sentence', informative: true } }],
      },
      merger: {
        prompt:
          'Write a brief from these notes:\n{{#each.statements}}- {{text}}\n{{/each.statements}}',
        limits: { maxTokens: 320 },
        supervise: { retries: 1, temperatures: [0.3] },
      },
    },
    steps: [
      { id: 'find', agent: 'finder', map: 'documents' },
      ...(charactersMax === null ? [] : [merging('merge', false), merging('keep', true)]),
    ],
  };
}
