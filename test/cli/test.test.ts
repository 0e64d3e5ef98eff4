/** `claw test record` and `claw test`, through the real command. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { rewriteJournal } from '../runtime/rewritten-journal.ts';
import { generated, World, writingPipeline, written } from '../runtime/world.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);
const data = join(folder, 'data');
const cases = join(folder, 'cases');

function newData(path: string): string {
  openDataDirectory(path, 0).release();
  return path;
}

test('a recorded run passes while the machines make the same of it, and fails otherwise', async () => {
  const world = new World(newData(data));
  const run = world.start(writingPipeline, ['one']);
  const open = world.start(writingPipeline, ['two']);
  world.play((operation, _, act) =>
    act.run === open ? null : operation === 'file.write' ? written : generated('yes'),
  );
  world.close();

  const recorded = await claw(['test', 'record', run, '--dir', cases], { data });
  expect(recorded.status).toBe(0);
  const name = `demo-${run.slice(-8)}`;
  expect(recorded.stdout).toContain(`${name}.claw`);
  const passed = await claw(['test', cases], { data: join(folder, 'unused') });
  expect(passed).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^pass {2}demo-.*\n1 passed, 0 failed/),
  });

  // What another machine would have made of the second event of the agent.
  const other = newData(join(folder, 'other'));
  rewriteJournal(data, other, (body, { type, actor, actorSequence }) => {
    if (type === 'event' && actor?.endsWith('echo') === true && actorSequence === 2) {
      body.hash = '0'.repeat(64);
    }
  });
  const words = ['test', 'record', run, '--dir', cases, '--name', 'other'];
  expect((await claw(words, { data: other })).status).toBe(0);
  const failed = await claw(['test', cases, '--json'], { data });
  expect(failed.status).toBe(3);
  const report = oneObject(failed.stdout) as unknown as {
    cases: { name: string; changed: string[]; replay: { divergence: { actor: string } | null } }[];
  };
  expect(report).toMatchObject({ passed: 1, failed: 1 });
  expect(report.cases.map((each) => each.replay.divergence?.actor ?? null)).toEqual([
    null,
    'run/document-1/supervisor/echo',
  ]);

  const facts = join(cases, `${name}.json`);
  writeFileSync(
    facts,
    readFileSync(facts, 'utf8').replace(/"resultHash": ".{4}/, '"resultHash": "0000'),
  );
  const changed = await claw(['test', cases], { data });
  expect(changed.status).toBe(3);
  expect(changed.stdout).toMatch(/FAIL {2}demo-\S+\n {2}It is not the run .*resultHash differ/);
  expect(changed.stdout).toContain('0 passed, 2 failed');

  const again = await claw([...words, '--json'], { data: other });
  expectFailure(again, 'FILE_EXISTS', /another --name/);
  const unended = ['test', 'record', open, '--dir', cases, '--json'];
  expectFailure(await claw(unended, { data }), 'RUN_NOT_ENDED', /has not ended/);
});

test('says what is wrong with cases', async () => {
  const none = await claw(['test', join(folder, 'none'), '--json'], { data });
  expectFailure(none, 'CASE_INVALID', /no recorded case/);
  const wrong = join(folder, 'wrong');
  const [run] = (
    oneObject((await claw(['runs', '--json'], { data })).stdout) as unknown as {
      runs: { id: string }[];
    }
  ).runs;
  const named = ['test', 'record', run?.id ?? '', '--dir', wrong, '--name', '../x', '--json'];
  expectFailure(await claw(named, { data }), 'CASE_INVALID', /no name of a case/);
  const good = ['test', 'record', run?.id ?? '', '--dir', wrong, '--name', 'x'];
  expect((await claw(good, { data })).status).toBe(0);
  writeFileSync(join(wrong, 'x.json'), '{}');
  expectFailure(await claw(['test', wrong, '--json'], { data }), 'CASE_INVALID', /record it again/);
});
