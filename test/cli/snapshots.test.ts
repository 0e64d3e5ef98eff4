/** What `claw` says of the snapshots of open runs. */
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { type RunSnapshotBody, runSnapshotRecords } from '../../src/runtime/event-record.ts';
import { programDigest } from '../../src/runtime/program-digest.ts';
import { takeSnapshot } from '../../src/runtime/snapshot-run.ts';
import { getJson, startServer, stopServer } from '../crash/kill-run.ts';
import { World, writingPipeline } from '../runtime/world.ts';
import { claw, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);

/** A run under way, and a snapshot of it that `change` has been at. */
function openRun(name: string, change: (body: RunSnapshotBody) => RunSnapshotBody): string {
  const data = `${folder}/${name}`;
  openDataDirectory(data, 0).release();
  const world = new World(data, 1);
  onTestFinished(() => world.close());
  const run = world.start(writingPipeline, ['One.', 'Two.']);
  world.settle();
  world.flush();
  const entry = world.follower.entry(run);
  const { body } = takeSnapshot(world.follower, entry, { program: programDigest(), whole: true });
  if (body === null) throw new Error('there is something to snapshot');
  const recording = { timeMs: world.clock.nowMs(), store: world.storeOf(run) };
  world.append(runSnapshotRecords(run, change(body), recording));
  world.flush();
  return data;
}

test('claw journal verify --snapshots proves the last snapshot of each open run', async () => {
  const data = openRun('sound', (body) => body);
  const verified = await claw(['journal', 'verify', '--snapshots', '--json'], { data });
  expect(verified.status).toBe(0);
  expect(oneObject(verified.stdout)).toMatchObject({
    ok: true,
    snapshots: [{ equal: true, difference: null }],
  });
  const words = await claw(['journal', 'verify', '--snapshots'], { data });
  expect(words.stdout).toMatch(/^equal +\S+: snapshot at event \d+, and its continuation to \d+$/m);
  expect(words.stdout).toContain('1 snapshot(s) of open runs are what a full replay makes.');
});

test('a snapshot that no event makes is wrong, and the exit status 5', async () => {
  // A message that was received counts as not received: no hash covers that.
  const data = openRun('forged', (body) => ({
    ...body,
    actors: body.actors.map((each) => ({
      ...each,
      actor: each.actor.replace(/"received":\{("[^"]+"):\d+/, '"received":{$1:0'),
    })),
  }));
  expect((await claw(['journal', 'verify'], { data })).status).toBe(0);
  const verified = await claw(['journal', 'verify', '--snapshots'], { data });
  expect(verified.status).toBe(5);
  expect(verified.stdout).toMatch(/^wrong +\S+: snapshot at event \d+: as taken: /m);
});

test('claw doctor says what the auditor of a running server found', async () => {
  const data = `${folder}/served`;
  const server = await startServer(data);
  onTestFinished(() => stopServer(server));
  const { snapshots } = await getJson<{ snapshots: object }>(`${server.url}/healthz`);
  expect(snapshots).toMatchObject({ taken: 0, mismatches: 0 });
  const port = new URL(server.url).port;
  const served = await claw(['doctor', '--port', port, '--json'], { data });
  const { findings } = oneObject(served.stdout) as { findings: object[] };
  expect(findings).toContainEqual({
    check: 'snapshots',
    status: 'ok',
    detail: expect.stringMatching(
      /has taken 0 of runs and compared 0 with a full replay: all equal/,
    ),
  });
});
