/** Files of a workspace by their labels: real files, and readers of every clearance. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fileActuator } from '../../src/actuators/file.ts';
import { FileLabels } from '../../src/actuators/file-labels.ts';
import { labelledFiles } from '../../src/actuators/labelled-files.ts';
import { defaultLevels } from '../../src/identity/clearance.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import { type ActorSequence, actorId, intentionKey, newRunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';

function made() {
  const folder = mkdtempSync(join(tmpdir(), 'claw-labels-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const workspace = join(folder, 'workspace');
  mkdirSync(workspace);
  const run = newRunId();
  const sidecar = join(folder, 'labels');
  const open = () => new FileLabels(() => sidecar);
  let labels = open();

  /** @param clearance null: the run has no labels. */
  const perform = async (
    operation: string,
    given: JsonObject,
    clearance: string | null = 'secret',
  ) => {
    const files = labelledFiles(fileActuator(), {
      labels,
      readerOf: () =>
        clearance === null
          ? null
          : {
              levels: defaultLevels,
              clearance,
              unmatched: 'public',
              matched: (path) => (path.startsWith('hr-') ? 'confidential' : undefined),
            },
    });
    const wanted = files.operations[operation];
    if (wanted === undefined) throw new Error(`there is no ${operation}`);
    const address = { run, actor: actorId('run/a'), sequence: 1 as ActorSequence, index: 0 };
    return wanted.perform(wanted.arguments.parse(given), {
      key: intentionKey(address),
      run,
      workspace,
      signal: new AbortController().signal,
      clock: systemClock,
      recorded: async () => undefined,
    });
  };
  const refusal = (path: string, clearance: string): Promise<string> =>
    perform('read', { path }, clearance).then(
      () => 'read',
      (error: RuntimeError) => error.code,
    );
  const restart = (): void => {
    labels = open();
  };
  return { workspace, sidecar, perform, refusal, restart };
}

test('a file is told to whoever is cleared for what was written to it, over restarts too', async () => {
  const { perform, refusal, restart } = made();
  await perform('write', { path: 'notes/a.txt', text: 'words', label: 'internal' });
  for (const again of [false, true]) {
    if (again) restart();
    expect(await refusal('notes/a.txt', 'public')).toBe('CLEARANCE_INSUFFICIENT');
    expect(await perform('read', { path: 'notes/a.txt' }, 'internal')).toMatchObject({
      text: 'words',
      label: 'internal',
    });
  }
});

test('no other spelling of the path evades the label', async () => {
  const { perform, refusal, workspace } = made();
  await perform('write', { path: './notes//a.txt', text: 'words', label: 'secret' });
  symlinkSync('notes/a.txt', join(workspace, 'link.txt'));
  symlinkSync('notes', join(workspace, 'folder'));
  for (const path of ['notes/a.txt', 'notes/./a.txt', 'notes//a.txt', 'link.txt', 'folder/a.txt']) {
    expect(await refusal(path, 'confidential')).toBe('CLEARANCE_INSUFFICIENT');
    expect(await refusal(path, 'secret')).toBe('read');
  }
});

test('a label never falls: neither by a later write nor by an addition', async () => {
  const { perform, refusal } = made();
  await perform('write', { path: 'a.txt', text: 'words', label: 'secret' });
  await perform('write', { path: 'a.txt', text: 'others', label: 'public' });
  expect(await refusal('a.txt', 'confidential')).toBe('CLEARANCE_INSUFFICIENT');
  await perform('append', { path: 'b.txt', text: 'public', label: 'public' });
  expect(await refusal('b.txt', 'public')).toBe('read');
  await perform('append', { path: 'b.txt', text: 'more', label: 'internal' });
  expect(await refusal('b.txt', 'public')).toBe('CLEARANCE_INSUFFICIENT');
});

test('a file that the run began with has the label of its pattern', async () => {
  const { workspace, perform, refusal } = made();
  writeFileSync(join(workspace, 'hr-list.csv'), 'names');
  writeFileSync(join(workspace, 'costs.csv'), 'rent');
  expect(await refusal('hr-list.csv', 'internal')).toBe('CLEARANCE_INSUFFICIENT');
  expect(await refusal('costs.csv', 'public')).toBe('read');
  // What is written to it does not lower that.
  await perform('write', { path: 'hr-list.csv', text: 'x', label: 'public' });
  expect(await refusal('hr-list.csv', 'internal')).toBe('CLEARANCE_INSUFFICIENT');
});

test('the label is on the disk before the text, and stays where the write fails', async () => {
  const { workspace, perform, sidecar } = made();
  mkdirSync(join(workspace, 'taken'));
  const failed = await perform('write', { path: 'taken', text: 'x', label: 'secret' }).catch(
    (error: RuntimeError) => error.code,
  );
  expect(failed).toBe('FILE_NOT_FOUND');
  expect(readFileSync(sidecar, 'utf8')).toContain('{"path":"taken","label":"secret"}');
});

test('a line that a crash cut short does not take the next one with it', async () => {
  const { perform, sidecar, refusal, restart } = made();
  writeFileSync(sidecar, '\n{"path":"a.txt","la');
  restart();
  await perform('write', { path: 'b.txt', text: 'x', label: 'secret' });
  restart();
  expect(await refusal('b.txt', 'public')).toBe('CLEARANCE_INSUFFICIENT');
});

test('a run without labels leaves nothing beside its files', async () => {
  const { perform, sidecar } = made();
  await perform('write', { path: 'a.txt', text: 'words' }, null);
  expect(await perform('read', { path: 'a.txt' }, null)).toEqual({
    path: 'a.txt',
    text: 'words',
    bytes: 5,
  });
  expect(existsSync(sidecar)).toBe(false);
});
