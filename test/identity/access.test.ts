import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AccessFile, changeAccess, readAccess } from '../../src/identity/access-file.ts';
import {
  emptyAccessList,
  judgeToken,
  withAccess,
  withoutAccess,
} from '../../src/identity/access-list.ts';
import {
  holdsToken,
  mintAccessToken,
  tokenDigest,
  withoutTokens,
} from '../../src/identity/access-token.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';

const compared = vi.hoisted(() => ({ times: 0 }));

// The real comparison, counted: what answers a token must look at the whole list.
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return {
    ...crypto,
    timingSafeEqual: (one: Uint8Array, other: Uint8Array) => {
      compared.times += 1;
      return crypto.timingSafeEqual(one, other);
    },
  };
});

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claw-access-'));
  path = join(folder, 'access.json');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function entry(name: string, token = mintAccessToken(), expiresAt: number | null = null) {
  return { name, roles: ['viewer'] as const, token, createdAt: 1, expiresAt };
}

test('a token is 51 characters, each new, and its checksum finds every single wrong character', () => {
  const token = mintAccessToken();
  expect(token).toMatch(/^oc_[\w-]{48}$/);
  expect(new Set(Array.from({ length: 100 }, mintAccessToken)).size).toBe(100);
  expect(tokenDigest(token)?.toString('hex')).toBe(sha256(token));
  for (let at = 3; at < token.length; at += 1) {
    const other = token[at] === 'A' ? 'B' : 'A';
    expect(tokenDigest(`${token.slice(0, at)}${other}${token.slice(at + 1)}`)).toBeNull();
  }
  for (const wrong of ['', 'oc_', `${token}=`, ` ${token}`, token.slice(1), `${token}\n`]) {
    expect(tokenDigest(wrong)).toBeNull();
  }
});

test('texts lose every token, whole or cut', () => {
  const token = mintAccessToken();
  expect(withoutTokens(`a ${token}, ${token.slice(0, 45)}.`)).toBe('a oc_…, oc_….');
  expect(holdsToken(`x${token}`)).toBe(true);
  expect(holdsToken('oc_short and doc_file')).toBe(false);
});

test('a token is compared in constant time, with all of the list wherever it is', () => {
  const tokens = Array.from({ length: 5 }, () => mintAccessToken());
  const list = tokens.reduce(
    (all, token, at) => withAccess(all, entry(`t${at}`, token)),
    emptyAccessList,
  );
  for (const token of [...tokens, mintAccessToken()]) {
    compared.times = 0;
    judgeToken(list, token, 5);
    expect(compared.times).toBe(5);
  }
  expect(judgeToken(list, tokens[3] ?? '', 5)).toEqual({
    status: 'known',
    name: 't3',
    roles: ['viewer'],
  });
  expect(judgeToken(withoutAccess(list, 't3'), tokens[3] ?? '', 5)).toEqual({ status: 'unknown' });
});

test('a list refuses a second token of a name, odd names, and more than it may have', () => {
  const list = withAccess(emptyAccessList, entry('one'));
  const refused = (action: () => unknown, code: string) =>
    expect(action).toThrow(expect.objectContaining({ code }));
  refused(() => withAccess(list, entry('one')), 'ACCESS_NAME_TAKEN');
  for (const name of [
    '',
    '-x',
    'a b',
    'a/b',
    '../x',
    'x'.repeat(64),
    'a\nb',
    mintAccessToken() + 'x'.repeat(20),
  ]) {
    refused(() => withAccess(list, entry(name)), 'ACCESS_NAME_INVALID');
  }
  refused(() => withoutAccess(list, 'two'), 'ACCESS_NOT_FOUND');
  const token = mintAccessToken();
  const full = Array.from({ length: limits.accessTokensMax }).reduce(
    (all: typeof list, _, at) => withAccess(all, entry(`t${at}`, token)),
    emptyAccessList,
  );
  refused(() => withAccess(full, entry('more')), 'ACCESS_LIST_FULL');
});

test("the file has no token, is its owner's alone, and is seen at once by who has it open", async () => {
  const open = new AccessFile(folder);
  const token = mintAccessToken();
  expect(open.judge(token, 1)).toEqual({ status: 'unknown' });
  expect(open.opensForAnybody(1)).toBe(false);
  await changeAccess(folder, (list) => withAccess(list, entry('me', token, 50)));
  expect(readFileSync(path, 'utf8')).not.toContain(token.slice(0, 20));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(open.judge(token, 49)).toMatchObject({ status: 'known', name: 'me' });
  expect([open.opensForAnybody(49), open.opensForAnybody(50)]).toEqual([true, false]);
  expect(open.judge(token, 50)).toEqual({ status: 'expired' });
  await changeAccess(folder, (list) => withoutAccess(list, 'me'));
  expect(open.judge(token, 1)).toEqual({ status: 'unknown' });
  expect(readdirSync(folder)).toEqual(['access.json']);
});

test('many who change the file take turns, and none of their changes is lost', async () => {
  const names = Array.from({ length: 12 }, (_, at) => `t${at}`);
  await Promise.all(
    names.map((name) => changeAccess(folder, (list) => withAccess(list, entry(name)))),
  );
  const found = readAccess(folder).tokens.map(({ name }) => name);
  expect(found.sort()).toEqual(names.sort());
});

test('a change that fails changes nothing and leaves no lock; a lock that stays is named', async () => {
  await changeAccess(folder, (list) => withAccess(list, entry('me')));
  const before = readFileSync(path, 'utf8');
  await expect(changeAccess(folder, (list) => withAccess(list, entry('me')))).rejects.toMatchObject(
    {
      code: 'ACCESS_NAME_TAKEN',
    },
  );
  expect(readFileSync(path, 'utf8')).toBe(before);
  expect(readdirSync(folder)).toEqual(['access.json']);
  writeFileSync(join(folder, 'lock.access'), '');
  await expect(changeAccess(folder, (list) => list)).rejects.toMatchObject({
    code: 'ACCESS_FILE_BUSY',
    message: expect.stringContaining('lock.access'),
  });
});

test('a file that cannot be trusted or read opens for nobody, also after it was good', async () => {
  const open = new AccessFile(folder);
  const token = mintAccessToken();
  await changeAccess(folder, (list) => withAccess(list, entry('me', token)));
  const good = readFileSync(path, 'utf8');
  const refused = (says: string) => {
    const error = expect.objectContaining({
      code: 'ACCESS_FILE_UNUSABLE',
      message: expect.stringContaining(says),
    });
    expect(() => open.judge(token, 1)).toThrow(error);
    expect(() => open.opensForAnybody(1)).toThrow(error);
  };
  for (const mode of [0o620, 0o602, 0o666]) {
    chmodSync(path, mode);
    refused('may be written by others');
  }
  chmodSync(path, 0o600);
  expect(open.judge(token, 1)).toMatchObject({ status: 'known' });
  const list = JSON.parse(good);
  for (const [text, says] of [
    ['', 'is not JSON'],
    [good.slice(0, -5), 'is not JSON'],
    ['[]', 'is not a list of tokens'],
    ['{"version":2,"tokens":[]}', 'is not a list of tokens'],
    [JSON.stringify({ ...list, tokens: [...list.tokens, ...list.tokens] }), 'is not a list'],
    [
      JSON.stringify({ ...list, tokens: [{ ...list.tokens[0], roles: ['root'] }] }),
      'is not a list',
    ],
    [`${' '.repeat(limits.accessFileBytesMax)}${good}`, 'is too large'],
  ] as const) {
    writeFileSync(path, text);
    refused(says);
  }
  writeFileSync(path, good);
  renameSync(path, join(folder, 'elsewhere.json'));
  symlinkSync(join(folder, 'elsewhere.json'), path);
  refused('cannot be read');
});
