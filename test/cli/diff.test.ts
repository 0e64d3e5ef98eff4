/** `claw diff`, through the real command, on a journal of two runs. */
import { afterAll, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { generated, World, writingPipeline, written } from '../runtime/world.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder: data, remove } = temporaryFolder();
afterAll(remove);

function record(world: World, text: string): string {
  const run = world.start(writingPipeline, ['one']);
  world.play((operation) => (operation === 'file.write' ? written : generated(text)));
  return run;
}

test('shows where two runs part, and says by its status whether they do', async () => {
  openDataDirectory(data, 0).release();
  const world = new World(data);
  const runs = ['yes', 'yes', 'no'].map((text) => record(world, text));
  world.close();
  const [first = '', second = '', third = ''] = runs;

  const same = await claw(['diff', first, second], { data });
  expect(same).toMatchObject({ status: 0, stdout: expect.stringMatching(/^The same: \d+ events/) });

  const words = await claw(['diff', first, third], { data });
  expect(words.status).toBe(3);
  expect(words.stdout).toMatch(/They part at run\/document-1\/\S+, event \d+ of it/);
  expect(words.stdout).toContain('~ /outcome/value/text: "yes" → "no"');
  expect(words.stdout).toContain('They end differently:');

  const { status, stdout } = await claw(['diff', first, third, '--json'], { data });
  expect(status).toBe(3);
  expect(oneObject(stdout)).toMatchObject({ runs: [first, third], equal: false, began: [] });

  const nobody = '01890000-0000-7000-8000-000000000000';
  const unknown = await claw(['diff', first, nobody, '--json'], { data });
  expectFailure(unknown, 'RUN_NOT_FOUND', /There is no run/);
});
