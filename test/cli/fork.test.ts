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

  const replayed = await claw(['replay', '--all', '--json'], { data });
  expect(replayed.status).toBe(0);
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
