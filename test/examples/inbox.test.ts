/** The files of the bundled example agree with one another. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { devBank } from '../../bench/example/dev-bank.ts';
import { generateMessages } from '../../bench/example/generator.ts';
import { labelSchema } from '../../bench/example/labels.ts';
import { testBank } from '../../bench/example/test-bank.ts';
import { collected } from '../../src/actors/checks/collected.ts';
import { checks } from '../../src/actors/checks/index.ts';
import { messageParts } from '../../src/actors/message-parts.ts';
import { renderTemplate } from '../../src/actors/template.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { loadPipelineFile } from '../../src/runtime/pipeline-file.ts';
import { inputOf } from '../actors/checks/check-input.ts';

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

describe('the report of the inbox example', () => {
  const itemOf = (steps: JsonObject): JsonObject => {
    const nothing = { output: null, reasons: [] };
    const every = { triage: nothing, extract: nothing, answer: nothing, plan: nothing };
    return { document: { name: 'one.txt' }, steps: { ...every, critic: nothing, ...steps } };
  };

  /** The report over items, with the editor's last check as the pipeline file has it. */
  async function reportOf(items: readonly JsonObject[]): Promise<string> {
    const definition = await loadPipelineFile(`${folder}/pipeline.yaml`, {
      knownChecks: Object.keys(checks),
    });
    const parameters = definition.agents.editor?.checks.find(
      ({ use }) => use === 'collected',
    )?.with;
    const template = definition.steps.find(({ id }) => id === 'report')?.write?.template ?? '';
    const output = items.map((each) => {
      const input = inputOf({ output: ['In short.'], each, parameters: parameters as JsonObject });
      return collected(input).output;
    });
    return renderTemplate(template, { steps: { report: { output } }, items });
  }

  it('shows a file as a fenced block, every line of it', async () => {
    const call = { request: 'Open a.md', tool: 'read_file', args: { path: 'a.md' } };
    const text = '# A\n```\nb\n```\n';
    const output = [{ ...call, result: { path: 'a.md', text, bytes: 15 } }];
    const report = await reportOf([itemOf({ plan: { output, reasons: [] } })]);
    expect(report).toContain(`gives\n\n\`\`\`\`\`\`text\n${text}\n\`\`\`\`\`\`\n`);
  });

  it('shows a calculation on its line, and none that is in doubt', async () => {
    const args = { op: 'add', a: 1, b: 2 };
    const output = [{ request: 'Add 1 and 2', tool: 'calc', args, result: 3 }];
    expect(await reportOf([itemOf({ plan: { output, reasons: [] } })])).toContain(
      '- Add 1 and 2: `calc` {"op": "add", "a": 1, "b": 2} gives **3**\n',
    );
    const doubted = await reportOf([itemOf({ plan: { output, reasons: ['No.'] } })]);
    expect(doubted).not.toContain('**3**');
    expect(doubted).toContain('- one.txt, request: No.\n');
  });

  it('says each value and each reason once for a message', async () => {
    const output = [{ names: ['Vera'] }, { names: ['Basil', 'Vera'] }];
    const extract = { output, reasons: ['A name is missing.', 'A name is missing.'] };
    const report = await reportOf([itemOf({ extract }), itemOf({ extract })]);
    expect(report.match(/- Name: Vera\n/g)).toHaveLength(2);
    expect(report.match(/A name is missing/g)).toHaveLength(2);
  });

  it('says of a message in doubt what is in doubt, and not the answer', async () => {
    const proof = { question: 'Who?', answer: 'Vera', evidence: 'It was Vera.' };
    const sure = itemOf({ critic: { output: [proof], reasons: [] } });
    expect(await reportOf([sure])).toContain('- Who? **Vera** ("It was Vera.")');
    const doubted = await reportOf([
      itemOf({
        answer: { output: [proof], reasons: ['Not sure.'] },
        critic: { output: [proof], reasons: [] },
        triage: { output: { route: 'hr' }, reasons: ['No word.'] },
      }),
    ]);
    expect(doubted).not.toContain('**Vera**');
    expect(doubted).not.toContain('**hr**');
    expect(doubted).toContain('- one.txt, team: No word.\n- one.txt, question: Not sure.\n');
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
