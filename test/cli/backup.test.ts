/** Copies of a data directory that a real server is writing, through the real command. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import type { BackupReport } from '../../src/journal/backup.ts';
import type { RunView } from '../../src/runtime/views.ts';
import { getJson, type Server, startServer, stopServer, waitForEnd } from '../crash/kill-run.ts';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';
import { deskTexts, makeDesk } from '../runtime/running.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);

async function served(dataDirectory: string): Promise<Server> {
  const server = await startServer(dataDirectory);
  onTestFinished(() => (server.child.exitCode === null ? stopServer(server) : undefined));
  return server;
}

test('claw backup beside a server at work: the copy goes on to the same results', {
  timeout: 240_000,
}, async () => {
  const { dataDirectory, request } = makeDesk(deskTexts(24));
  const server = await served(dataDirectory);
  const start = () =>
    getJson<RunView>(`${server.url}/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
  const runs = [(await start()).id, (await start()).id];
  const copy = join(folder, 'copy');
  const backup = async (): Promise<BackupReport> => {
    const { status, stdout, stderr } = await claw(['backup', copy, '--json'], {
      data: dataDirectory,
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return oneObject(stdout) as BackupReport;
  };
  const first = await backup();
  const second = await backup();
  expect(second.lastSequence).toBeGreaterThan(first.lastSequence);
  const verified = await claw(['journal', 'verify', '--json'], { data: copy });
  expect(oneObject(verified.stdout)).toMatchObject({ ok: true, seal: second.seal });
  const { stdout } = await claw(['runs', '--json'], { data: copy });
  const copied = (oneObject(stdout) as { runs: RunView[] }).runs;
  expect(copied.map(({ id }) => id)).toEqual(runs);
  expect(copied.filter(({ status }) => status === 'running').length).toBeGreaterThan(0);

  const ends = async (at: Server) =>
    Promise.all(runs.map((run) => waitForEnd(at, run, 100_000))).then((views) =>
      views.map(({ status, resultHash, usage }) => ({ status, resultHash, usage })),
    );
  const originals = await ends(server);
  await stopServer(server);
  const restored = await served(copy);
  expect(await ends(restored)).toEqual(originals);
  expect(originals[0]?.status).toBe('succeeded');
  await stopServer(restored);
  expect((await claw(['replay', '--all', '--json'], { data: copy })).status).toBe(0);
  expect((await claw(['journal', 'verify'], { data: copy })).status).toBe(0);
  const again = await claw(['backup', copy, '--json'], { data: dataDirectory });
  expectFailure(again, 'BACKUP_REFUSED', /holds records that are not those of/);
});

test('claw backup says what it did, and leaves foreign folders alone', async () => {
  const name = 'inbox-format-2';
  const { lastSequence } = recordedFacts(name);
  const copy = join(folder, 'recorded');
  const { status, stdout } = await claw(['backup', copy], { data: fixtureFolder(name) });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^copied +\d+ files, .* bytes; 0 were there, 0 are gone$/m);
  expect(stdout).toContain(`(sequence ${lastSequence})`);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(`${copy} is a whole copy, and was verified.`);
  writeFileSync(join(folder, 'file'), '');
  const foreign = await claw(['backup', folder, '--json'], { data: fixtureFolder(name) });
  expectFailure(foreign, 'BACKUP_REFUSED', /holds other files/);
});
