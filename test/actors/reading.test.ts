/** What an agent is started with under its clearance, source by source. */
import { describe, expect, test } from 'vitest';
import type { Critique, StepVariables } from '../../src/actors/event.ts';
import { pipelineDefinitionSchema } from '../../src/actors/pipeline-definition.ts';
import { readableVariables, readingOf } from '../../src/actors/reading.ts';
import type { StepResult } from '../../src/actors/step-result.ts';
import { templateSources } from '../../src/actors/template-sources.ts';
import { defaultLevels } from '../../src/identity/clearance.ts';

function result(output: string, label?: string): StepResult {
  const own = { verdict: 'accepted', output, reasons: [], confidence: 0.9, attempts: 1 } as const;
  return label === undefined ? own : { ...own, label };
}

const steps = {
  plain: result('plain'),
  inner: result('inner', 'internal'),
  top: result('top', 'secret'),
};

const mapped: StepVariables = {
  document: { name: 'm.txt', text: 'confidential words', part: 0, label: 'confidential' },
  steps: JSON.stringify(steps),
  items: null,
  run: { name: 'p', seed: 1 },
};

const shared: StepVariables = {
  document: null,
  steps: '{}',
  items: [
    { plain: steps.plain, inner: steps.inner },
    { plain: steps.plain, inner: steps.top },
  ].map((own, index) =>
    JSON.stringify({ document: { name: `m${index}.txt`, part: 0 }, steps: own }),
  ),
  run: { name: 'p', seed: 1 },
};

interface Given {
  readonly agent?: object;
  readonly step?: object;
  readonly labels?: boolean;
}

function definition({ agent = {}, step = {}, labels = true }: Given): string {
  const parsed = pipelineDefinitionSchema.parse({
    name: 'p',
    ...(labels ? { input: { defaultLabel: 'public' } } : {}),
    agents: {
      reader: { prompt: 'x', ...agent },
      critic: {
        prompt: '{{question}} {{answer}} {{document.text}}',
        ...(labels ? { clearance: 'secret' } : {}),
      },
    },
    steps: [
      { id: 'plain', agent: 'reader', map: 'documents' },
      { id: 'read', agent: 'reader', map: 'documents', ...step },
    ],
  });
  return JSON.stringify(parsed);
}

function read(given: Given, variables = mapped) {
  const found = readingOf(definition(given), { step: 'read', variables });
  if (found === null) throw new Error('the pipeline has labels');
  return found;
}

test('without labels there is nothing to read by', () => {
  expect(readingOf(definition({ labels: false }), { step: 'read', variables: mapped })).toBeNull();
});

describe('an agent', () => {
  test('is told nothing above its clearance, whatever its prompt names', () => {
    const { variables, reading } = read({ agent: { clearance: 'internal' } });
    expect(variables.document).toEqual({ ...mapped.document, text: '' });
    const kept = JSON.parse(variables.steps) as Record<string, StepResult>;
    expect(kept.inner).toEqual(steps.inner);
    expect(kept.top).toMatchObject({ output: null, label: 'secret', verdict: 'skipped' });
    expect(reading.withheld).toEqual({ document: 'confidential', 'steps.top': 'secret' });
    expect(reading).toMatchObject({ clearance: 'internal', label: 'public' });
    expect(reading).not.toHaveProperty('refusal');
  });

  test.each([
    ['{{document.text}}', 'document (confidential)'],
    ['{{#document}}{{text}}{{/document}}', 'document (confidential)'],
    ['{{^document.text}}nothing{{/document.text}}', 'document (confidential)'],
    ['{{steps.top.output}}', 'steps.top (secret)'],
    ['{{#steps}}{{top.output}}{{/steps}}', 'steps (secret)'],
    ['{{#run}}{{steps.top.output}}{{/run}}', 'steps.top (secret)'],
    ['{{.}}', 'document (confidential)'],
    ['{{^steps.none}}{{.}}{{/steps.none}}', 'document (confidential)'],
    ['{{#.}}{{document.text}}{{/.}}', 'document (confidential)'],
  ])('is refused a prompt of %s', (prompt, named) => {
    const { reading } = read({ agent: { prompt, clearance: 'internal' } });
    expect(reading.refusal).toMatchObject({ code: 'CLEARANCE_INSUFFICIENT', retryable: false });
    expect(reading.refusal?.message).toContain(named);
    expect(reading.refusal?.message).not.toContain('words');
  });

  test.each([
    ['system', { system: '{{document.text}}' }],
    ['pins', { pins: ['{{document.text}}'] }],
    ['pins with words', { pins: [{ text: '{{document.text}}', words: [] }] }],
    ['grounding', { supervise: { grounding: '{{document.text}}' } }],
    [
      'the prompt of a rule',
      { supervise: { rules: [{ when: 'format', do: 'ground', prompt: '{{document.text}}' }] } },
    ],
  ])('is refused by its %s', (_, agent) => {
    expect(read({ agent: { ...agent, clearance: 'internal' } }).reading.refusal).toBeDefined();
    expect(read({ agent: { ...agent, clearance: 'secret' } }).reading).toMatchObject({
      label: 'confidential',
    });
  });

  test.each([
    ['each', { each: 'steps.top.output' }],
    ['handoff', { handoff: { from: 'top', as: 'snapshot' } }],
    ['file', { write: { path: 'x', template: '{{steps.top.output}}' } }],
  ])('is refused by the %s of its step', (_, step) => {
    expect(read({ step, agent: { clearance: 'internal' } }).reading.refusal?.message).toContain(
      'steps.top (secret)',
    );
    expect(read({ step, agent: { clearance: 'secret' } }).reading.label).toBe('secret');
  });

  test('may know the name of a document that it may not read', () => {
    const { reading } = read({ agent: { prompt: '{{document.name}} {{document.part}}' } });
    expect(reading).not.toHaveProperty('refusal');
    expect(reading.label).toBe('public');
  });

  test('has the highest label of what it reads, and not of what it does not', () => {
    const label = (prompt: string): string =>
      read({ agent: { prompt, clearance: 'secret' } }).reading.label;
    expect(label('nothing')).toBe('public');
    expect(label('{{steps.plain.output}}')).toBe('public');
    expect(label('{{steps.inner.output}}')).toBe('internal');
    expect(label('{{steps.inner.output}} {{document.text}}')).toBe('confidential');
    expect(label('{{steps}}')).toBe('secret');
    expect(label('{{.}}')).toBe('secret');
    expect(label('{{#run}}{{.}}{{/run}}')).toBe('public');
  });

  test('has the label of what its grounding or its checks may quote, as far as it may read it', () => {
    const grounded = (clearance: string, supervise: object): string =>
      read({ agent: { clearance, supervise } }).reading.label;
    expect(grounded('internal', { grounding: '{{facts}}' })).toBe('public');
    expect(grounded('confidential', { grounding: '{{facts}}' })).toBe('confidential');
    expect(grounded('confidential', { grounding: '{{results}}' })).toBe('internal');
    expect(grounded('secret', { contradiction: true })).toBe('secret');
    const checked = { checks: [{ use: 'quotes' }], clearance: 'internal' };
    expect(read({ agent: checked }).reading.label).toBe('internal');
  });
});

describe('a step over all documents', () => {
  const step = { map: undefined };
  test('reads the items of all of them, or is refused', () => {
    const agent = { prompt: '{{#items}}{{steps.plain.output}}{{/items}}' };
    expect(
      read({ step, agent: { ...agent, clearance: 'internal' } }, shared).reading.refusal?.message,
    ).toContain('items (secret)');
    expect(read({ step, agent: { ...agent, clearance: 'secret' } }, shared).reading.label).toBe(
      'secret',
    );
  });

  test('merges the results of one step, whose labels count alone', () => {
    const reading = (of: string) =>
      read({ step: { ...step, reduce: { step: of } }, agent: { prompt: '{{each}}' } }, shared)
        .reading;
    expect(reading('plain')).toMatchObject({ label: 'public' });
    expect(reading('plain')).not.toHaveProperty('refusal');
    expect(reading('inner').refusal?.message).toContain('items.inner (secret)');
  });

  test('has in its items nothing that it may not read', () => {
    const { items } = readableVariables(defaultLevels, 'internal', shared);
    const [first, second] = (items ?? []).map(
      (item) => JSON.parse(item) as { steps: typeof steps },
    );
    expect(first?.steps.inner).toEqual(steps.inner);
    expect(second?.steps.inner).toMatchObject({ output: null, label: 'secret' });
    expect(second?.steps.plain).toEqual(steps.plain);
  });
});

describe('a critic', () => {
  const critique: Critique = {
    agent: 'critic',
    of: 'read',
    each: null,
    question: 'q',
    answer: 'a',
    reasons: [],
    label: 'internal',
  };
  const critical = (agent: object, critic: Critique = critique) =>
    readingOf(definition({ agent }), { step: 'critic:read', variables: mapped, critic });

  test('is told no more than whoever it examines, whatever its clearance', () => {
    const found = critical({ clearance: 'internal' });
    expect(found?.reading).toMatchObject({ clearance: 'internal' });
    expect(found?.variables.document?.text).toBe('');
    expect(found?.reading.refusal?.message).toContain('document (confidential)');
  });

  test('has the label of the words that it examines', () => {
    const found = critical({ clearance: 'confidential' }, { ...critique, label: 'confidential' });
    expect(found?.reading).toMatchObject({ clearance: 'confidential', label: 'confidential' });
    expect(found?.reading).not.toHaveProperty('refusal');
  });
});

test('a step without an agent asks no model, and what it writes has the label of what it read', () => {
  const text = JSON.stringify(
    pipelineDefinitionSchema.parse({
      name: 'p',
      input: { defaultLabel: 'public' },
      agents: {},
      steps: [
        { id: 'read', map: 'documents', write: { path: 'x', template: '{{document.text}}' } },
      ],
    }),
  );
  const found = readingOf(text, { step: 'read', variables: mapped });
  expect(found?.reading).toMatchObject({
    clearance: 'secret',
    label: 'confidential',
    withheld: {},
  });
});

test('the sources of a template are the first parts of its names', () => {
  const sources = templateSources(
    '{{run.name}}{{document.name}}{{#each.claims}}{{text}}{{/each.claims}}{{steps.a.output}}{{! steps.b}}',
  );
  expect(sources).toEqual(['each', 'text', 'steps.a']);
});
