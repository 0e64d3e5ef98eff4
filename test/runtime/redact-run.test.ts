import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { type Sha256, sha256 } from '../../src/kernel/hash.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { readRedactionRules } from '../../src/runtime/redaction-rules.ts';
import { commonRules, Redactor, userRule } from '../../src/runtime/redactor.ts';
import { exportRun, importRun } from '../../src/runtime/run-archive.ts';
import { fixtureFolder, fixtureNames, recordedFacts } from '../journal/fixtures.ts';
import { contentOf, temporaryFolder, thrownBy } from '../journal/journal-fixture.ts';
import { fork } from './forked-run.ts';
import { generated, World } from './world.ts';

function newData(): string {
  const folder = join(temporaryFolder(), 'data');
  openDataDirectory(folder, 0).release();
  return folder;
}

/** All bytes of the journal, its texts unpacked. */
function everything(data: string): string {
  const reader = JournalReader.open(data);
  const parts = reader
    .advance()
    .flatMap((record) =>
      record.type === 'blob' ? [record.body, contentOf(record, reader.keys)] : [record.body],
    );
  reader.close();
  return Buffer.concat(parts).toString('latin1');
}

async function replayed(data: string, run: string) {
  const journal = openReadOnly(data);
  onTestFinished(() => journal.close());
  return { report: await journal.replay(run), view: journal.run(run) };
}

const secrets = [
  'alice.smith@example.com',
  'sk-live_abcdefgh12345678',
  'DE89 3704 0044 0532 0130 00',
  '4111 1111 1111 1111',
  '+49 30 1234567',
  'Project Nightingale',
];

describe('the rules', () => {
  const redactor = () => new Redactor([userRule('Project \\w+', 1), ...commonRules]);

  test('replace each text by one of its shape, the same everywhere', () => {
    const rules = redactor();
    for (const secret of secrets) {
      const text = rules.text(`to ${secret}, again ${secret}.`);
      const [, first = '', second = ''] = /^to (.*), again (.*)\.$/.exec(text) ?? [];
      expect(first).not.toBe(secret);
      expect(second).toBe(first);
      expect(first.replace(/\p{L}/gu, 'a').replace(/\d/g, '1')).toBe(
        secret.replace(/\p{L}/gu, 'a').replace(/\d/g, '1'),
      );
      expect(rules.text(text)).toBe(text);
      expect(redactor().text(secret)).not.toBe(first);
    }
    const found = Object.values(rules.counts).reduce((sum, count) => sum + count, 0);
    expect(found).toBe(secrets.length);
  });

  test('replace in JSON what they replace in its texts, and numbers too', () => {
    const rules = redactor();
    const value = { note: 'first line\nalice.smith@example.com', inner: '{"to":"\\nbob@a.io"}' };
    const told = { note: rules.text(value.note), inner: rules.text(value.inner) };
    expect(told.note).not.toContain('alice.smith');
    expect(told.inner).not.toContain('bob@');
    expect(rules.text(JSON.stringify(value))).toBe(JSON.stringify(told));
    const card = rules.text('{"card":4111111111111111,"note":"+49 30 1234567"}');
    expect(card).toMatch(/^\{"card":\d{16},"note":"\+\d\d \d\d \d{7}"\}$/);
    expect(card).not.toMatch(/4111111111111111|1234567/);
    expect(rules.isClean({ card: 4_111_111_111_111_111 })).toBe(false);
    expect(rules.isClean({ text: '{"card":4111111111111111}' })).toBe(false);
    expect(rules.isClean({ at: 1_764_270_000_000, share: 0.4601535201072693 })).toBe(true);
  });

  test('leave other texts alone, and keep apart what was apart', () => {
    const rules = redactor();
    const plain =
      'On 2026-01-31 at 12:30 we sold 1,200 parts for 17.50 or 0.4601535201072693, see README.md@2, +938, +938  1234567 or 00 12 34.';
    expect(rules.text(plain)).toBe(plain);
    const many = Array.from({ length: 200 }, (_, index) => rules.text(`m${index}@a.io`));
    expect(new Set(many).size).toBe(200);
    for (const id of [
      '019ecd10-0094-7203-b123-456789abcdef', // `00` as of a telephone number
      '019ecd10-9c94-7203-8123-456789012345', // sixteen digits as of a card
      '019ecd10-9c94-7203-8abc-004930123456',
    ]) {
      expect(rules.text(`run ${id}`)).toBe(`run ${id}`);
    }
    // Only like the beginning of one.
    for (const numbers of ['20261127-0049 30 1234567', '20261127-4111-1111-1111-1111']) {
      expect(rules.text(numbers)).not.toBe(numbers);
    }
    expect(thrownBy(() => userRule('(', 1)).code).toBe('USAGE');
    expect(thrownBy(() => userRule('x*', 1)).code).toBe('USAGE');
    const narrow = new Redactor([userRule('\\d', 1)]);
    expect(thrownBy(() => narrow.text('number 7')).code).toBe('RUN_NOT_REDACTED');
  });
});

const definition = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' }, again: { prompt: '{{steps.echo.output}}' } },
  steps: [
    { id: 'echo', agent: 'echo', map: 'documents' },
    { id: 'again', agent: 'again', map: 'documents', needs: ['echo'] },
  ],
};

function spoken() {
  const data = newData();
  const world = new World(data);
  const long = 'What they wrote. '.repeat(60);
  const texts = [`${secrets.join('; ')} ${long}`, `${long} ${secrets[0]}`];
  const run = world.start(definition, texts);
  world.play(() => generated(`They said: ${secrets.join(' and ')}. ${long}`));
  world.close();
  return { data, run, texts };
}

const ownRule = () => new Redactor([userRule('Project Nightingale', 1), ...commonRules]);

describe('a file of rules', () => {
  function rulesOf(text: string) {
    const path = join(temporaryFolder(), 'rules.yaml');
    writeFileSync(path, text);
    return readRedactionRules(path);
  }

  test('has patterns with names, fields, and the common rules unless it says no', () => {
    const { rules, fields } = rulesOf("patterns: { project: 'Project \\w+' }\nfields: [customer]");
    expect(rules.map(({ name }) => name)).toEqual(['project', ...commonRules.map((r) => r.name)]);
    expect(fields).toEqual(['customer']);
    expect(rulesOf('{"common": false, "fields": ["a"]}')).toEqual({ rules: [], fields: ['a'] });
  });

  test.each([
    ['patterns: { a: "(" }', /patterns\.a: Invalid regular expression/],
    ['patterns: { a: "x*" }', /patterns\.a: it matches nothing at all/],
    ['patterns: [a]', /patterns: /],
    ['fields: customer', /fields: /],
    ['common: maybe', /common: /],
    ['common: false', /it has no rule/],
    ['pattern: {}', /[Uu]nrecognized key/],
    ['a: [', /rules\.yaml is no file of redaction rules/],
    [
      `patterns: ${JSON.stringify(Object.fromEntries(Array.from({ length: 101 }, (_, n) => [n, 'a'])))}`,
      /more than 100/,
    ],
    [`# ${'x'.repeat(300_000)}`, /larger than/],
  ])('that is wrong is refused and says where: %.40s', (text, why) => {
    expect(thrownBy(() => rulesOf(text)).code).toBe('REDACTION_RULES_INVALID');
    expect(() => rulesOf(text)).toThrow(why);
  });

  test('that is not there is refused', () => {
    expect(thrownBy(() => readRedactionRules('/nowhere/rules.yaml')).code).toBe(
      'REDACTION_RULES_INVALID',
    );
  });

  test('replaces the text of a field in answers, documents and whatever repeats it', async () => {
    const data = newData();
    const world = new World(data);
    const text = 'From Acme Widgets (Ltd.): please call.';
    const run = world.start(definition, [text]);
    const said = JSON.stringify({
      customer: 'Acme Widgets (Ltd.)',
      order: { customer: 'Zebra Farm' },
    });
    world.play(() => generated(said));
    world.close();
    const file = join(temporaryFolder(), 'run.claw');
    const report = exportRun(data, run, file, new Redactor([], ['customer', 'unheard']));
    expect(report.redacted).toEqual({ 'field customer': 2, 'field unheard': 0 });
    const target = newData();
    importRun(target, file);
    const content = everything(target);
    for (const secret of ['Acme', 'Widgets', 'Zebra']) expect(content).not.toContain(secret);
    expect(content).toContain('please call.');
    expect((await replayed(target, run)).report).toMatchObject({ equal: true });
  });
});

describe('a redacted archive', () => {
  test('has no byte of what was replaced, and replays equal elsewhere', async () => {
    const { data, run, texts } = spoken();
    for (const secret of secrets) expect(everything(data)).toContain(secret);
    const file = join(temporaryFolder(), 'run.claw');
    const report = exportRun(data, run, file, ownRule());
    expect(report.redacted).toEqual({
      'pattern 1': 1,
      email: 1,
      secret: 1,
      iban: 1,
      card: 1,
      phone: 1,
    });
    const target = newData();
    importRun(target, file);
    expect(verifyJournal(target)).toMatchObject({ ok: true });
    const content = everything(target);
    expect(content).toContain('They said: ');
    expect(content).toContain('"redacted":{"pattern 1":1');
    for (const secret of secrets) {
      expect(content).not.toContain(secret);
      expect(readFileSync(file).includes(secret)).toBe(false);
    }
    // Who knows a text could tell by its hash that it was there.
    for (const text of texts) {
      expect(everything(data)).toContain(sha256(text));
      expect(content).not.toContain(sha256(text));
    }
    const names = /"name":"m\d.txt","sha256":"([0-9a-f]{64})"/g;
    const documents = new Set([...content.matchAll(names)].map(([, hash]) => hash as Sha256));
    expect(documents.size).toBe(texts.length);
    const reader = JournalReader.open(target);
    onTestFinished(() => reader.close());
    reader.advance();
    for (const hash of documents) {
      expect(reader.blob(hash, run)?.toString()).toContain('What they wrote. ');
    }
    const [before, after] = [await replayed(data, run), await replayed(target, run)];
    expect(after.report).toMatchObject({ equal: true, events: before.report.events });
    expect(after.view.status).toBe('succeeded');
    expect(after.view.stateHash).not.toBe(before.view.stateHash);
    expect(after.view.progress).toEqual(before.view.progress);
  });

  test.each(fixtureNames)(
    'of %s replays equal, and is the same where nothing matches',
    async (name) => {
      const { run, events, stateHash, resultHash } = recordedFacts(name);
      const file = join(temporaryFolder(), 'run.claw');
      exportRun(
        fixtureFolder(name),
        run,
        file,
        new Redactor([userRule('no such text', 1), ...commonRules]),
      );
      const target = newData();
      importRun(target, file);
      const { report, view } = await replayed(target, run);
      expect(report).toMatchObject({ equal: true, events });
      expect(view).toMatchObject({ stateHash, resultHash });
    },
  );

  test('of a fork of a fork holds its parents too, and nothing of what was replaced', async () => {
    const data = newData();
    const world = new World(data);
    const long = 'What they wrote. '.repeat(60);
    const say = (what: string) => () => generated(`${what}: ${secrets.join(' and ')}. ${long}`);
    const parent = world.start(definition, [`${secrets.join('; ')} ${long}`]);
    world.play(say('First'));
    world.acts.length = 0;
    const { events } = world.follower.entry(parent);
    const child = await fork(world, parent, { at: Math.floor(events.length / 3) });
    world.play(say('Second'));
    world.acts.length = 0;
    const at = Math.floor(world.follower.entry(child).events.length / 2);
    const changed = JSON.stringify({
      ...JSON.parse(world.follower.entry(child).started.definition),
      name: `about ${secrets[0]}`,
    });
    const amended = { at, amended: true, definition: changed };
    const grandchild = await fork(world, child, amended);
    world.play(say('Third'));
    world.close();
    const file = join(temporaryFolder(), 'fork.claw');
    const report = exportRun(data, grandchild, file, ownRule());
    expect(report.run).toBe(grandchild);
    const target = newData();
    importRun(target, file);
    expect(verifyJournal(target)).toMatchObject({ ok: true });
    const content = everything(target);
    for (const what of ['First: ', 'Third: ']) expect(content).toContain(what);
    for (const secret of secrets) expect(content).not.toContain(secret);
    for (const run of [parent, child, grandchild]) {
      const [before, after] = [await replayed(data, run), await replayed(target, run)];
      expect(after.report).toMatchObject({ equal: true, events: before.report.events });
      expect(after.view.status).toBe('succeeded');
      expect(after.view.parent).toEqual(before.view.parent);
    }
    const journal = openReadOnly(target);
    onTestFinished(() => journal.close());
    const shared = (run: string, to: number) =>
      journal.events(run, { from: 1, limit: to }).map(({ stateHash }) => stateHash);
    expect(shared(grandchild, at)).toEqual(shared(child, at));
  });

  test('is refused, and leaves no file, where the run would go another way', () => {
    const name = fixtureNames[0] ?? '';
    const folder = temporaryFolder();
    const file = join(folder, 'run.claw');
    // Every name of a step or a route is another then, so that other messages are sent.
    const error = thrownBy(() =>
      exportRun(
        fixtureFolder(name),
        recordedFacts(name).run,
        file,
        new Redactor([userRule('[a-z]{4,}', 1)]),
      ),
    );
    expect(error.code).toBe('RUN_NOT_REDACTED');
    expect(thrownBy(() => readFileSync(file)).code).toBe('ENOENT');
  });

  test('is refused where an actor makes what a rule matches of something else', () => {
    const name = 'inbox-format-2';
    const file = join(temporaryFolder(), 'run.claw');
    // A confidence is a number, which no rule replaces.
    const rules = new Redactor([userRule('\\d\\.\\d{12,}', 1)]);
    const redacted = () => exportRun(fixtureFolder(name), recordedFacts(name).run, file, rules);
    expect(redacted).toThrow(/event \d+ makes a text that a rule matches/);
  });
});
