/** Labels of a pipeline before it runs: what is refused, and what a run's definition has. */
import { describe, expect, test } from 'vitest';
import { labelOfDocument, levelsOf } from '../../src/actors/labels.ts';
import { defaultLevels } from '../../src/identity/clearance.ts';
import { limits } from '../../src/kernel/limits.ts';
import {
  type ClearanceSettings,
  labelledDefinition,
} from '../../src/runtime/labelled-definition.ts';
import { parsePipeline, parsePipelineObject } from '../../src/runtime/pipeline-file.ts';

function pipeline(more: string, levels?: readonly string[]) {
  const text = `name: p
agents: { reader: { prompt: x } }
steps: [{ id: read, agent: reader, map: documents }]
${more}`;
  const options = { fileName: 'p.yaml', knownChecks: [] };
  return parsePipeline(text, levels === undefined ? options : { ...options, levels });
}

const labelled = 'input: { labels: [{ match: "hr-*", label: secret }] }';

describe('a level that there is not is refused at its place', () => {
  test.each([
    [
      'input: { defaultLabel: top }',
      /^p\.yaml:4:\d+: input\.defaultLabel: there is no level "top"/,
    ],
    [
      'input: { labels: [{ match: a, label: top }] }',
      /^p\.yaml:4:\d+: input\.labels\[0\]\.label: /,
    ],
    ['clearance: { localOnlyFrom: top }', /^p\.yaml:4:\d+: clearance\.localOnlyFrom: /],
    ['clearance: { levels: [low, high] }\ninput: { defaultLabel: secret }', /there are low, high/],
  ])('%s', (more, message) => {
    expect(() => pipeline(more)).toThrow(message);
  });

  test('of an agent as well', () => {
    const given = {
      name: 'p',
      agents: { reader: { prompt: 'x', clearance: 'top' } },
      steps: [{ id: 'read', agent: 'reader' }],
    };
    expect(() => parsePipelineObject(given, { knownChecks: [] })).toThrow(
      /agents\.reader\.clearance/,
    );
  });

  test('but one of the configuration is there for pipelines that name none', () => {
    const levels = ['low', 'high'];
    expect(pipeline('input: { defaultLabel: high }', levels).input.defaultLabel).toBe('high');
    expect(() => pipeline('input: { defaultLabel: secret }', levels)).toThrow(
      /there are low, high/,
    );
  });
});

describe('the definition of a run', () => {
  const settings: ClearanceSettings = { levels: ['low', 'high'], localOnlyFrom: 'high' };

  test('is the very same where nothing has a label, whatever the configuration says', () => {
    const plain = pipeline('');
    expect(labelledDefinition(plain, [], settings)).toBe(plain);
    expect(levelsOf(plain)).toBeNull();
  });

  test('has its levels written out', () => {
    const found = labelledDefinition(pipeline(labelled));
    expect(found.clearance).toEqual({ levels: [...defaultLevels] });
  });

  test('takes from the configuration what the pipeline does not say', () => {
    const given = pipeline('input: { defaultLabel: high }', settings.levels);
    expect(labelledDefinition(given, [], settings).clearance).toEqual(settings);
    const own = pipeline(`${labelled}\nclearance: { levels: [low, secret, high] }`);
    expect(labelledDefinition(own, [], settings).clearance).toEqual({
      levels: ['low', 'secret', 'high'],
      localOnlyFrom: 'high',
    });
  });

  test('has the labels of whoever starts it, which raise and never lower', () => {
    const more = [
      { match: 'hr-*', label: 'public' },
      { match: '*.txt', label: 'internal' },
    ];
    const found = labelledDefinition(pipeline(labelled), more);
    const label = (name: string): string => labelOfDocument(found, defaultLevels, name);
    expect(label('hr-pay.txt')).toBe('secret');
    expect(label('HR-Pay.TXT')).toBe('secret');
    expect(label('news.txt')).toBe('internal');
    expect(label('news.md')).toBe('public');
    // They alone are enough.
    const alone = labelledDefinition(pipeline(''), more);
    expect(labelOfDocument(alone, defaultLevels, 'news.txt')).toBe('internal');
  });

  test('is refused with a label that is no level, or with too many patterns', () => {
    const one = { match: '*', label: 'top' };
    expect(() => labelledDefinition(pipeline(''), [one])).toThrow(
      /There is no level top; the levels are public/,
    );
    const many = Array.from({ length: limits.labelRulesMax + 1 }, () => ({
      match: 'a',
      label: 'public',
    }));
    expect(() => labelledDefinition(pipeline(''), many)).toThrow(/patterns of labels/);
  });
});
