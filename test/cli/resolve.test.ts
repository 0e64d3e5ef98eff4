/** `claw resolve`, through the real command, on a run that a crash left in doubt. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import type { ErrorCode } from '../../src/kernel/errors.ts';
import { World } from '../runtime/world.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);
const data = join(folder, 'data');
let runs: string[] = [];

const pipeline = {
  name: 'log',
  agents: {},
  steps: [
    {
      id: 'log',
      map: 'documents',
      write: { path: 'log.md', template: '{{document.name}}', append: true },
    },
  ],
};

beforeAll(() => {
  openDataDirectory(data, 0).release();
  const world = new World(data);
  runs = [1, 2, 3, 4].map(() => world.start(pipeline, ['one']));
  world.play(() => null);
  world.close();
});

async function keyOf(run: string, status: string): Promise<string> {
  const { stdout } = await claw(['effects', run, '--json'], { data });
  const { effects } = oneObject(stdout) as unknown as {
    effects: { key: string; status: string; operation: string }[];
  };
  const [found] = effects;
  expect(effects).toHaveLength(1);
  expect(found).toMatchObject({ operation: 'file.append', status });
  return found?.key ?? '';
}

test('settles an effect that nobody else can, and the run goes on to its end', async () => {
  const [done = '', failed = '', given = ''] = runs;
  const key = await keyOf(done, 'open');
  const answered = await claw(['resolve', key, '--outcome', 'done', '--reason', 'seen'], { data });
  expect(answered).toMatchObject({ status: 0, stdout: expect.stringContaining('succeeded') });
  expect(answered.stderr).toContain('is completed');
  expect(await keyOf(done, 'completed')).toBe(key);
  const events = await claw(['events', done, '--json'], { data });
  expect(events.stdout).toContain('"by":{"who":"human","reason":"seen"}');
  expect(events.stdout).toContain('outcome-unknown');

  expectFailure(
    await claw(['resolve', key, '--outcome', 'failed', '--json'], { data }),
    'EFFECT_SETTLED',
    /is completed/,
  );

  const doubted = await keyOf(failed, 'unknown');
  const not = await claw(['resolve', doubted, '--outcome', 'failed'], { data });
  // Nothing else came of its only document.
  expect(not.stdout).toContain('(failed)');
  const { stdout } = await claw(['effects', failed], { data });
  expect(stdout).toMatch(/file\.append +once +failed \(ACTUATOR_FAILED\)/);

  // Two starts since the crash have found it open, and one has said so.
  const doubts = (await claw(['events', given, '--json'], { data })).stdout;
  expect(doubts.split('"outcome-unknown"')).toHaveLength(2);

  const file = join(folder, 'outcome.json');
  const third = await keyOf(given, 'unknown');
  writeFileSync(file, '{"status":"completed","value":{"path":"log.md"}}');
  const words = ['resolve', third, '--json', '--outcome', file];
  expectFailure(await claw(words, { data }), 'OUTCOME_INVALID', /is not what file.append gives/);
  writeFileSync(file, '{"status":"completed","value":{"path":"log.md","appended":6}}');
  expect((await claw(words, { data })).status).toBe(0);

  const replayed = await claw(['replay', '--all', '--json'], { data });
  expect(replayed.status).toBe(0);
});

test('a cancel does not wait for an answer, and the effect stays in doubt', async () => {
  const run = runs[3] ?? '';
  const cancelled = await claw(['cancel', run], { data });
  expect(cancelled.stdout).toContain('is cancelled');
  const key = await keyOf(run, 'unknown');
  expectFailure(
    await claw(['resolve', key, '--outcome', 'done', '--json'], { data }),
    'RUN_NOT_OPEN',
    /has ended/,
  );
});

test('says what is wrong with what it is asked', async () => {
  const [run = ''] = runs;
  const refused = async (key: string, outcome: string, code: ErrorCode, message: RegExp) =>
    expectFailure(
      await claw(['resolve', key, '--outcome', outcome, '--json'], { data }),
      code,
      message,
    );
  await refused('nobody', 'done', 'EFFECT_NOT_FOUND', /nobody is no key/);
  await refused('nobody:run:1:0', 'done', 'RUN_NOT_FOUND', /There is no run nobody/);
  await refused(`${run}:run:9:9`, 'done', 'EFFECT_NOT_FOUND', /claw effects/);
  await refused(`${run}:run:9:9`, join(folder, 'gone'), 'OUTCOME_INVALID', /cannot be read/);
});
