/** A fork needs the files that its run began with, wherever and whenever it is made. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { commonRules, Redactor } from '../../src/runtime/redactor.ts';
import { exportRun, importRun } from '../../src/runtime/run-archive.ts';
import type { RunView } from '../../src/runtime/views.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd, testFolder } from './running.ts';

const costs = 'rent,1200\nmail,\nalice.smith@example.com\n';
const logo = randomBytes(700_000);

/** A run that has ended, and then somebody took its files away. */
async function ended({ other = logo }: { readonly other?: Buffer | string | null } = {}): Promise<{
  dataDirectory: string;
  parent: RunView;
}> {
  const { dataDirectory, request } = makeDesk(deskTexts(2));
  const workspace = (request.pipeline.input as { workspace: string }).workspace;
  writeFileSync(join(workspace, 'costs.csv'), costs);
  if (other !== null) writeFileSync(join(workspace, 'logo.bin'), other);
  const runtime = await openRuntime(dataDirectory);
  const parent = await runToEnd(runtime, request);
  expect(parent.status).toBe('succeeded');
  await runtime.stop();
  rmSync(join(dataDirectory, 'workspaces', parent.id), { recursive: true });
  return { dataDirectory, parent };
}

async function forked(dataDirectory: string, parent: RunView): Promise<RunView> {
  const runtime = await openRuntime(dataDirectory);
  const { id } = await runtime.fork(parent.id, { at: 5 });
  return runtime.ended(id);
}

const filesOf = (dataDirectory: string, { id }: RunView, name: string): Buffer =>
  readFileSync(join(dataDirectory, 'workspaces', id, name));

describe('the files that a run began with', () => {
  test('are in the journal, so a fork has them though its parent lost them', async () => {
    const { dataDirectory, parent } = await ended();
    const fork = await forked(dataDirectory, parent);
    expect(fork).toMatchObject({ status: 'succeeded', resultHash: parent.resultHash });
    expect(filesOf(dataDirectory, fork, 'costs.csv').toString()).toBe(costs);
    expect(filesOf(dataDirectory, fork, 'logo.bin').equals(logo)).toBe(true);
  });

  test('go along in an archive', async () => {
    const { dataDirectory, parent } = await ended();
    const file = join(testFolder(), 'run.claw');
    exportRun(dataDirectory, parent.id, file);
    const elsewhere = join(testFolder(), 'data');
    openDataDirectory(elsewhere, 0).release();
    importRun(elsewhere, file);
    expect(verifyJournal(elsewhere)).toMatchObject({ ok: true });
    const fork = await forked(elsewhere, parent);
    expect(fork).toMatchObject({ status: 'succeeded', resultHash: parent.resultHash });
    expect(filesOf(elsewhere, fork, 'logo.bin').equals(logo)).toBe(true);
  });

  test('are redacted as texts are, and left out where they are none', async () => {
    const { dataDirectory, parent } = await ended();
    const file = join(testFolder(), 'run.claw');
    exportRun(dataDirectory, parent.id, file, new Redactor(commonRules));
    const elsewhere = join(testFolder(), 'data');
    openDataDirectory(elsewhere, 0).release();
    importRun(elsewhere, file);
    const runtime = await openRuntime(elsewhere);
    await expect(runtime.fork(parent.id, { at: 5 })).rejects.toMatchObject({
      code: 'FORK_WORKSPACE_LOST',
      message: expect.stringContaining('logo.bin'),
    });
    expect(readdirSync(join(elsewhere, 'workspaces'))).toEqual([]);
  });

  test('say which texts of a field are to be replaced, though no agent reads them', async () => {
    const { dataDirectory, parent } = await ended({ other: '{"owner":"Ada"}' });
    const file = join(testFolder(), 'run.claw');
    exportRun(dataDirectory, parent.id, file, new Redactor([], ['owner']));
    const elsewhere = join(testFolder(), 'data');
    openDataDirectory(elsewhere, 0).release();
    importRun(elsewhere, file);
    const fork = await forked(elsewhere, parent);
    expect(filesOf(elsewhere, fork, 'logo.bin').toString()).toMatch(
      /^\{"owner":"(?!Ada)[A-Z]\w\w"\}$/,
    );
  });

  test('are redacted in a fork too, which goes on over what they are now', async () => {
    const { dataDirectory, parent } = await ended({ other: null });
    const file = join(testFolder(), 'run.claw');
    exportRun(dataDirectory, parent.id, file, new Redactor(commonRules));
    const elsewhere = join(testFolder(), 'data');
    openDataDirectory(elsewhere, 0).release();
    importRun(elsewhere, file);
    const fork = await forked(elsewhere, parent);
    expect(fork.status).toBe('succeeded');
    const now = filesOf(elsewhere, fork, 'costs.csv').toString();
    expect(now).toMatch(/^rent,1200\nmail,\n[a-z]{5}\.[a-z]{5}@[a-z]{7}\.[a-z]{3}\n$/);
    expect(now).not.toBe(costs);
    expect(filesOf(elsewhere, fork, 'report.md').toString()).toContain(now);
  });
});
