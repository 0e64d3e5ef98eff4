import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { blobNameOf } from '../../src/journal/blob-record.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { exportRun, importRun } from '../../src/runtime/run-archive.ts';
import { fixtureFolder, fixtureNames, recordedFacts } from '../journal/fixtures.ts';
import { forgeJournal } from '../journal/forged-journal.ts';
import { plainText, temporaryFolder, thrownBy } from '../journal/journal-fixture.ts';
import { runPython } from '../journal/python.ts';
import { generated, World } from './world.ts';

const name = 'inbox-format-2';
const { run } = recordedFacts(name);

function newData(): string {
  const folder = join(temporaryFolder(), 'data');
  openDataDirectory(folder, 0).release();
  return folder;
}

function archiveOf(recorded = name): string {
  const file = join(temporaryFolder(), 'run.claw');
  exportRun(fixtureFolder(recorded), recordedFacts(recorded).run, file);
  return file;
}

async function expectReplays(data: string, facts: { run: string; events: number }): Promise<void> {
  const journal = openReadOnly(data);
  onTestFinished(() => journal.close());
  expect(await journal.replay(facts.run)).toMatchObject({ equal: true, events: facts.events });
  const { run: id, ...rest } = facts;
  expect(journal.run(id)).toMatchObject({ id, ...rest, status: 'succeeded' });
}

const definition = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
};

describe('a run as a file', () => {
  test.each(fixtureNames)(
    'of %s replays elsewhere, from there again, and by other readers',
    async (recorded) => {
      const { lastSequence: _, ...facts } = recordedFacts(recorded);
      const file = archiveOf(recorded);
      const second = newData();
      expect(importRun(second, file)).toMatchObject({ run: facts.run, events: facts.events });
      await expectReplays(second, facts);
      expect(verifyJournal(second)).toMatchObject({ ok: true, runsAffected: [] });
      const again = join(temporaryFolder(), 'again.claw');
      exportRun(second, facts.run, again);
      const third = newData();
      importRun(third, again);
      await expectReplays(third, facts);
      const alone = newData();
      copyFileSync(file, join(alone, 'journal/0000000001.segment'));
      await expectReplays(alone, facts);
      const { status, lines } = runPython('scripts/journal_reader.py', [alone]);
      expect(status).toBe(0);
      const events = lines.filter((line) => (line as { type: string }).type === 'event');
      expect(events).toHaveLength(facts.events);
    },
  );

  test('carries texts that are files, beside other runs, and none of what is not its own', async () => {
    const data = newData();
    const world = new World(data);
    const noise = randomBytes(90_000).toString('base64');
    const other = world.start(definition, ['another run']);
    const large = world.start(definition, [noise]);
    world.play(() => generated('yes'));
    const { stateHash, events } = (() => {
      const journal = openReadOnly(data);
      onTestFinished(() => journal.close());
      return journal.run(large);
    })();
    world.close();
    expect(readdirSync(join(data, 'blobs'))).toHaveLength(1);
    const file = join(temporaryFolder(), 'large.claw');
    exportRun(data, large, file);
    const target = newData();
    importRun(target, archiveOf());
    importRun(target, file);
    await expectReplays(target, { run: large, events });
    const journal = openReadOnly(target);
    onTestFinished(() => journal.close());
    expect(journal.run(large).stateHash).toBe(stateHash);
    expect(journal.runs().map(({ id }) => id)).toEqual([run, large]);
    expect(() => journal.run(other)).toThrow(/There is no run/);
    expect(readdirSync(join(target, 'blobs'))).toHaveLength(1);
  });

  test('carries documents that no event has read, and that a fork would read', () => {
    const data = newData();
    const world = new World(data);
    const texts = [
      'a short one',
      'a long one, '.repeat(90),
      randomBytes(90_000).toString('base64'),
    ];
    const cancelled = world.start(definition, texts);
    world.settle();
    world.cancel(cancelled);
    world.settle();
    const error = { code: 'BLOB_MISSING', message: 'Nobody read it.' } as const;
    for (const act of world.acts.splice(0)) world.deliverOutcome(act, { status: 'failed', error });
    world.play(() => null);
    world.close();
    const file = join(temporaryFolder(), 'run.claw');
    expect(exportRun(data, cancelled, file).texts).toBeGreaterThanOrEqual(texts.length);
    const target = newData();
    importRun(target, file);
    expect(verifyJournal(target)).toMatchObject({ ok: true });
    const reader = JournalReader.open(target);
    onTestFinished(() => reader.close());
    const events = reader.advance().filter(({ type }) => type === 'event');
    expect(events.some(({ body }) => body.includes('a short one'))).toBe(false);
    for (const text of texts) expect(reader.blob(sha256(text), cancelled)?.toString()).toBe(text);
  });

  test('is not written over a file, nor of a run that is open or not there', () => {
    const data = newData();
    const world = new World(data);
    onTestFinished(() => world.close());
    const open = world.start(definition, ['one']);
    world.play(() => null);
    const file = join(temporaryFolder(), 'run.claw');
    expect(thrownBy(() => exportRun(data, open, file)).code).toBe('RUN_NOT_ENDED');
    expect(thrownBy(() => exportRun(data, run, file)).code).toBe('RUN_NOT_FOUND');
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, 'mine');
    expect(thrownBy(() => exportRun(fixtureFolder(name), run, file)).code).toBe('FILE_EXISTS');
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('that is damaged anywhere, cut or something else adds nothing', () => {
    const whole = readFileSync(archiveOf());
    const data = newData();
    const file = join(temporaryFolder(), 'bad.claw');
    const refused = (bytes: Buffer | string): void => {
      writeFileSync(file, bytes);
      expect(thrownBy(() => importRun(data, file)).code).toBe('ARCHIVE_INVALID');
    };
    // The mark and its seal, which prove the rest, are not proven themselves.
    for (let at = 0; at < whole.length - 300; at += 997) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x20;
      refused(bytes);
    }
    for (const length of [0, 100, 128, 1_000, whole.length / 2]) refused(whole.subarray(0, length));
    refused('something else');
    refused(readFileSync(join(fixtureFolder(name), 'journal/0000000002.segment')));
    refused(readFileSync(join(fixtureFolder(name), 'journal/0000000001.segment')));
    expect(thrownBy(() => importRun(data, join(data, 'nowhere'))).code).toBe('ARCHIVE_INVALID');
    expect(() => importRun(data, data)).toThrow(/it is no file/);
    expect(verifyJournal(data)).toMatchObject({ groups: 0, segments: 0 });
    expect(readdirSync(data).filter((entry) => entry.startsWith('.'))).toEqual([]);
  });

  test('with an actor that lacks an event, or a text that is missing or another, adds nothing', () => {
    const whole = newData();
    exportRun(fixtureFolder(name), run, join(whole, 'journal/0000000001.segment'));
    const reader = JournalReader.open(whole);
    const records = reader.advance().filter(({ type }) => type !== 'seal' && type !== 'mark');
    reader.close();
    const lacking = records.filter(({ actorSequence }) => actorSequence !== 2);
    expect(lacking.length).toBeLessThan(records.length);
    const first = records.findIndex(({ type }) => type === 'blob');
    const [blob] = records.slice(first);
    const lie = blob && plainText(blobNameOf(blob), Buffer.from('a lie'), 1);
    const lying = records.map((record, index) => (index === first && lie ? lie : record));
    const textless = records.filter((_, index) => index !== first);
    for (const [content, code] of [
      [records, null],
      [lacking, 'ARCHIVE_INVALID'],
      [lying, 'ARCHIVE_INVALID'],
      [textless, 'ARCHIVE_INVALID'],
    ] as const) {
      const forged = newData();
      forgeJournal(
        forged,
        content.map((record) => [record]),
        256 * 1024,
      );
      const data = newData();
      const add = () => importRun(data, join(forged, 'journal/0000000001.segment'));
      if (code === null) expect(add().run).toBe(run);
      else expect(thrownBy(add).code).toBe(code);
      expect(verifyJournal(data).groups > 0).toBe(code === null);
    }
  });

  test('ends in the journal right behind its start, and in an archive last', () => {
    const typesIn = (folder: string) => {
      const reader = JournalReader.open(folder);
      const types = reader.advance().map(({ type }) => type);
      reader.close();
      return types.filter((type) => type.startsWith('run-') || type === 'event');
    };
    const data = newData();
    importRun(data, archiveOf());
    expect(typesIn(data).slice(0, 3)).toEqual(['run-started', 'run-ended', 'event']);
    const alone = newData();
    exportRun(data, run, join(alone, 'journal/0000000001.segment'));
    expect(typesIn(alone).at(-1)).toBe('run-ended');
  });

  test('with a text that no record holds is refused, and leaves nothing behind', () => {
    const data = newData();
    const world = new World(data);
    const large = world.start(definition, [randomBytes(1_200_000).toString('base64')]);
    world.play(() => generated('yes'));
    world.close();
    const folder = temporaryFolder();
    const refused = thrownBy(() => exportRun(data, large, join(folder, 'large.claw')));
    expect(refused.code).toBe('RUN_TOO_LARGE');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is added once', () => {
    const data = newData();
    const file = archiveOf();
    importRun(data, file);
    const before = verifyJournal(data);
    expect(thrownBy(() => importRun(data, file)).code).toBe('RUN_EXISTS');
    expect(verifyJournal(data)).toEqual(before);
  });
});
