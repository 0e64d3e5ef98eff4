/** Pipelines whose answers a panel examines, for the embedded model, and questions for it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { StartRunRequest } from '../../src/runtime/views.ts';
import { testFolder } from './running.ts';

const verdict: JsonObject = {
  type: 'object',
  properties: { supported: { type: 'boolean' } },
  required: ['supported'],
};
const evidence: JsonObject = {
  type: 'object',
  properties: { evidence: { type: 'string', maxLength: 100 }, supported: { type: 'boolean' } },
  required: ['evidence', 'supported'],
};

/** Agents that panels can name. */
const members: JsonObject = {
  critic: {
    prompt:
      'Facts: {{document.text}} Claim: The answer is {{answer}}. Supported? Quote the evidence.',
    output: evidence,
    limits: { maxTokens: 64 },
  },
  opponent: {
    prompt: 'Facts: {{document.text}} Claim: {{answer}} is wrong. Supported? Quote the evidence.',
    output: evidence,
    temperature: 0.8,
    limits: { maxTokens: 64 },
  },
  /** Its quote is looked up in the document. */
  prover: {
    prompt:
      'Facts: {{document.text}} Claim: The answer is {{answer}}. Supported? Quote the evidence.',
    output: evidence,
    limits: { maxTokens: 64 },
    checks: [{ use: 'evidence' }],
  },
  judge: {
    prompt: 'Facts: {{#debate}}{{words.evidence}} {{/debate}} Claim: {{answer}}. Supported?',
    output: verdict,
  },
  coder: {
    prompt: 'Choose a program that examines {{answer}}.',
    output: {
      type: 'object',
      properties: { source: { const: 'input.document.includes(input.answer)' } },
      required: ['source'],
    },
  },
};

/** @param validate Of the agent that answers. */
export function panelPipeline(validate: JsonObject | null, more: JsonObject = {}): JsonObject {
  return {
    name: 'panel',
    agents: {
      ...(validate?.pattern === 'vote' || validate === null ? {} : members),
      reader: {
        prompt: 'Facts: {{document.text}}',
        limits: { maxTokens: 24 },
        supervise: { retries: 1, grounding: '{{#reasons}}{{/reasons}}Facts: {{document.text}}' },
        ...(validate === null ? {} : { validate }),
        ...more,
      },
    },
    steps: [{ id: 'read', agent: 'reader', map: 'documents' }],
  };
}

const texts = [
  'Priya lives in Leeds. Her order number is A-5521.\nQuestion: Where does Priya live?',
  'Neema is 73 years old. Neema is in the research team.\nQuestion: How old is Neema?',
];

export interface PanelDesk {
  readonly dataDirectory: string;
  readonly request: StartRunRequest;
}

export function makePanelDesk(validate: JsonObject | null, more: JsonObject = {}): PanelDesk {
  const folder = testFolder();
  const input = join(folder, 'input');
  mkdirSync(input);
  texts.forEach((text, index) => {
    writeFileSync(join(input, `m${index}.txt`), text);
  });
  const pipeline = panelPipeline(validate, more);
  return {
    dataDirectory: join(folder, 'data'),
    request: { pipeline, input: { folder: input }, seed: 3 },
  };
}
