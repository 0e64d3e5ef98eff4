/** Erasure: what is left of a run, who says so, and that nobody else suffers. */
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { backUp } from '../../src/journal/backup.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { nodeFilePort } from '../../src/journal/file-port.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { newRunId, type RunId } from '../../src/kernel/ids.ts';
import { compactJournal } from '../../src/runtime/compact-journal.ts';
import { eraseRun } from '../../src/runtime/erase-run.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { exportRun, importRun } from '../../src/runtime/run-archive.ts';
import { thrownBy } from '../journal/journal-fixture.ts';
import { runPython } from '../journal/python.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd, testFolder } from './running.ts';
import { generated, World, writingPipeline, written } from './world.ts';

/** Texts that are a record, a file, and too short for either. */
const secrets = ['the secret word', `a secret of a record ${'r'.repeat(2_000)}`, 'a secret file'];
const [short = '', inRecord = '', inFile = ''] = secrets;

function newData(): string {
  const data = join(testFolder(), 'data');
  openDataDirectory(data, 0).release();
  return data;
}

function worldIn(data: string, options: ConstructorParameters<typeof World>[3] = {}): World {
  const world = new World(data, 1, 1_000, options);
  onTestFinished(() => world.close());
  return world;
}

/** A run that met all secrets, and another one. */
function twoRuns(data = newData(), options = {}) {
  const world = worldIn(data, options);
  const large = inFile.repeat(10_000);
  const run = world.start(writingPipeline, [inRecord, large]);
  const other = world.start(writingPipeline, ['another text']);
  world.play((operation, _args, act) =>
    operation === 'file.write' ? written : generated(act.run === run ? short : 'nothing'),
  );
  world.close();
  return { data, run, other };
}

/** Paths, inside the folder, of files in which the text can be read, plain. */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
    .filter((path) => readFileSync(path).includes(text));
}

function view(data: string) {
  const journal = openReadOnly(data);
  onTestFinished(() => journal.close());
  return journal;
}

const erase = (data: string, run: RunId, forks = false) => eraseRun(data, run, { forks, nowMs: 9 });

const pythonLines = (data: string, run: RunId) => {
  const { status, lines } = runPython('scripts/journal_reader.py', [data]);
  expect(status).toBe(0);
  return (
    lines as { run: string; body?: string | null; text?: { holds: boolean | null } }[]
  ).filter((line) => line.run === run);
};

describe('what a run writes', () => {
  test('can be read with its keys alone', () => {
    const { data, run } = twoRuns();
    for (const secret of secrets) expect(filesWith(data, secret)).toEqual([]);
    expect(readdirSync(join(data, 'blobs', run)).length).toBeGreaterThan(0);
    const lines = pythonLines(data, run);
    const readable = lines.map(({ body }) => body ?? '').join('\n');
    expect(readable).toContain(short);
    expect(lines.some(({ text }) => text?.holds === true)).toBe(true);
    expect(lines.some(({ text }) => text?.holds === null)).toBe(false);
    expect(verifyJournal(data)).toMatchObject({ ok: true, blobFaults: [] });
  });

  test.each([
    ['those of another run', (path: string, other: string) => cpSync(other, path)],
    ['damaged', (path: string) => writeFileSync(path, 'keys')],
    ['missing', (path: string) => rmSync(path)],
  ])('is lost where the keys are %s, and nothing else is', async (_what, spoil) => {
    const { data, run, other } = twoRuns();
    const whole = view(data).run(other);
    spoil(join(data, 'keys', run), join(data, 'keys', other));
    expect(view(data).run(run)).toMatchObject({ error: { code: 'RUN_KEYS_MISSING' } });
    expect(view(data).run(other)).toEqual(whole);
    expect(await view(data).replay(other)).toMatchObject({ equal: true });
    expect(verifyJournal(data)).toMatchObject({
      ok: false,
      faults: [],
      keysMissing: [run],
      runsAffected: [run],
    });
  });
});

describe('an erased run', () => {
  test('says so wherever it is asked for, and no other run is touched', async () => {
    const { data, run, other } = twoRuns();
    const before = view(data);
    const [events, whole] = [before.run(run).events, before.run(other)];
    expect(erase(data, run)).toEqual({ erased: [run] });
    const journal = view(data);
    expect(journal.run(run)).toMatchObject({
      status: 'erased',
      events,
      pipeline: '',
      outputs: null,
      resultHash: null,
      error: { code: 'RUN_ERASED' },
    });
    expect(journal.runs().map(({ id }) => id)).toEqual([run, other]);
    expect(journal.run(other)).toEqual(whole);
    for (const ask of [
      () => journal.events(run, { from: 1, limit: 1 }),
      () => journal.effects(run),
      () => journal.session(run),
      () => journal.diff(run, other),
      () => exportRun(data, run, join(data, '../archive')),
      () => erase(data, run),
    ]) {
      expect(thrownBy(ask).code).toBe('RUN_ERASED');
    }
    await expect(journal.replay(run)).rejects.toMatchObject({ code: 'RUN_ERASED' });
    expect(await journal.replay(other)).toMatchObject({ equal: true });
    expect(verifyJournal(data)).toMatchObject({ ok: true, runsAffected: [] });
    const lines = pythonLines(data, run);
    expect(lines.filter(({ body }) => body?.includes('"'))).toEqual([]);
    expect(lines.some(({ text }) => text?.holds === null)).toBe(true);
  });

  test('leaves neither keys nor files, and the journal can be written on', () => {
    const { data, run, other } = twoRuns();
    erase(data, run);
    expect(readdirSync(join(data, 'keys'))).toEqual([other]);
    expect(existsSync(join(data, 'blobs', run))).toBe(false);
    const { run: next } = twoRuns(data);
    expect(view(data).run(next).status).toBe('succeeded');
    expect(view(data).run(run).status).toBe('erased');
    expect(verifyJournal(data).ok).toBe(true);
  });

  test('of which a crash has left the keys is erased all the same, and loses them', () => {
    const { data, run, other } = twoRuns();
    const keys = join(data, '../keys');
    cpSync(join(data, 'keys'), keys, { recursive: true });
    cpSync(join(data, 'blobs'), join(data, '../blobs'), { recursive: true });
    erase(data, run);
    cpSync(keys, join(data, 'keys'), { recursive: true });
    cpSync(join(data, '../blobs'), join(data, 'blobs'), { recursive: true });
    expect(view(data).run(run)).toMatchObject({ status: 'erased', error: { code: 'RUN_ERASED' } });
    expect(erase(data, other)).toEqual({ erased: [other] });
    expect(readdirSync(join(data, 'keys'))).toEqual([]);
    expect(existsSync(join(data, 'blobs', run))).toBe(false);
  });

  test('is told from one whose keys are lost', async () => {
    const { data, run, other } = twoRuns();
    const [path, away] = [join(data, 'keys', run), join(data, '../away')];
    renameSync(path, away);
    const lost = { status: 'erased', error: { code: 'RUN_KEYS_MISSING' } };
    expect(view(data).run(run)).toMatchObject(lost);
    expect(thrownBy(() => view(data).effects(run)).code).toBe('RUN_KEYS_MISSING');
    erase(data, other);
    expect(existsSync(join(data, 'blobs', run))).toBe(true);
    renameSync(away, path);
    expect(await view(data).replay(run)).toMatchObject({ equal: true });
    renameSync(path, away);
    expect(erase(data, run)).toEqual({ erased: [run] });
    expect(view(data).run(run)).toMatchObject({ error: { code: 'RUN_ERASED' } });
    expect(existsSync(join(data, 'blobs', run))).toBe(false);
    expect(verifyJournal(data)).toMatchObject({ ok: true, keysMissing: [] });
  });
});

describe('a run is not erased', () => {
  test('before it has ended, without keys of its own, or where there is none', () => {
    const data = newData();
    const world = worldIn(data);
    const open = world.start(writingPipeline, ['one']);
    world.play(() => null);
    world.close();
    expect(thrownBy(() => erase(data, open)).code).toBe('RUN_NOT_ENDED');
    expect(thrownBy(() => erase(data, newRunId())).code).toBe('RUN_NOT_FOUND');
    const { data: older, run } = twoRuns(newData(), { keys: false });
    expect(filesWith(older, short)).not.toEqual([]);
    expect(thrownBy(() => erase(older, run)).code).toBe('RUN_NOT_ENCRYPTED');
    expect(view(older).run(run).status).toBe('succeeded');
  });

  test('while another run begins with its events, unless that goes with it', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(1));
    const runtime = await openRuntime(dataDirectory);
    const parent = await runToEnd(runtime, request);
    const child = await runtime.ended((await runtime.fork(parent.id, { at: 9 })).id);
    const grandchild = await runtime.ended((await runtime.fork(child.id, { at: 20 })).id);
    const other = await runToEnd(runtime, request);
    expect(verifyJournal(dataDirectory)).toMatchObject({ ok: true, blobFaults: [] });
    await expect(runtime.erase(parent.id)).rejects.toMatchObject({ code: 'RUN_HAS_FORKS' });
    expect(await runtime.erase(grandchild.id)).toEqual({ erased: [grandchild.id] });
    await expect(runtime.fork(grandchild.id, { at: 1 })).rejects.toMatchObject({
      code: 'RUN_ERASED',
    });
    const again = await runtime.ended((await runtime.fork(child.id, { at: 20 })).id);
    expect(again.resultHash).toBe(child.resultHash);
    const forking = runtime.fork(child.id, { at: 15 });
    await expect(runtime.erase(parent.id, { forks: true })).rejects.toMatchObject({
      code: 'RUN_HAS_FORKS',
      retryable: true,
    });
    const last = await runtime.ended((await forking).id);
    expect(last.resultHash).toBe(child.resultHash);
    const erasing = runtime.erase(parent.id, { forks: true });
    await expect(runtime.fork(child.id, { at: 15 })).rejects.toMatchObject({
      code: 'RUN_ERASED',
      message: expect.stringContaining('is being erased'),
    });
    expect(new Set((await erasing).erased)).toEqual(
      new Set([again.id, last.id, child.id, parent.id]),
    );
    expect(runtime.run(parent.id).status).toBe('erased');
    expect(runtime.run(other.id)).toEqual(other);
    expect(readdirSync(join(dataDirectory, 'workspaces'))).toEqual([other.id]);
    expect(readdirSync(join(dataDirectory, 'keys'))).toEqual([other.id]);
    await runtime.stop();
    // As after a crash between the record and the removal.
    writeFileSync(join(dataDirectory, 'keys', parent.id), 'left');
    const next = await openRuntime(dataDirectory);
    expect(readdirSync(join(dataDirectory, 'keys'))).toEqual([other.id]);
    expect(next.runs().filter(({ status }) => status === 'erased')).toHaveLength(5);
    expect((await runToEnd(next, request)).resultHash).toBe(other.resultHash);
    await next.stop();
    expect(verifyJournal(dataDirectory)).toMatchObject({ ok: true, blobFaults: [] });
  });
});

describe('copies', () => {
  test('of a run on another machine are erased by themselves', async () => {
    const { data, run } = twoRuns();
    const [archive, there] = [join(data, '../archive'), newData()];
    exportRun(data, run, archive);
    expect(importRun(there, archive)).toMatchObject({ run });
    expect(readFileSync(join(there, 'keys', run))).toEqual(readFileSync(join(data, 'keys', run)));
    expect(view(there).run(run).stateHash).toBe(view(data).run(run).stateHash);
    expect(await view(there).replay(run)).toMatchObject({ equal: true });
    expect(filesWith(there, short)).toEqual([]);
    erase(there, run);
    expect(thrownBy(() => importRun(there, archive)).code).toBe('RUN_EXISTS');
    expect(await view(data).replay(run)).toMatchObject({ equal: true });
  });

  test('that a backup makes lose the run with the next one', async () => {
    const { data, run, other } = twoRuns();
    const copy = join(data, '../copy');
    backUp(data, copy, 1);
    expect(await view(copy).replay(run)).toMatchObject({ equal: true });
    erase(data, run);
    expect(await view(copy).replay(run)).toMatchObject({ equal: true });
    backUp(data, copy, 2);
    expect(view(copy).run(run).status).toBe('erased');
    expect(readdirSync(join(copy, 'keys'))).toEqual([other]);
  });
});

test('a backup has what its source has, where keys are lost', async () => {
  const { data, run, other } = twoRuns();
  const [path, away] = [join(data, 'keys', run), join(data, '../away')];
  const copy = join(data, '../copy');
  renameSync(path, away);
  backUp(data, copy, 1);
  expect(view(copy).run(run)).toMatchObject({ error: { code: 'RUN_KEYS_MISSING' } });
  expect(await view(copy).replay(other)).toMatchObject({ equal: true });
  renameSync(away, path);
  backUp(data, copy, 2);
  expect(await view(copy).replay(run)).toMatchObject({ equal: true });
});

describe('a compaction', () => {
  const everything = { sequence: Number.MAX_SAFE_INTEGER };

  /** More runs, so that the first segments can go; the last one of them reaches over two. */
  function fill(data: string): RunId {
    const world = worldIn(data, { files: nodeFilePort });
    for (let count = 0; count < 3; count += 1) {
      world.start(writingPipeline, [randomBytes(30_000).toString('base64')]);
      world.play((operation) => (operation === 'file.write' ? written : generated('yes')));
    }
    const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`);
    const last = world.start(writingPipeline, texts);
    world.play((operation) => (operation === 'file.write' ? written : generated('yes')));
    world.close();
    return last;
  }

  test('drops nothing while the keys of a run are lost, for it may be a fork of any', async () => {
    const { data, run, other } = twoRuns(newData(), { files: nodeFilePort });
    fill(data);
    const last = fill(data);
    const [path, away] = [join(data, 'keys', last), join(data, '../away')];
    renameSync(path, away);
    const held = await compactJournal(data, everything, { nowMs: 9 });
    expect(held).toMatchObject({ done: false, segments: 0, held: [{ run: last, segment: 1 }] });
    expect(held.held[0]?.why).toContain('its keys are missing');
    renameSync(away, path);
    const { runs } = await compactJournal(data, everything, { nowMs: 10 });
    expect(runs.map(({ id }) => id)).toEqual(expect.arrayContaining([run, other]));
  });

  test('hides what a run came to, and drops an erased one without a replay', async () => {
    const { data, run, other } = twoRuns(newData(), { files: nodeFilePort });
    const last = fill(data);
    const events = (id: RunId): number => view(data).run(id).events;
    const before = [run, other, last].map(events);
    erase(data, other);
    erase(data, last);
    const { done, runs } = await compactJournal(data, everything, { nowMs: 9 });
    expect(done).toBe(true);
    expect(runs.map(({ id }) => id)).toEqual(expect.arrayContaining([run, other]));
    expect(filesWith(data, '"pipeline"')).toEqual([]);
    expect(view(data).run(run)).toMatchObject({ status: 'succeeded', compacted: true });
    expect(view(data).run(other)).toMatchObject({ status: 'erased' });
    expect(verifyJournal(data).ok).toBe(true);
    erase(data, run);
    fill(data);
    await compactJournal(data, everything, { nowMs: 10 });
    for (const id of [run, other]) {
      expect(view(data).run(id)).toMatchObject({ error: { code: 'RUN_ERASED' } });
    }
    expect([run, other, last].map(events)).toEqual(before);
    expect(
      view(data)
        .runs()
        .filter(({ id }) => id === run),
    ).toHaveLength(1);
    expect(verifyJournal(data).ok).toBe(true);
  });
});
