import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { pipelineSchemaFile, pipelineSchemaText } from '../../scripts/pipeline-schema.ts';
import type { PipelineDefinition } from '../../src/actors/pipeline-definition.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import {
  loadPipelineFile,
  parsePipeline,
  parsePipelineObject,
} from '../../src/runtime/pipeline-file.ts';

const knownChecks = ['copied', 'confidence'];

/** Uses everything that a pipeline can have. */
const whole = `name: inbox
input:
  documents:
    include: ["*.txt"]
    split: { maxCharacters: 400 }
  workspace: workspace
agents:
  triage:
    prompt: "Route this request to one of: sales, support. Request: {{document.text}}"
    output:
      type: object
      properties: { route: { enum: [sales, support] } }
      required: [route]
    supervise:
      minConfidence: 0.5
      grounding: "{{facts}} Request: {{document.text}}"
  extract:
    system: You extract fields for {{run.name}} with seed {{run.seed}}.
    prompt: |
      {{document.name}} {{document.part.index}}
      {{steps.triage.output.route}}: {{document.text}}
    checks:
      - use: copied
        with: { words: true }
    tools: [lookup]
    turns: 4
  critic:
    prompt: "Facts: {{document.text}} Claim: {{each}} Supported?"
  writer:
    prompt: "Brief: {{#items}}{{document.name}} {{steps.extract.output}}{{/items}}"
tools:
  lookup:
    actuator: file
    operation: read
    arguments: { path: "{{path}}", options: ["{{path}}", 1] }
    parameters: [path]
    result: "{{result.text}} {{#result.more}}{{.}}{{/result.more}}"
steps:
  - { id: triage, agent: triage, map: documents }
  - { id: extract, agent: extract, map: documents, needs: [triage] }
  - { id: critic, agent: critic, map: documents, needs: [extract], each: steps.extract.output.claims }
  - id: brief
    agent: writer
    needs: [critic]
  - id: report
    needs: [brief]
    write:
      path: report.md
      template: |
        # {{run.name}}
        {{steps.brief.output}}
        {{#items}}
        - {{document.name}}: {{steps.critic.verdict}}
        {{/items}}
recovery:
  write:
    path: "human/{{document.name}}.md"
    template: "{{step}}: {{#reasons}}{{.}} {{/reasons}}"
report: report.md
`;

/** \`whole\` with the first occurrence of each key replaced. */
function edited(edits: Record<string, string>): string {
  let text = whole;
  for (const [from, to] of Object.entries(edits)) {
    expect(text).toContain(from);
    text = text.replace(from, () => to);
  }
  return text;
}

function parseText(text: string): PipelineDefinition {
  return parsePipeline(text, { fileName: 'p.yaml', knownChecks });
}

function refusal(text: string): RuntimeError {
  try {
    parseText(text);
  } catch (error) {
    if (error instanceof RuntimeError) return error;
    throw error;
  }
  throw new Error('the pipeline was accepted');
}

/** Where the needle stands first, as messages say it. */
function place(text: string, needle: string): string {
  const index = text.indexOf(needle);
  expect(index).toBeGreaterThanOrEqual(0);
  const lines = text.slice(0, index).split('\n');
  return `p.yaml:${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}: `;
}

describe('parsePipeline', () => {
  it('accepts a pipeline that uses everything, and fills in the defaults', () => {
    const pipeline = parseText(whole);
    expect(pipeline.steps.map((step) => step.id)).toEqual([
      'triage',
      'extract',
      'critic',
      'brief',
      'report',
    ]);
    expect(pipeline.agents.triage?.supervise).toMatchObject({ minConfidence: 0.5, retries: 2 });
    expect(pipeline.steps[4]).toMatchObject({ when: 'succeeded', retry: { maxAttempts: 3 } });
  });

  it('resolves anchors and aliases', () => {
    const text = edited({
      'prompt: "Facts': 'limits: &limits { maxTokens: 7 }\n    prompt: "Facts',
      '  writer:\n': '  writer:\n    limits: *limits\n',
    });
    expect(parseText(text).agents.writer?.limits.maxTokens).toBe(7);
  });

  it('finds the place of a fault behind an alias', () => {
    const text = edited({
      'tools: [lookup]': 'tools: [lookup]\n    limits: &odd { maxTokens: none }',
      '  writer:\n': '  writer:\n    limits: *odd\n',
    });
    const problems = refusal(text).details.problems;
    expect(problems).toEqual([
      expect.stringContaining(`${place(text, 'none')}agents.extract.limits.maxTokens`),
      expect.stringContaining(`${place(text, 'none')}agents.writer.limits.maxTokens`),
    ]);
  });

  it.each([
    ['broken YAML', { 'input:\n': 'input: [\n' }, 'PIPELINE_INVALID', 'include:', /the YAML/],
    [
      'a key given twice',
      { 'report: report.md\n': 'name: again\n' },
      'PIPELINE_INVALID',
      'name: again',
      /the YAML is not valid: Map keys must be unique\.$/,
    ],
    ['an unknown tag', { 'name: inbox': 'name: !js x' }, 'PIPELINE_INVALID', '!js', /.*tag/],
    [
      'a setting of the wrong type',
      { 'workspace: workspace': 'workspace: 7' },
      'PIPELINE_INVALID',
      '7',
      /input\.workspace: expected string, received number\.$/,
    ],
    [
      'a setting that does not exist',
      { 'split: {': 'splits: {' },
      'PIPELINE_INVALID',
      'splits',
      /input\.documents\.splits: there is no such setting here\.$/,
    ],
    [
      'a missing setting',
      { 'name: inbox\n': '' },
      'PIPELINE_INVALID',
      'input',
      /name: this setting is missing\.$/,
    ],
    [
      'a name with a space',
      { '  critic:\n': '  my critic:\n' },
      'PIPELINE_INVALID',
      'my critic',
      /agents\.my critic: letters, digits/,
    ],
    [
      'a value that JSON has not',
      { '{ words: true }': '{ words: .inf }' },
      'PIPELINE_INVALID',
      '.inf',
      /.*no JSON form/,
    ],
    [
      'an unknown agent',
      { 'agent: writer': 'agent: nobody' },
      'PIPELINE_UNKNOWN_REFERENCE',
      'nobody',
      /steps\[3\]\.agent: there is no agent "nobody"; there are triage, extract, critic, writer\.$/,
    ],
    [
      'an agent with a name that every object has',
      { 'agent: writer': 'agent: constructor' },
      'PIPELINE_UNKNOWN_REFERENCE',
      'constructor',
      /no agent "constructor"/,
    ],
    [
      'an unknown tool',
      { 'tools: [lookup]': 'tools: [lookup, shell]' },
      'PIPELINE_UNKNOWN_REFERENCE',
      'shell',
      /agents\.extract\.tools\[1\]: there is no tool "shell"; there are lookup\.$/,
    ],
    [
      'an unknown check',
      { 'use: copied': 'use: guess' },
      'PIPELINE_UNKNOWN_REFERENCE',
      'guess',
      /.*no check "guess"; there are copied, confidence\.$/,
    ],
    [
      'an unknown step',
      { 'needs: [brief]': 'needs: [summary]' },
      'PIPELINE_UNKNOWN_REFERENCE',
      'summary',
      /no step "summary"/,
    ],
    [
      'a step id given twice',
      { 'id: report': 'id: brief' },
      'PIPELINE_INVALID',
      'brief\n    needs: [brief]',
      /steps\[4\]\.id: an earlier step is already named "brief"/,
    ],
    [
      'a cycle, which it names',
      { 'id: triage, agent: triage,': 'id: triage, agent: triage, needs: [critic],' },
      'PIPELINE_CYCLE',
      '[critic], map',
      /in a circle: triage → critic → extract → triage; remove/,
    ],
    [
      'a step that does nothing',
      { '    agent: writer\n': '' },
      'PIPELINE_INVALID',
      'id: brief',
      /steps\[3\]: a step needs an agent, something to write, or both/,
    ],
    [
      'turns without tools',
      { 'tools: [lookup]': 'tools: []' },
      'PIPELINE_INVALID',
      '4\n  critic',
      /agents\.extract\.turns: an agent without tools has nothing to go on with/,
    ],
    [
      'one turn, which could not read what its call came to',
      { 'turns: 4': 'turns: 1' },
      'PIPELINE_INVALID',
      '1',
      /agents\.extract\.turns: /,
    ],
    [
      'a list of elements for nobody',
      { '  - id: report\n': '  - id: report\n    each: items\n' },
      'PIPELINE_INVALID',
      'items\n    needs',
      /steps\[4\]\.each: a step without an agent/,
    ],
    [
      'a path that is none',
      { 'each: steps.extract.output.claims': 'each: "steps.extract[0]"' },
      'PIPELINE_INVALID',
      '"steps.extract[0]"',
      /steps\[2\]\.each: "steps\.extract\[0\]" is not a path/,
    ],
    [
      'a path to a step that comes later',
      { 'each: steps.extract.output.claims': 'each: steps.report.output' },
      'PIPELINE_UNKNOWN_REFERENCE',
      'steps.report.output',
      /step "critic" does not need "report"; add it to needs/,
    ],
    [
      'an answer format that is no JSON Schema',
      { 'type: object\n': 'type: objekt\n' },
      'PIPELINE_INVALID',
      'objekt',
      /agents\.triage\.output\.type: not a JSON Schema/,
    ],
    [
      'an answer format with a reference to nowhere',
      { 'type: object\n': "$ref: '#/$defs/gone'\n" },
      'PIPELINE_INVALID',
      '$ref',
      /agents\.triage\.output: not a JSON Schema: can't resolve/,
    ],
  ] as const)('refuses %s', (_, edits, code, at, message) => {
    const text = edited(edits);
    const error = refusal(text);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(place(text, at));
    expect(error.code).toBe(code);
  });

  it.each([
    ['a quoted text', { '{{each}}': '{{eech}}' }, '{{eech}}', /.*no variable "eech" here/],
    [
      'a literal block',
      { '{{steps.triage.output.route}}': '{{steps.triagge.output}}' },
      '{{steps.triagge',
      /.*no step "triagge"/,
    ],
    [
      'a plain text',
      { '{{run.seed}}': '{{run.sead}}' },
      '{{run.sead}}',
      /.*"run" has no "sead"; it has name, seed/,
    ],
    [
      'a step over all documents that has no document',
      { 'Brief: ': '{{document.text}} ' },
      '{{document.text}} {{#items',
      /no variable "document" here; there are items, run, steps\.$/,
    ],
    [
      'a step over all documents that reads one result of many',
      { '{{steps.brief.output}}': '{{steps.critic.output}}' },
      '{{steps.critic.output}}',
      /"critic" has a result for each document; read it inside \{\{#items\}\}/,
    ],
    [
      'the result of a step that is not needed',
      { 'needs: [triage]': 'needs: []' },
      '{{steps.triage.output.route}}',
      /step "extract" does not need "triage"; add it to needs/,
    ],
    [
      'a part that no result has',
      { '{{steps.brief.output}}': '{{steps.brief.answer}}' },
      '{{steps.brief.answer}}',
      /a step has no "answer"; it has verdict, output/,
    ],
    [
      'an unknown step inside a section',
      { '{{steps.critic.verdict}}': '{{steps.critik.verdict}}' },
      '{{steps.critik',
      /no step "critik"/,
    ],
    [
      'facts outside grounding',
      { '"Facts: ': '"Facts: {{facts}} ' },
      '{{facts}} {{document',
      /no variable "facts"/,
    ],
    [
      'an argument in the text of a result',
      { '{{result.text}}': '{{path}}' },
      '{{path}} {{#',
      /no variable "path" here; there are result/,
    ],
    [
      'each in a step without',
      { 'Brief: ': '{{each}} ' },
      '{{each}} {{#items',
      /no variable "each"/,
    ],
    [
      'an argument that a call has not',
      { '["{{path}}"': '["{{pat}}"' },
      '{{pat}}',
      /no variable "pat"/,
    ],
    [
      'more than recovery has',
      { '"{{step}}:': '"{{steps.triage}}:' },
      '{{steps.triage}}:',
      /no variable "steps"/,
    ],
  ] as const)('refuses a template: %s', (_, edits, at, message) => {
    const text = edited(edits);
    const error = refusal(text);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(place(text, at));
    expect(error.code).toBe('PIPELINE_UNKNOWN_REFERENCE');
  });

  it.each([
    [
      'a literal block',
      { '{{document.part.index}}': '{{/document}}' },
      '{{/document}}',
      /Unopened/,
    ],
    [
      'a quoted text',
      { ' Claim: {{each}}': '{{#each}}{{/eech}}' },
      '{{/eech}}',
      /Unclosed section "each"/,
    ],
    [
      'an agent without a step',
      { '  writer:\n': '  idle:\n    prompt: "{{/x}}"\n  writer:\n' },
      '{{/x}}',
      /idle\.prompt: the template is wrong: Unopened/,
    ],
  ] as const)('refuses a wrong tag in %s', (_, edits, at, message) => {
    const text = edited(edits);
    const error = refusal(text);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(place(text, at));
    expect(error.code).toBe('PIPELINE_INVALID');
  });

  it('lets a step write what its own agent answered', () => {
    const write = '    write: { path: brief.md, template: "{{steps.brief.output}}" }\n';
    const text = edited({ '    agent: writer\n': `    agent: writer\n${write}` });
    expect(parseText(text).steps[3]?.write?.path).toBe('brief.md');
  });

  it('names the first problem in the file and counts the others', () => {
    const text = edited({ 'agent: writer': 'agent: nobody', '{{run.seed}}': '{{nothing}}' });
    const error = refusal(text);
    expect(error.message).toMatch(/no variable "nothing".* \(and 1 more problem\)\.$/);
    expect(error.message).toContain(place(text, '{{nothing}}'));
    expect(error.details).toMatchObject({ file: 'p.yaml', line: expect.any(Number) });
    expect(error.details.problems).toHaveLength(2);
  });

  it('refuses aliases that multiply', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level += 1) {
      const aliases = Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ');
      lines.push(`a${level}: &a${level} [${aliases}]`);
    }
    expect(refusal(lines.join('\n'))).toMatchObject({
      code: 'PIPELINE_INVALID',
      message: expect.stringMatching(/alias/),
    });
  });

  it('refuses nesting without end', () => {
    expect(refusal('['.repeat(100_000))).toMatchObject({ code: 'PIPELINE_INVALID' });
  });

  it('refuses a text that is too large', () => {
    const error = refusal(`${whole}#${' '.repeat(limits.pipelineBytesMax)}`);
    expect(error.message).toMatch(/larger than 256 KiB/);
  });

  it.each(['', '# nothing', '- a list', 'text'])('refuses %j', (text) => {
    expect(refusal(text).message).toMatch(/^p\.yaml:1:1: expected object, received/);
  });

  it('refuses more agents than a pipeline may have', () => {
    const agents = Array.from(
      { length: limits.pipelineAgentsMax },
      (_, index) => `  a${index}: { prompt: x }\n`,
    );
    const error = refusal(edited({ 'agents:\n': `agents:\n${agents.join('')}` }));
    expect(error.message).toMatch(/at most 64 agents/);
  });
});

describe('parsePipelineObject', () => {
  it('accepts the same pipelines as data', () => {
    expect(parsePipelineObject(parse(whole), { knownChecks })).toEqual(parseText(whole));
  });

  it('names the path, because there is no line', () => {
    const value: unknown = parse(edited({ 'agent: writer': 'agent: nobody' }));
    expect(() => parsePipelineObject(value, { knownChecks })).toThrow(
      /^steps\[3\]\.agent: there is no agent "nobody"/,
    );
    expect(() => parsePipelineObject(null, { knownChecks })).toThrow(/^expected object/);
  });
});

describe('loadPipelineFile', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pipeline-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reads a file and names it in messages', async () => {
    const path = join(folder, 'good.yaml');
    writeFileSync(path, whole);
    expect((await loadPipelineFile(path, { knownChecks })).name).toBe('inbox');
    writeFileSync(path, 'name: 7\n');
    await expect(loadPipelineFile(path, { knownChecks })).rejects.toThrow(`${path}:1:`);
  });

  it.each([
    ['that does not exist', 'gone.yaml', null, 'PIPELINE_NOT_FOUND', /gone\.yaml; check/],
    ['that is a folder', '.', null, 'PIPELINE_NOT_FOUND', /not a file/],
    ['that is not text', 'b.yaml', Uint8Array.of(0xff, 0xfe), 'PIPELINE_INVALID', /not UTF-8/],
    ['that is huge', 'h.yaml', ' '.repeat(300 * 1024), 'PIPELINE_INVALID', /256 KiB/],
  ] as const)('refuses a file %s', async (_, name, content, code, message) => {
    const path = join(folder, name);
    if (content !== null) writeFileSync(path, content);
    const result = loadPipelineFile(path, { knownChecks });
    await expect(result).rejects.toMatchObject({ code });
    await expect(result).rejects.toThrow(message);
  });
});

describe('docs/pipeline.schema.json', () => {
  const published = readFileSync(pipelineSchemaFile, 'utf8');

  it('is written from the schema that the parser uses (npm run docs)', () => {
    expect(published).toBe(pipelineSchemaText());
  });

  it('accepts what the parser accepts and refuses a misspelt setting', () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(published));
    expect(validate(parse(whole))).toBe(true);
    expect(validate(parse(edited({ 'split: {': 'splits: {' })))).toBe(false);
  });
});
