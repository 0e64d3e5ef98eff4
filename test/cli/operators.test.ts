/**
 * Goal: people enrol keys, see what waits, sign it and set secrets, by the
 * command line alone, with a server and without. Method: real key files, real
 * data directories, and a real API over desks in memory.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApi } from '../../src/api/server.ts';
import type { Owner } from '../../src/cli/services.ts';
import { approvalRequestedEvent } from '../../src/identity/approval-book.ts';
import { approvalId, type EgressRequest } from '../../src/identity/egress-request.ts';
import { Vault } from '../../src/identity/vault.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { InMemoryOperators } from '../api/in-memory-operators.ts';
import { InMemoryRuntime } from '../api/in-memory-runtime.ts';
import { grantOf } from '../identity/operators.ts';
import { run } from './harness.ts';

interface Place {
  readonly home: string;
  readonly data: string;
  readonly owner: Owner | null;
}

function place(owner: Owner | null = null): Place {
  const home = mkdtempSync(join(tmpdir(), 'openclaw-operators-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return { home, data: join(home, 'data'), owner };
}

async function claw({ home, data, owner }: Place, words: string, lines: readonly string[] = []) {
  const environment = { OPENCLAW_HOME: data, XDG_CONFIG_HOME: join(home, 'config') };
  const ended = await run(words.split(' '), { environment, owner, lines, cwd: home });
  const json = words.endsWith('--json') ? JSON.parse(ended.stdout) : null;
  return { ...ended, json };
}

const request: EgressRequest = {
  subject: { agent: 'reader', pipeline: 'desk' },
  method: 'GET',
  scheme: 'https',
  host: 'api.example.com',
  port: 443,
  path: '/v1/items',
  bodyBytes: 0,
};
const id = approvalId(request);

/** A server over desks in memory, where a request waits. */
async function served() {
  const folder = mkdtempSync(join(tmpdir(), 'openclaw-served-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const operators = new InMemoryOperators(folder);
  const runtime = new InMemoryRuntime(operators);
  const api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
  onTestFinished(() => api.close());
  const event = approvalRequestedEvent(request, {
    expires: Date.now() + 60_000,
    run: 'r',
    actor: 'run/a',
  });
  operators.state.apply(event, { sequence: 1, timeMs: Date.now() });
  return { operators, api, place: place({ pid: 1, port: api.port }) };
}

describe('claw key', () => {
  test('makes, enrols, lists, counts and revokes keys, without a server', async () => {
    const here = place();
    const made = await claw(here, 'key new ann');
    expect(made.status).toBe(0);
    expect(made.stderr).toContain('No passphrase guards it');
    const path = join(here.home, 'config', 'openclaw-runtime', 'keys', 'ann.key');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await claw(here, 'key new ann')).stderr).toContain('is there already');
    await claw(here, 'key new bob');
    expect((await claw(here, 'key enroll ann')).status).toBe(0);
    expect((await claw(here, 'key list')).stdout).toContain('Yours, and not enrolled: bob');
    const unsigned = await claw(here, 'key enroll bob --key bob');
    expect(unsigned.stderr).toContain('KEY_CHANGE_REFUSED');
    expect((await claw(here, 'key enroll bob --key ann')).status).toBe(0);
    expect((await claw(here, 'key threshold 3 --key ann')).status).toBe(2);
    expect((await claw(here, 'key threshold 2 --key ann')).status).toBe(0);
    const { json } = await claw(here, 'key list --json');
    expect(json).toMatchObject({ threshold: 2, keys: [{ name: 'ann' }, { name: 'bob' }] });
    expect((await claw(here, 'key threshold 1 --key ann --key bob')).status).toBe(0);
    expect((await claw(here, 'key revoke ann --key bob --reason lost')).stdout).toContain(
      'revoked: lost',
    );
    expect(verifyJournal(here.data).ok).toBe(true);
  });

  test('when all are lost, begins anew with the data directory in hand', async () => {
    const here = place();
    await claw(here, 'key new ann');
    await claw(here, 'key enroll ann');
    expect((await claw(here, 'key reset --reason lost --json')).json).toMatchObject({ keys: [] });
    await claw(here, 'key new eve');
    expect((await claw(here, 'key enroll eve')).status).toBe(0);
    const owned = await claw({ ...here, owner: { pid: 1, port: 9 } }, 'key reset --reason lost');
    expect(owned.stderr).toContain('DATA_DIRECTORY_LOCKED');
  });

  test('a key that others may read, or whose passphrase is not there, does not sign', async () => {
    const here = place();
    writeFileSync(join(here.home, 'words'), 'some words\n');
    await claw(here, 'key new ann --passphrase-file words');
    await claw(here, 'key enroll ann');
    await claw(here, 'key new bob');
    expect((await claw(here, 'key enroll bob --key ann')).stderr).toContain('PASSPHRASE_WRONG');
    const signed = await claw(here, 'key enroll bob --key ann --passphrase-file words');
    expect(signed.status).toBe(0);
    chmodSync(join(here.home, 'config', 'openclaw-runtime', 'keys', 'bob.key'), 0o644);
    expect((await claw(here, 'key threshold 2 --key bob')).stderr).toContain('Others may read');
  });

  test.each([
    ['key new Ann', 'OPERATOR_KEY_INVALID'],
    ['key enroll nobody', 'OPERATOR_KEY_INVALID'],
    [`key enroll ${'A'.repeat(43)}`, 'USAGE'],
    ['key threshold 0', 'USAGE'],
    ['key new ann --passphrase-file absent', 'PASSPHRASE_WRONG'],
  ])('%s fails with %s', async (words, code) => {
    const ended = await claw(place(), words);
    expect([ended.status, ended.stderr]).toEqual([2, expect.stringContaining(code)]);
  });
});

describe('claw approve', () => {
  test('lists what waits, shows all that would be granted, and signs it', async () => {
    const { operators, place: here } = await served();
    await claw(here, 'key new ann');
    expect((await claw(here, 'key enroll ann')).status).toBe(0);
    const listed = await claw(here, 'approve');
    expect(listed.stdout).toContain(`${id}  `);
    expect(listed.stdout).toContain('the agent reader of the pipeline desk');
    const refused = await claw(here, `approve ${id}`, ['n']);
    expect(refused.status).toBe(130);
    expect(refused.stderr).toContain('https://api.example.com:443/v1/items');
    expect(operators.approvals()).toHaveLength(1);
    const words = `approve ${id} --uses 3 --for 2h --path /v1 --secret KEY=x-api-key`;
    const approved = await claw(here, words, ['y']);
    expect(approved.status).toBe(0);
    expect(approved.stderr).toContain('KEY, as x-api-key: …');
    const [issued] = operators.grants();
    expect(issued).toMatchObject({ problem: null });
    expect(issued?.grant).toMatchObject({
      maxUses: 3,
      pathPrefix: '/v1',
      credentials: [{ secret: 'KEY', header: 'x-api-key', format: '{}' }],
    });
    const length = (issued?.grant.expires ?? 0) - Date.now();
    expect(Math.round(length / 60_000)).toBe(120);
    expect((await claw(here, 'approve')).stdout).toContain('Nothing waits.');
  });

  test('gathers the signatures of several under what the first one chose', async () => {
    const { operators, place: here } = await served();
    await claw(here, 'key new ann');
    await claw(here, 'key new bob');
    await claw(here, 'key enroll ann');
    await claw(here, 'key enroll bob --key ann');
    await claw(here, 'key threshold 2 --key ann');
    const first = await claw(here, `approve ${id} --key ann --uses 7 --yes --json`);
    expect(first.json).toMatchObject({ state: 'signed', signatures: { have: 1, need: 2 } });
    const second = await claw(here, `approve ${id} --key bob --yes --json`);
    expect(second.json).toMatchObject({ state: 'granted', grant: first.json.grant });
    expect(operators.grants()[0]).toMatchObject({ grant: { maxUses: 7 }, problem: null });
  });

  test.each([
    [`approve ${id} --for ever`, 'USAGE'],
    [`approve ${id} --host *.com --yes`, 'GRANT_INVALID'],
    [`approve ${id} --host other.example.com --yes --key ann`, 'GRANT_INVALID'],
    [`approve ${id} --yes --key nobody`, 'OPERATOR_KEY_INVALID'],
    ['approve 000000000000', 'APPROVAL_NOT_FOUND'],
    ['approve 000000000000 --deny', 'APPROVAL_NOT_FOUND'],
  ])('%s fails with %s and grants nothing', async (words, code) => {
    const { operators, place: here } = await served();
    await claw(here, 'key new ann');
    await claw(here, 'key enroll ann');
    const ended = await claw(here, words);
    expect([ended.status, ended.stderr]).toEqual([2, expect.stringContaining(code)]);
    expect(operators.grants()).toEqual([]);
  });

  test('denies', async () => {
    const { operators, place: here } = await served();
    expect((await claw(here, `approve ${id} --deny --json`)).json).toMatchObject({
      state: 'denied',
    });
    expect(operators.approvals()).toEqual([]);
  });
});

describe('claw grant', () => {
  test('issues ahead of time, lists and revokes, with a server and without', async () => {
    const { place: withServer } = await served();
    for (const here of [place(), withServer]) {
      await claw(here, 'key new ann');
      await claw(here, 'key enroll ann');
      const { nonce: _nonce, ...terms } = grantOf({
        expires: Date.now() + 60_000,
        notBefore: Date.now(),
      });
      writeFileSync(join(here.home, 'grant.json'), JSON.stringify(terms));
      const issued = await claw(here, 'grant issue grant.json --json');
      expect(issued.json).toMatchObject({ problem: null, used: 0 });
      expect((await claw(here, 'grant list')).stdout).toMatch(/0\/2 .* counts/);
      const revoked = await claw(here, `grant revoke ${issued.json.id.slice(0, 12)} --reason over`);
      expect(revoked.status).toBe(0);
      expect((await claw(here, 'grant list --json')).json).toMatchObject({
        grants: [{ problem: 'It was revoked: over.' }],
      });
      expect((await claw(here, 'grant revoke ffffffff')).stderr).toContain('GRANT_NOT_FOUND');
    }
  });

  test('of several is signed in turn, and the signed document replayed is refused', async () => {
    const here = place();
    await claw(here, 'key new ann');
    await claw(here, 'key new bob');
    await claw(here, 'key enroll ann');
    await claw(here, 'key enroll bob --key ann');
    await claw(here, 'key threshold 2 --key ann');
    const grant = grantOf({ notBefore: Date.now(), expires: Date.now() + 60_000 });
    writeFileSync(join(here.home, 'grant.json'), JSON.stringify(grant));
    expect((await claw(here, 'grant issue grant.json --key ann')).stderr).toContain('1 of 2');
    const printed = await claw(here, 'grant issue grant.json --key ann --print');
    writeFileSync(join(here.home, 'signed.json'), printed.stdout);
    expect((await claw(here, 'grant issue signed.json --key bob')).status).toBe(0);
    expect((await claw(here, 'grant issue signed.json --key bob')).stderr).toContain(
      'was issued before',
    );
  });

  test.each(['', '[]', 'null', '{"grant":{}}', '{"purpose":"egress"}'])(
    'a file of %j is no grant',
    async (text) => {
      const here = place();
      writeFileSync(join(here.home, 'grant.json'), text);
      const ended = await claw(here, 'grant issue grant.json');
      expect([ended.status, ended.stderr]).toEqual([2, expect.stringContaining('GRANT_INVALID')]);
    },
  );
});

describe('claw secret', () => {
  const value = 'canary-secret-of-the-command-line';

  test('takes the value from standard input, and shows it nowhere', async () => {
    const here = place();
    const shown = [
      await claw(here, 'secret set API_KEY', [value]),
      await claw(here, 'secret list'),
      await claw(here, 'secret list --json'),
    ];
    for (const { status, stdout, stderr } of shown) {
      expect(status).toBe(0);
      expect(stdout + stderr).not.toContain(value);
      expect(stdout).toContain('API_KEY');
    }
    expect(shown[0]?.stderr).toContain('identity/vault.key');
    expect(Vault.open(here.data, null)?.value('API_KEY')).toBe(value);
    expect((await claw(here, 'secret rm API_KEY')).status).toBe(0);
    expect((await claw(here, 'secret rm API_KEY')).stderr).toContain('SECRET_NOT_FOUND');
  });

  test('with a passphrase', async () => {
    const here = place();
    writeFileSync(join(here.home, 'words'), 'some words\n');
    await claw(here, 'secret set A --passphrase-file words', [value]);
    expect((await claw(here, 'secret set B', [value])).stderr).toContain('VAULT_LOCKED');
    expect(Vault.open(here.data, 'some words')?.value('A')).toBe(value);
    expect(readFileSync(join(here.data, 'vault.json'), 'utf8')).not.toContain(value);
  });

  test.each([
    ['secret set A', ['short']],
    ['secret set A', ['']],
    ['secret set A', []],
    ['secret set ../A', [value]],
  ])('%s with %j is refused', async (words, lines) => {
    const ended = await claw(place(), words, lines);
    expect([ended.status, ended.stderr]).toEqual([2, expect.stringContaining('SECRET_INVALID')]);
  });
});
