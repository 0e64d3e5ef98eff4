/** `claw runs rm`, through the real command: alone on a data directory, and beside a server. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startApi } from '../../src/api/server.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { newRunId } from '../../src/kernel/ids.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd } from '../runtime/running.ts';
import { generated, World, writingPipeline, written } from '../runtime/world.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);

test('erases an ended run, once that is said twice, and tells what is left', async () => {
  const data = join(folder, 'data');
  openDataDirectory(data, 0).release();
  const world = new World(data);
  const [run, other] = [1, 2].map(() => world.start(writingPipeline, ['one']));
  world.play((operation) => (operation === 'file.write' ? written : generated('yes')));
  world.close();
  if (run === undefined || other === undefined) throw new Error('there are two runs');

  expectFailure(await claw(['runs', 'rm', run, '--json'], { data }), 'USAGE', /--yes/);
  expect((await claw(['replay', run], { data })).status).toBe(0);
  expectFailure(
    await claw(['runs', 'rm', newRunId(), '--yes', '--json'], { data }),
    'RUN_NOT_FOUND',
    /There is no run/,
  );
  const { status, stdout } = await claw(['runs', 'rm', run, '--yes', '--json'], { data });
  expect(status).toBe(0);
  expect(oneObject(stdout)).toEqual({ erased: [run] });
  expect(readdirSync(join(data, 'keys'))).toEqual([other]);

  const listed = await claw(['runs'], { data });
  expect(listed.stdout.split('\n').find((line) => line.startsWith(run))).toContain('erased');
  expectFailure(await claw(['replay', run, '--json'], { data }), 'RUN_ERASED', /was erased at/);
  const all = await claw(['replay', '--all'], { data });
  expect(all).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('1 equal, 0 diverged, 0 not replayed, 1 erased.'),
  });
  const verified = await claw(['journal', 'verify'], { data });
  expect(verified.status).toBe(0);
});

test('asks the server that owns the data directory', async () => {
  const { dataDirectory, request } = makeDesk(deskTexts(1));
  const runtime = await openRuntime(dataDirectory);
  const api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
  runtime.announcePort(api.port);
  try {
    const parent = await runToEnd(runtime, request);
    const fork = await runtime.ended((await runtime.fork(parent.id, { at: 9 })).id);
    const rm = ['runs', 'rm', parent.id, '--yes'];
    expectFailure(
      await claw([...rm, '--json'], { data: dataDirectory }),
      'RUN_HAS_FORKS',
      /begins with events/,
    );
    const { status, stdout } = await claw([...rm, '--forks'], { data: dataDirectory });
    expect(status).toBe(0);
    expect(stdout).toBe(`The run ${fork.id} is erased.\nThe run ${parent.id} is erased.\n`);
    expect(runtime.run(parent.id).status).toBe('erased');
    const gone = await fetch(`${api.url}/v1/runs/${parent.id}/events`);
    expect(gone.status).toBe(410);
    expect(await gone.json()).toMatchObject({ code: 'RUN_ERASED' });
  } finally {
    await api.close();
  }
});
