/** Goal: a secret leaves the vault by its name, its key and nothing else. Method: real files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SecretSource } from '../../src/actuators/secret-source.ts';
import { Vault, vaultStamp } from '../../src/identity/vault.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';

const value = 'canary-secret-value-1';
const nowMs = 1_000;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'openclaw-vault-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function vaultWith(passphrase: string | null = null, ...names: readonly string[]): string {
  const data = folder();
  for (const name of names) Vault.set(data, passphrase, { name, value: `${value}-${name}`, nowMs });
  return data;
}

const failing = (code: string) => expect.objectContaining({ code });

describe('the vault', () => {
  test('with a key file gives back what was set, and shows names and dates alone', () => {
    const data = vaultWith(null, 'A', 'B');
    Vault.set(data, null, { name: 'A', value: 'another-value', nowMs: 2_000 });
    const vault = Vault.open(data, null);
    expect([vault?.value('A'), vault?.value('B')]).toEqual(['another-value', `${value}-B`]);
    expect(Vault.list(data)).toEqual([
      { name: 'B', created: 1_000, updated: 1_000 },
      { name: 'A', created: 1_000, updated: 2_000 },
    ]);
    for (const path of [join(data, 'vault.json'), join(data, 'identity', 'vault.key')]) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(join(data, 'vault.json'), 'utf8')).not.toContain(value);
    // A runtime starts where a vault was first.
    openDataDirectory(data, nowMs).release();
  });

  test('with a passphrase opens with it alone, and has no key file', () => {
    const data = vaultWith('right words', 'A');
    expect(Vault.open(data, 'right words')?.value('A')).toBe(`${value}-A`);
    expect(() => Vault.open(data, 'wrong words')).toThrow(failing('VAULT_LOCKED'));
    expect(() => Vault.open(data, null)).toThrow(failing('VAULT_LOCKED'));
    const added = { name: 'B', value, nowMs };
    expect(() => Vault.set(data, 'wrong words', added)).toThrow(failing('VAULT_LOCKED'));
    expect(Vault.list(data)).toHaveLength(1);
    expect(readdirSync(join(data, 'keys'))).toEqual([]);
  });

  test('a removed secret is gone, and one that is not there is no secret', () => {
    const data = vaultWith(null, 'A');
    Vault.remove(data, 'A');
    expect(() => Vault.open(data, null)?.value('A')).toThrow(failing('SECRET_NOT_FOUND'));
    expect(() => Vault.remove(data, 'A')).toThrow(failing('SECRET_NOT_FOUND'));
    expect(Vault.open(folder(), null)).toBeNull();
  });

  test.each([
    ['short', 'A', '1234567'],
    ['long', 'A', 'x'.repeat(5_000)],
    ['half a character', 'A', `\ud800${value}`],
    ['a strange name', '../A', value],
    ['no name', '', value],
  ])('refuses a secret that is %s, without repeating it', (_why, name, given) => {
    const data = folder();
    let message = '';
    try {
      Vault.set(data, null, { name, value: given, nowMs });
    } catch (error) {
      message = String(error);
      expect(error).toMatchObject({ code: 'SECRET_INVALID' });
    }
    expect(message).not.toBe('');
    expect(message).not.toContain(given);
    expect(readdirSync(data)).toEqual([]);
  });

  test('two secrets cannot change places, nor can a name or a date be another', () => {
    const data = vaultWith(null, 'A', 'B');
    const path = join(data, 'vault.json');
    const content = JSON.parse(readFileSync(path, 'utf8'));
    const [a, b] = content.secrets;
    const forgeries = [
      [
        { ...a, box: b.box },
        { ...b, box: a.box },
      ],
      [{ ...a, name: 'C' }],
      [{ ...a, updated: 999 }],
      [{ ...a, box: { ...a.box, sealed: `${b.box.sealed.slice(0, 8)}${a.box.sealed.slice(8)}` } }],
    ];
    for (const secrets of forgeries) {
      writeFileSync(path, JSON.stringify({ ...content, secrets }));
      const name = secrets[0].name;
      expect(() => Vault.open(data, null)?.value(name)).toThrow(failing('VAULT_DAMAGED'));
    }
  });

  test.each(['', '{}', 'x', '{"format":"openclaw-vault/2"}'])(
    'a file of %j is no vault',
    (text) => {
      const data = folder();
      openDataDirectory(data, nowMs).release();
      writeFileSync(join(data, 'vault.json'), text);
      expect(() => Vault.open(data, null)).toThrow(failing('VAULT_DAMAGED'));
      expect(() => Vault.set(data, null, { name: 'A', value, nowMs })).toThrow(
        failing('VAULT_DAMAGED'),
      );
      expect(readFileSync(join(data, 'vault.json'), 'utf8')).toBe(text);
    },
  );

  test('without its key file it stays closed, and keeps what it has', () => {
    const data = vaultWith(null, 'A');
    const key = readFileSync(join(data, 'identity', 'vault.key'));
    rmSync(join(data, 'identity', 'vault.key'));
    expect(() => Vault.open(data, null)).toThrow(failing('VAULT_LOCKED'));
    expect(() => Vault.set(data, null, { name: 'B', value, nowMs })).toThrow(
      failing('VAULT_LOCKED'),
    );
    writeFileSync(join(data, 'identity', 'vault.key'), key);
    expect(Vault.open(data, null)?.names()).toEqual(['A']);
  });

  test('is changed by one at a time', () => {
    const data = vaultWith(null, 'A');
    writeFileSync(join(data, 'lock-vault'), '');
    const stamp = vaultStamp(data);
    expect(() => Vault.remove(data, 'A')).toThrow(failing('VAULT_LOCKED'));
    expect(vaultStamp(data)).toBe(stamp);
    rmSync(join(data, 'lock-vault'));
    Vault.remove(data, 'A');
    expect(vaultStamp(data)).not.toBe(stamp);
  });
});

describe('the secrets as actuators hold them', () => {
  const failed = (message: string) =>
    ({ key: 'k', status: 'failed', error: { code: 'INTERNAL', message } }) as const;

  test('follow the vault, and a value of before is scrubbed still', () => {
    const data = folder();
    const source = new SecretSource(data, null);
    expect(() => source.value('A')).toThrow(failing('SECRET_NOT_FOUND'));
    Vault.set(data, null, { name: 'A', value: 'first-value', nowMs });
    expect(source.value('A')).toBe('first-value');
    Vault.set(data, null, { name: 'A', value: 'second-value', nowMs });
    expect(source.value('A')).toBe('second-value');
    expect(source.scrub(failed('first-value, second-value'))).toEqual(
      failed('[secret A], [secret A]'),
    );
    const completed = { key: 'k', status: 'completed', value: { body: ['second-value'] } } as const;
    expect(source.scrub({ ...completed, value: { body: ['second-value'] } })).toEqual({
      ...completed,
      value: { body: ['[secret A]'] },
    });
    Vault.remove(data, 'A');
    expect(() => source.value('A')).toThrow(failing('SECRET_NOT_FOUND'));
    expect(source.scrub(failed('second-value'))).toEqual(failed('[secret A]'));
  });

  test('of a vault that does not open there are none', () => {
    const data = vaultWith('words', 'A');
    const source = new SecretSource(data, null);
    expect(() => source.value('A')).toThrow(failing('VAULT_LOCKED'));
    expect(new SecretSource(data, 'words').value('A')).toBe(`${value}-A`);
  });
});
