/** `claw supervise tune`: over a journal whose answers are told, and after a real run beside its server. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/actors/outcome.ts';
import { encodeTokenColumns } from '../../src/inference/token-columns.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import type { TuneReport } from '../../src/runtime/tune-detectors.ts';
import { made } from '../inference/made-tokens.ts';
import { World } from '../runtime/world.ts';
import { claw, expectFailure, oneObject, startServer, temporaryFolder } from './claw-process.ts';
import { run } from './harness.ts';

const { folder, remove } = temporaryFolder();
const data = join(folder, 'told');
afterAll(remove);
const told = { environment: { OPENCLAW_HOME: data } };

interface Tuned extends TuneReport {
  readonly answers: readonly {
    readonly run: string;
    readonly sequence: number;
    readonly agent: string;
    readonly right: boolean | null;
    readonly why: string;
    readonly tokens: number;
    readonly text: string;
  }[];
  readonly unread: readonly { readonly code: string }[];
}

const text = 'We met Anna and Boris in Leeds.';
const right = '{"names":["Anna","Boris"],"places":["Leeds"],"dates":[],"amounts":[]}';
const wrong = '{"names":["Anna"],"places":["Boris"],"dates":[],"amounts":[]}';

/** An answer of two tokens, the second of this confidence. */
function answer(said: string, confidence: number, halted = false): Outcome {
  const tokens = [made(said.slice(0, 9)), made(said.slice(9), { confidence })];
  const halt = { detector: 'confidence', atToken: 1, evidence: 'It was unsure.' };
  return {
    status: 'completed',
    value: {
      status: halted ? 'halted' : 'completed',
      text: said,
      finish: halted ? 'halted' : 'schema',
      tokens: encodeTokenColumns(tokens),
      minConfidence: confidence,
      halt: halted ? halt : null,
      usage: { promptTokens: 5, answerTokens: 2 },
    },
  };
}

const pipeline = {
  name: 'post',
  agents: {
    reader: {
      prompt: '{{document.text}}',
      output: { type: 'object' },
      supervise: { minConfidence: 0.2, retries: 2 },
      checks: [{ use: 'fields' }, { use: 'confidence', with: { min: 0.5 } }],
    },
    teller: { prompt: '{{document.text}}', checks: [{ use: 'confidence', with: { min: 0.1 } }] },
  },
  steps: [
    { id: 'read', agent: 'reader', map: 'documents' },
    { id: 'tell', agent: 'teller', map: 'documents', needs: ['read'], when: 'always' },
  ],
};

const listing = {
  name: 'list',
  agents: {
    lister: { prompt: '{{document.text}}', output: { type: 'array' } },
    reader: { ...pipeline.agents.reader, prompt: '{{each}}', supervise: { retries: 0 } },
  },
  steps: [
    { id: 'list', agent: 'lister', map: 'documents' },
    { id: 'read', agent: 'reader', map: 'documents', needs: ['list'], each: 'steps.list.output' },
  ],
};

let first: RunId;
let many: RunId;
let other: RunId;

beforeAll(() => {
  openDataDirectory(data, 0).release();
  const world = new World(data);
  const says = [
    answer(right, 0.1, true),
    answer(wrong, 0.3),
    answer(right, 0.4),
    answer('It is in Leeds.', 0.9),
  ];
  first = world.start(pipeline, [text]);
  world.play(() => says.shift() ?? null);
  other = world.start(pipeline, [text]);
  world.play((_, { schema }) => answer(schema === null ? 'Leeds' : right, 0.95));
  const lines = [answer(JSON.stringify([text, text]), 0.9), answer(wrong, 0.9), answer(right, 0.9)];
  many = world.start(listing, [text]);
  world.play(() => lines.shift() ?? null);
  world.close();
});

async function tune(...words: string[]): Promise<Tuned> {
  const { status, stdout, stderr } = await claw(['supervise', 'tune', '--json', ...words], {
    data,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return oneObject(stdout) as Tuned;
}

describe('claw supervise tune', () => {
  test('takes the labels from the checks, and none from a detector or a confidence', async () => {
    const { answers } = await tune(first);
    expect(answers.map(({ agent, right, why }) => [agent, right, why])).toEqual([
      ['reader', null, 'a detector stopped it'],
      ['reader', false, expect.stringContaining('Boris')],
      // The confidence check doubts it; the other one does not.
      ['reader', true, 'its checks passed'],
      ['teller', null, 'no check verified it'],
    ]);
    expect(answers.every(({ tokens }) => tokens === 2)).toBe(true);
  });

  test('does not blame an answer for what was doubted of another of its step', async () => {
    const { answers } = await tune(many, '--agent', 'reader');
    expect(answers.map((each) => each.right)).toEqual([false, true]);
  });

  test('measures each agent at its threshold and proposes another', async () => {
    const { agents, interventions, falseMax } = await tune(first, other);
    expect(falseMax).toBe(0.05);
    expect(
      agents.map(({ agent, generations, right, wrong }) => [agent, generations, right, wrong]),
    ).toEqual([
      ['reader', 4, 2, 1],
      ['teller', 2, 0, 0],
    ]);
    expect(agents[0]?.signals[0]).toEqual({
      signal: 'least confidence',
      setting: 'minConfidence',
      known: 3,
      auroc: 1,
      present: { threshold: 0.2, interventions: 0, precision: null, recall: 0, falseRate: 0 },
      // Of 32 bits, so 0.4 is a little more.
      proposed: { threshold: 0.4, interventions: 1, precision: 1, recall: 1, falseRate: 0 },
    });
    expect(interventions).toEqual([
      {
        run: first,
        sequence: expect.any(Number),
        actor: 'run/document-1/supervisor/read',
        setting: 'minConfidence',
        value: expect.closeTo(0.1),
        atToken: 1,
        text: right.slice(9),
        right: null,
      },
    ]);
  });

  test('looks at the runs and the agent that are named', async () => {
    const { agents } = await tune(other, '--agent', 'reader', '--false-max', '0.5');
    expect(agents.map(({ agent, generations }) => [agent, generations])).toEqual([['reader', 1]]);
  });

  test('believes a file of labels more than checks', async () => {
    const { answers } = await tune(first);
    const labels = join(folder, 'labels.jsonl');
    const lines = answers.map(({ run: of, sequence }, index) =>
      JSON.stringify({ run: of, sequence, right: index === 0 }),
    );
    writeFileSync(labels, `${lines.join('\n')}\n\n`);
    const given = await tune(first, '--labels', labels);
    expect(given.answers.map((each) => each.right)).toEqual([true, false, false, false]);
    expect(given.agents[0]?.signals[0]?.present?.falseRate).toBe(1);
  });

  test('shows people a table and where it intervenes', async () => {
    const { status, stdout } = await run(['supervise', 'tune'], told);
    expect(status).toBe(0);
    expect(stdout).toContain('post/reader, none: 4 answers, 2 right, 1 wrong, 1 not known');
    expect(stdout).toMatch(
      /^least confidence +minConfidence +3 +1\.00 +0\.2 +- +0 % +0 % +0\.4 +100 % +100 % +0 %$/m,
    );
    expect(stdout).toMatch(
      new RegExp(`^${first} +\\d+ +minConfidence +0\\.1 +2 .* not known$`, 'm'),
    );
    expect(stdout).toContain('stops at most 5 % of the answers');
  });

  test('refuses a file that has no labels, and a run that is not there', async () => {
    const bad = join(folder, 'bad.jsonl');
    writeFileSync(bad, '{"run": "a", "sequence": 1, "right": true}\n{"run": "a"}\n');
    const words = ['supervise', 'tune', '--json'];
    expectFailure(await run([...words, '--labels', bad], told), 'USAGE', /Line 2 of/);
    const absent = await run([...words, '--labels', join(folder, 'absent')], told);
    expectFailure(absent, 'USAGE', /cannot be read/);
    const nobody = await run([...words, '01890000-0000-7000-8000-000000000000'], told);
    expectFailure(nobody, 'RUN_NOT_FOUND', /There is no run/);
  });
});

test('a real run is tuned beside the server that made it, its fork not counted twice', async () => {
  const real = join(folder, 'real');
  const letters = join(folder, 'letters');
  const reader = {
    ...pipeline.agents.reader,
    prompt: 'Extract the names, places, dates and amounts from: {{document.text}}',
    output: {
      type: 'object',
      properties: Object.fromEntries(
        ['names', 'places', 'dates', 'amounts'].map((name) => [
          name,
          { type: 'array', items: { type: 'string' }, maxItems: 4 },
        ]),
      ),
    },
    supervise: { minConfidence: 0.5, retries: 1, stall: 200 },
  };
  const definition = {
    name: 'post',
    agents: { reader },
    steps: [{ id: 'read', agent: 'reader', map: 'documents' }],
  };
  mkdirSync(letters);
  writeFileSync(join(letters, 'one.txt'), 'Priya wrote to Marco in Leeds.');
  writeFileSync(join(letters, 'two.txt'), 'Ewa paid Kofi Mensah €120 on 3 May in Lublin.');
  const file = join(folder, 'post.json');
  writeFileSync(file, JSON.stringify(definition));
  const server = await startServer({ data: real });
  const ran = await claw(['run', file, '--input', letters, '--json'], { data: real });
  expect(ran.status).toBe(0);
  const { id, events } = oneObject(ran.stdout) as { id: string; events: number };
  const forked = await claw(['fork', id, '--at', String(events - 1), '--json'], { data: real });
  expect(forked.status).toBe(0);
  const { status, stdout } = await claw(['supervise', 'tune', '--json'], { data: real });
  await server.stop();
  expect(status).toBe(0);
  const { agents, answers } = oneObject(stdout) as Tuned;
  const ofRun = answers.filter((each) => each.run === id);
  expect(ofRun.length).toBeGreaterThanOrEqual(2);
  expect(ofRun.every(({ text: said, tokens }) => said.startsWith('{') && tokens > 2)).toBe(true);
  expect(ofRun.length).toBe(answers.length);
  expect(agents[0]?.generations).toBe(answers.length);
  expect(agents[0]?.model).toContain('tiny-agent');
});
