/** Commands that look into the journal, through the real command, on recorded journals. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import type { JournalVerification } from '../../src/journal/verification.ts';
import { getJson, startServer, stopServer } from '../crash/kill-run.ts';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);

const name = 'inbox-format-2';
const { lastSequence, run } = recordedFacts(name);

function copyOfRecorded(copy: string): string {
  const data = join(folder, copy);
  cpSync(fixtureFolder(name), data, { recursive: true });
  return data;
}

function flipBit(data: string, segment: number, offset: number): void {
  const path = join(data, `journal/${String(segment).padStart(10, '0')}.segment`);
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

describe('claw journal verify', () => {
  test('finds a sound journal sound', async () => {
    const { status, stdout } = await claw(['journal', 'verify', '--json'], {
      data: copyOfRecorded('sound'),
    });
    expect(status).toBe(0);
    expect(oneObject(stdout)).toMatchObject({ ok: true, lastSequence, segments: 4, faults: [] });
    const words = await claw(['journal', 'verify'], { data: join(folder, 'sound') });
    expect(words.stdout).toContain(`131 records`);
    expect(words.stdout.trimEnd().split('\n').at(-1)).toBe('The journal is sound.');
  });

  test('names all damage with range and runs, and exits with 5', async () => {
    const data = copyOfRecorded('damaged');
    flipBit(data, 1, 300);
    flipBit(data, 3, 5_000);
    const { status, stdout, stderr } = await claw(['journal', 'verify', '--json'], { data });
    expect(status).toBe(5);
    expect(stderr).toBe('');
    const found = oneObject(stdout) as JournalVerification;
    expect(found).toMatchObject({ ok: false, lastSequence, runsAffected: [run] });
    expect(found.faults.map(({ segment }) => segment)).toEqual([1, 3]);
    expect(found.faults[0]).toMatchObject({ offset: 128, lastGoodSequence: 0 });
    const words = await claw(['journal', 'verify'], { data });
    expect(words.status).toBe(5);
    expect(words.stdout).toMatch(
      /^damaged +segment 1, offset 128: .*read again from sequence \d+/m,
    );
    expect(words.stdout).toMatch(new RegExp(`^affected +${run}$`, 'm'));
  });

  test('works on nothing, and not on a folder that is something else', async () => {
    const nothing = await claw(['journal', 'verify', '--json'], { data: join(folder, 'nothing') });
    expect(nothing.status).toBe(0);
    expect(oneObject(nothing.stdout)).toMatchObject({ ok: true, segments: 0 });
    writeFileSync(join(folder, 'file'), '');
    const foreign = await claw(['journal', 'verify', '--json'], { data: folder });
    expectFailure(foreign, 'DATA_DIRECTORY_UNUSABLE', /holds other files/);
  });
});

describe('claw journal repair', () => {
  test('goes over damage, keeps the rest usable, and says what is lost', async () => {
    const data = copyOfRecorded('skipped');
    flipBit(data, 2, 3_000);
    const { status, stdout } = await claw(['journal', 'repair', '--skip'], { data });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^skipped +1 damaged ranges$/m);
    expect(stdout).toMatch(/^skipped +segment 2, offset \d+ to .*sequences \d+ to \d+ are lost$/m);
    expect(stdout).toMatch(new RegExp(`^affected +${run}$`, 'm'));
    const replay = await claw(['replay', run, '--json'], { data });
    expectFailure(replay, 'RUN_DAMAGED', /lost with a damaged part of the journal/);
    const { stdout: runs } = await claw(['runs', '--json'], { data });
    expect(oneObject(runs)).toMatchObject({ runs: [{ id: run, error: { code: 'RUN_DAMAGED' } }] });
    expect((await claw(['journal', 'verify', '--json'], { data })).status).toBe(0);
  });

  test('ends the journal before the damage, and keeps what it takes away', async () => {
    const data = copyOfRecorded('truncated');
    flipBit(data, 2, 3_000);
    const { status, stdout } = await claw(['journal', 'repair', '--truncate', '--json'], { data });
    expect(status).toBe(0);
    const report = oneObject(stdout) as { kept: string; after: JournalVerification };
    expect(report).toMatchObject({ cutAt: { segment: 2 }, after: { ok: true, segments: 2 } });
    expect(readdirSync(report.kept)).toHaveLength(3);
    expect(report.after.lastSequence).toBeLessThan(lastSequence);
  });

  test('wants to be told which, and the data directory for itself', async () => {
    const data = copyOfRecorded('owned');
    for (const flags of [[], ['--skip', '--truncate']]) {
      const ended = await claw(['journal', 'repair', ...flags, '--json'], { data });
      expectFailure(ended, 'USAGE', /Give one of --truncate and --skip/);
    }
    const owner = openDataDirectory(data, 1);
    const locked = await claw(['journal', 'repair', '--skip', '--json'], { data });
    expectFailure(locked, 'DATA_DIRECTORY_LOCKED', new RegExp(`${process.pid}`));
    owner.release();
  });
});

describe('claw journal compact', () => {
  test('drops what has ended and replays equal, and says what is left', async () => {
    const data = copyOfRecorded('compacted');
    const words = (...more: string[]) =>
      claw(['journal', 'compact', '--before', '1m', ...more], { data });
    const dry = await words('--dry-run');
    expect(dry.stdout).toMatch(new RegExp(`^equal +${run}: 82 events, state [0-9a-f]{64}$`, 'm'));
    expect(dry.stdout).toMatch(/^3 segments, .* 1 runs could go/m);
    const { status, stdout } = await words('--json');
    expect(status).toBe(0);
    expect(oneObject(stdout)).toMatchObject({ done: true, segments: 3, runs: [{ id: run }] });
    const verified = await claw(['journal', 'verify'], { data });
    expect(verified.stdout).toMatch(/^dropped +3 segments up to sequence \d+, with 1 runs$/m);
    expect(verified.status).toBe(0);
    const { stdout: runs } = await claw(['runs'], { data });
    expect(runs).toMatch(new RegExp(`^${run} +succeeded \\(compacted\\)`, 'm'));
    expectFailure(await claw(['replay', run, '--json'], { data }), 'RUN_COMPACTED', /were dropped/);
    expect((await claw(['replay', '--all', '--json'], { data })).status).toBe(0);
    expect((await words()).stdout).toContain('Nothing was dropped');
  });

  test('is done by the server where one is running, as a backup is', {
    timeout: 120_000,
  }, async () => {
    const data = copyOfRecorded('served');
    const server = await startServer(data);
    onTestFinished(() => (server.child.exitCode === null ? stopServer(server) : undefined));
    const words = ['journal', 'compact', '--before', '1m', '--json'];
    const dry = await claw([...words, '--dry-run'], { data });
    expect(oneObject(dry.stdout)).toMatchObject({ done: false, runs: [{ id: run }] });
    const { stdout } = await claw(words, { data });
    expect(oneObject(stdout)).toMatchObject({ done: true, runs: [{ id: run }] });
    const shown = await getJson<{ compacted?: boolean }>(`${server.url}/v1/runs/${run}`);
    expect(shown.compacted).toBe(true);
    const copy = join(folder, 'served-copy');
    const backup = await claw(['backup', copy, '--json'], { data });
    expect(oneObject(backup.stdout)).toMatchObject({ folder: copy });
    expectFailure(
      await claw(['backup', data, '--json'], { data }),
      'BACKUP_REFUSED',
      /lie in each other/,
    );
    await stopServer(server);
    for (const each of [data, copy]) {
      expect((await claw(['journal', 'verify'], { data: each })).status).toBe(0);
      const { stdout: runs } = await claw(['runs'], { data: each });
      expect(runs).toMatch(new RegExp(`^${run} +succeeded \\(compacted\\)`, 'm'));
    }
  });

  test('wants a date, an age or a sequence, and the data directory for itself', async () => {
    const data = copyOfRecorded('kept');
    const bad = await claw(['journal', 'compact', '--before', 'soon', '--json'], { data });
    expectFailure(bad, 'USAGE', /soon is no date/);
    const early = await claw(['journal', 'compact', '--before', '2020-01-31', '--json'], { data });
    expect(oneObject(early.stdout)).toMatchObject({ segments: 0, done: false });
    const owner = openDataDirectory(data, 1);
    const locked = await claw(['journal', 'compact', '--before', '9', '--json'], { data });
    expectFailure(locked, 'DATA_DIRECTORY_LOCKED', new RegExp(`${process.pid}`));
    owner.release();
  });
});

describe('claw replay, at a place of a run', () => {
  const data = fixtureFolder(name);
  const replay = (...words: string[]) => claw(['replay', ...words, '--json'], { data });

  test('shows what an event did, and every actor after it', async () => {
    const { status, stdout } = await replay(run, '--until', '44');
    expect(status).toBe(0);
    const place = oneObject(stdout) as { actors: unknown[]; changes: unknown[] };
    expect(place).toMatchObject({ run, sequence: 44, event: { event: { type: 'retry' } } });
    expect(place.changes).toContainEqual({ path: '/context/attempt', before: 0, after: 1 });
    expect(place.actors).toHaveLength(15);
    expect(place).not.toHaveProperty('state');
    const words = await claw(['replay', run, '--until', '44'], { data });
    expect(words.stdout).toContain('~ /value: "doubtful" → "thinking"');
    expect(words.stdout).toMatch(/^run +pipeline@1 +1 events +working$/m);
  });

  test('stops at a breakpoint, up to a place, and shows the state of an actor', async () => {
    const actor = 'run/document-2/supervisor/answer';
    const stopped = oneObject(
      (await replay(run, '--break', 'type=retry', '--actor', actor)).stdout,
    );
    expect(stopped).toMatchObject({ sequence: 44, state: { context: { attempt: 1 } } });
    const before = oneObject((await replay(run, '--break', 'type=retry', '--until', '43')).stdout);
    expect(before).toMatchObject({ sequence: 43 });
    expectFailure(await replay(run, '--break', 'retry'), 'USAGE', /Not a breakpoint/);
    expectFailure(await replay(run, '--actor', 'nobody'), 'ACTOR_NOT_FOUND', /no actor nobody/);
  });

  test('goes through every run, and wants a run or all of them', async () => {
    const { status, stdout } = await replay('--all');
    expect(status).toBe(0);
    expect(oneObject(stdout)).toMatchObject({
      equal: 1,
      diverged: 0,
      reports: [{ run, equal: true }],
      refused: [],
    });
    expectFailure(await replay(), 'USAGE', /Name a run, or give --all/);
    expectFailure(await replay(run, '--all'), 'USAGE', /not both/);
    expectFailure(await replay(run, '--step'), 'USAGE', /--step is for people/);
  });
});

test('claw effects lists what left a trace, and with --all the rest', async () => {
  const data = fixtureFolder(name);
  const { status, stdout } = await claw(['effects', run, '--json'], { data });
  expect(status).toBe(0);
  const { effects, counts } = oneObject(stdout) as { effects: unknown[]; counts: unknown };
  expect(effects).toMatchObject([{ operation: 'file.write', effect: 'idempotent' }]);
  expect(counts).toEqual({ completed: 1 });
  const words = await claw(['effects', run, '--all'], { data });
  expect(words.stdout).toMatch(
    /^\d+ +inference.generate +pure +completed +\d+ +[0-9a-f-]{36}:run/m,
  );
  expect(words.stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d+ completed$/);
});

test('claw runs export and import carry a run to another data directory', async () => {
  const file = join(folder, 'run.claw');
  const data = join(folder, 'elsewhere');
  const exported = await claw(['runs', 'export', run, file, '--json'], {
    data: fixtureFolder(name),
  });
  expect(exported.status).toBe(0);
  expect(oneObject(exported.stdout)).toMatchObject({ run, events: 82 });
  const imported = await claw(['runs', 'import', file], { data });
  expect(imported.stdout).toContain(`claw replay ${run} replays it.`);
  expect((await claw(['replay', run], { data })).stdout).toContain('Replay: equal. 82 events');
  expectFailure(await claw(['runs', 'import', file, '--json'], { data }), 'RUN_EXISTS', /already/);
});

test('claw runs export --redact says what it replaced, and refuses what it cannot', async () => {
  const file = join(folder, 'redacted.claw');
  const data = fixtureFolder(name);
  const exported = await claw(['runs', 'export', run, file, '--redact', 'no such text'], { data });
  expect(exported.status).toBe(0);
  expect(exported.stdout).toMatch(/^redacted +pattern 1: 0 different texts$/m);
  expect(exported.stdout).toMatch(/^redacted +email: \d+ different texts$/m);
  const elsewhere = join(folder, 'redacted');
  expect((await claw(['runs', 'import', file], { data: elsewhere })).status).toBe(0);
  const replay = await claw(['replay', run], { data: elsewhere });
  expect(replay.stdout).toContain('Replay: equal. 82 events');
  const rules = join(folder, 'rules.yaml');
  writeFileSync(rules, "patterns: { nobody: 'no such text' }\ncommon: false");
  const ruled = ['runs', 'export', run, join(folder, 'ruled.claw'), '--json', '--redact-rules'];
  const byRules = await claw([...ruled, rules], { data });
  expect(oneObject(byRules.stdout)).toMatchObject({ redacted: { nobody: 0 } });
  writeFileSync(rules, 'patterns: nobody');
  expectFailure(await claw([...ruled, rules], { data }), 'REDACTION_RULES_INVALID', /patterns: /);
  const more = ['runs', 'export', run, join(folder, 'more.claw'), '--json', '--redact'];
  expectFailure(await claw([...more, '('], { data }), 'USAGE', /is no pattern/);
  expectFailure(
    await claw([...more, '[a-z]{4,}'], { data }),
    'RUN_NOT_REDACTED',
    /otherwise|match/,
  );
  expect(readdirSync(folder)).not.toContain('more.claw');
});

test.each(['compact', 'xstate'])('claw replay --stepper %s folds a recorded run', async (kind) => {
  const data = fixtureFolder(name);
  const replayed = await claw(['replay', run, '--stepper', kind, '--json'], { data });
  expect(replayed.status).toBe(0);
  expect(oneObject(replayed.stdout)).toMatchObject({ equal: true, events: 82 });
});

test('claw replay refuses a stepper that there is not', async () => {
  const words = ['replay', run, '--stepper', 'other', '--json'];
  expectFailure(await claw(words, { data: fixtureFolder(name) }), 'USAGE', /compact, xstate/);
});
