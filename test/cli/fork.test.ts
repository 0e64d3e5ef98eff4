/** `claw fork`, through the real command and a real model. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { deskPipeline } from '../runtime/running.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);
const data = join(folder, 'data');

interface Run {
  readonly id: string;
  readonly events: number;
  readonly resultHash: string;
  readonly parent: { readonly run: string; readonly at: number } | null;
}

interface GridFork {
  readonly set: Record<string, unknown>;
  readonly status: string;
  readonly usage: { readonly generations: number };
  readonly verdict: { readonly ok: boolean; readonly value: Record<string, unknown> };
}

test('goes on from an event of a run, with another prompt and another report', async () => {
  const input = join(folder, 'input');
  mkdirSync(input);
  writeFileSync(join(input, 'one.txt'), 'Please add 21 and 34');
  const pipeline = join(folder, 'desk.yaml');
  // JSON is YAML.
  writeFileSync(pipeline, JSON.stringify({ ...deskPipeline('.'), input: {} }));
  const ran = await claw(['run', pipeline, '--input', input, '--json'], { data });
  const parent = oneObject(ran.stdout) as unknown as Run;
  expect(ran.status).toBe(0);

  const same = await claw(['fork', parent.id, '--at', '5', '--json'], { data });
  const twin = oneObject(same.stdout) as unknown as Run;
  expect(same.status).toBe(0);
  expect(twin).toMatchObject({
    parent: { run: parent.id, at: 5 },
    resultHash: parent.resultHash,
  });

  const prompt = join(folder, 'prompt.txt');
  writeFileSync(prompt, 'Route this request to one of: billing, support. Request: An invoice.');
  const out = join(folder, 'report.md');
  const words = ['fork', parent.id, '--at', '5', '--set', `router.prompt=@${prompt}`];
  const changed = await claw([...words, '--set', 'temperature=0.1', '--out', out], { data });
  expect(changed).toMatchObject({ status: 0, stdout: expect.stringContaining('succeeded') });
  expect(readFileSync(out, 'utf8')).toContain('one.txt');

  const verify = join(folder, 'verify.js');
  writeFileSync(
    verify,
    '({ ok: input.report.includes("55"), hot: input.settings.temperature > 0.5, by: input.run.status })',
  );
  const vary = ['--vary', 'temperature=0,0.9', '--vary', `router.prompt=@${prompt},Say A.`];
  const grid = ['grid', parent.id, '--at', '5', ...vary, '--set', 'adder.temperature=0'];
  const judged = await claw([...grid, '--verify', verify, '--json'], { data });
  expect(judged.status).toBe(0);
  const { forks } = oneObject(judged.stdout) as unknown as { forks: GridFork[] };
  const asked = readFileSync(prompt, 'utf8');
  expect(forks.map(({ set }) => [set.temperature, set['router.prompt']])).toEqual([
    [0, asked],
    [0, 'Say A.'],
    [0.9, asked],
    [0.9, 'Say A.'],
  ]);
  for (const { set, status, verdict, usage } of forks) {
    expect(set['adder.temperature']).toBe(0);
    expect(status).toBe('succeeded');
    expect(verdict.value).toMatchObject({ hot: set.temperature === 0.9, by: status });
    expect(verdict.ok).toBe(verdict.value.ok);
    expect(usage.generations).toBeGreaterThan(2);
  }
  expect(forks.some(({ verdict }) => verdict.ok)).toBe(true);
  const broken = join(folder, 'broken.js');
  writeFileSync(broken, 'nothing.here');
  const words2 = ['grid', parent.id, '--at', '5', '--vary', 'temperature=0', '--verify', broken];
  const table = await claw(words2, { data });
  expect(table.status).toBe(0);
  expect(table.stdout).toMatch(/settings +status +result +verdict/);
  expect(table.stdout).toMatch(/temperature=0 +succeeded +[0-9a-f]{8} +fail ReferenceError/);

  const replayed = await claw(['replay', '--all', '--json'], { data });
  expect(replayed.status).toBe(0);
});

test.each([
  ['no values', ['--vary', 'temperature='], /NAME=VALUE,VALUE/],
  ['one setting twice', ['--vary', 'temperature=0', '--set', 'temperature=1'], /given twice/],
  [
    'too many forks',
    ['--vary', `a.model=${'x,'.repeat(19)}x`, '--vary', `b.model=${'x,'.repeat(19)}x`],
    /more than 256/,
  ],
])('refuses a grid of %s', async (_, words, message) => {
  const id = '01890000-0000-7000-8000-000000000000';
  const ended = await claw(['grid', id, '--at', '1', '--json', ...words], { data });
  expectFailure(ended, 'FORK_INVALID', message);
});

test('says what is wrong with what it is asked', async () => {
  const id = '01890000-0000-7000-8000-000000000000';
  const at = ['--at', '1', '--json'];
  const file = join(folder, 'no.json');
  writeFileSync(file, 'no');
  const wrong: [string[], RegExp][] = [
    [['--set', 'temperature'], /NAME=VALUE/],
    [['--set', 'a.temperature=warm'], /is a number/],
    [['--set', `outcome=${file}`], /is not JSON/],
    [['--set', `prompt=@${join(folder, 'gone')}`], /cannot be read/],
  ];
  for (const [words, message] of wrong) {
    expectFailure(await claw(['fork', id, ...at, ...words], { data }), 'FORK_INVALID', message);
  }
  expectFailure(await claw(['fork', id, ...at], { data }), 'RUN_NOT_FOUND', /There is no run/);
});
