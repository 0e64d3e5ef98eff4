/** The files of the bundled example agree with one another. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { devBank } from '../../bench/example/dev-bank.ts';
import { generateMessages } from '../../bench/example/generator.ts';
import { labelSchema } from '../../bench/example/labels.ts';
import { testBank } from '../../bench/example/test-bank.ts';
import { checks } from '../../src/actors/checks/index.ts';
import { messageParts } from '../../src/actors/message-parts.ts';
import { loadPipelineFile } from '../../src/runtime/pipeline-file.ts';

const folder = fileURLToPath(new URL('../../examples/inbox', import.meta.url));
const labels = readFileSync(`${folder}/labels.jsonl`, 'utf8')
  .trim()
  .split('\n')
  .map((line) => labelSchema.parse(JSON.parse(line)));
const textOf = (name: string) => readFileSync(`${folder}/messages/${name}`, 'utf8');

describe('the inbox example', () => {
  it('has a valid pipeline', async () => {
    const definition = await loadPipelineFile(`${folder}/pipeline.yaml`, {
      knownChecks: Object.keys(checks),
    });
    expect(definition.steps.map((step) => step.id)).toEqual([
      'triage',
      'extract',
      'answer',
      'plan',
      'critic',
      'report',
    ]);
    expect(definition.agents.editor?.tools).toEqual([]);
  });

  it('has one label for each message, and at least 24', () => {
    expect(labels.map((label) => label.document)).toEqual(
      readdirSync(`${folder}/messages`).toSorted(),
    );
    expect(labels.length).toBeGreaterThanOrEqual(24);
  });

  it.each(labels)('labels of $document stand in its body', (label) => {
    const text = textOf(label.document);
    const { body, questions, requests } = messageParts(text);
    for (const value of [
      ...label.names,
      ...label.places,
      ...label.dates,
      ...label.amounts,
      ...label.answers,
    ]) {
      expect(body).toContain(value);
    }
    expect(text.length).toBeLessThanOrEqual(700);
    expect(questions).toHaveLength(1);
    expect(requests).toHaveLength(label.calls.length);
  });

  it('names files that the workspace has', () => {
    for (const { calls } of labels) {
      for (const call of calls) {
        if (call.tool !== 'read_file') continue;
        expect(readFileSync(`${folder}/workspace/${call.args.path}`, 'utf8')).toBe(call.result);
      }
    }
  });
});

describe('generated messages', () => {
  it('are the same for the same seed and differ for another', () => {
    const make = (seed: number) => generateMessages(testBank, seed, 5).map(({ text }) => text);
    expect(make(3)).toEqual(make(3));
    expect(make(3)).not.toEqual(make(4));
  });

  it('have labels that stand in their body', () => {
    for (const { text, label } of generateMessages(testBank, 5, 100)) {
      const { body } = messageParts(text);
      for (const value of [
        ...label.names,
        ...label.places,
        ...label.dates,
        ...label.amounts,
        ...label.answers,
      ]) {
        expect(body).toContain(value);
      }
    }
  });

  it('share no name, place, sentence or file between the bank for tuning and the bank for scoring', () => {
    const vocabulary = (bank: typeof testBank) => [
      ...bank.first,
      ...bank.last,
      ...bank.places,
      ...bank.greetings,
      ...bank.fillers,
      ...bank.closings,
      ...Object.values(bank.topics).flat(),
      ...bank.asides,
      ...bank.readings,
      ...Object.keys(bank.files),
      ...Object.values(bank.calculations).flat(),
      ...bank.facts.flatMap(({ text, question }) => [text, question]),
    ];
    const dev = new Set(vocabulary(devBank));
    expect(vocabulary(testBank).filter((text) => dev.has(text))).toEqual([]);
  });
});
