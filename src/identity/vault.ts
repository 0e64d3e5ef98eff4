/**
 * Secrets that actuators put into requests: one file, each secret sealed by
 * itself with a random master key, and the master key sealed with a passphrase
 * or with a key file beside it.
 *
 * A passphrase protects the secrets from whoever gets the data directory. The
 * key file lies in that directory: it only keeps the secrets out of what is
 * read without it, such as a copy of the one file, a log, or a search.
 *
 * Invariants
 *   V1. A secret is bound to its name and dates: moved under another name, or
 *       put in place of another, it does not open.
 *   V2. The file is replaced whole and synced, or stays as it was.
 *   V3. Values leave by `value` alone. No error, list or log has one.
 *   V4. One change at a time: a lock file is made by whoever changes.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { hasDataDirectory, openDataDirectory } from '../journal/data-directory.ts';
import { identityFolder } from '../journal/data-folders.ts';
import { errorNumber, nodeFilePort } from '../journal/file-port.ts';
import { replaceFile } from '../journal/whole-file.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { authenticatedBoxSchema, boxKeyBytes, openBox, sealBox } from './authenticated-box.ts';
import { secretNameSchema } from './egress-grant.ts';
import { timeSchema } from './key-change.ts';
import { openWithPassphrase, passphraseBoxSchema, sealWithPassphrase } from './passphrase-box.ts';

const fileName = 'vault.json';
/** Begins like other locks, which no backup copies. */
const lockName = 'lock-vault';
const format = 'openclaw-vault/1';
const masterMeaning = { purpose: 'vault-master-key' };

const vaultSchema = z.strictObject({
  format: z.literal(format),
  /** The master key, in a box of a passphrase or of the key file. */
  master: z.union([
    z.strictObject({ passphrase: passphraseBoxSchema }),
    z.strictObject({ keyFile: authenticatedBoxSchema }),
  ]),
  secrets: z
    .array(
      z.strictObject({
        name: secretNameSchema,
        created: timeSchema,
        updated: timeSchema,
        box: authenticatedBoxSchema,
      }),
    )
    .max(limits.secretsMax),
});

type VaultContent = z.output<typeof vaultSchema>;

/** A secret without its value. */
export interface SecretView {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly updated: number;
}

export class Vault {
  readonly #folder: string;
  readonly #master: Buffer;
  readonly #content: VaultContent;

  private constructor(folder: string, master: Buffer, content: VaultContent) {
    this.#folder = folder;
    this.#master = master;
    this.#content = content;
  }

  /**
   * The vault of a data directory, or null when it has none.
   * @throws RuntimeError VAULT_LOCKED, VAULT_DAMAGED
   */
  static open(dataDirectory: string, passphrase: string | null): Vault | null {
    const content = readContent(dataDirectory);
    if (content === null) return null;
    return new Vault(dataDirectory, masterOf(dataDirectory, content, passphrase), content);
  }

  /** What is in the vault, which needs no key. @throws RuntimeError VAULT_DAMAGED */
  static list(dataDirectory: string): readonly SecretView[] {
    const secrets = readContent(dataDirectory)?.secrets ?? [];
    return secrets.map(({ name, created, updated }) => ({ name, created, updated }));
  }

  /** Whether a passphrase guards the vault; null when there is none. */
  static isLocked(dataDirectory: string): boolean | null {
    const content = readContent(dataDirectory);
    return content === null ? null : 'passphrase' in content.master;
  }

  /**
   * Sets a secret; makes the vault where there is none.
   * @param passphrase Null for a vault with a key file.
   * @throws RuntimeError SECRET_INVALID, VAULT_LOCKED, VAULT_DAMAGED,
   *   DISK_FULL, and as `openDataDirectory`
   */
  static set(
    dataDirectory: string,
    passphrase: string | null,
    secret: { readonly name: string; readonly value: string; readonly nowMs: number },
  ): SecretView {
    const { name, value, nowMs } = secret;
    refuseUnfit(name, value);
    // A vault alone would be a folder of other files to whoever starts there later.
    if (!hasDataDirectory(dataDirectory)) openDataDirectory(dataDirectory, nowMs).release();
    return changing(dataDirectory, () => {
      const vault = Vault.open(dataDirectory, passphrase) ?? Vault.#make(dataDirectory, passphrase);
      const others = vault.#content.secrets.filter((each) => each.name !== name);
      if (others.length >= limits.secretsMax) {
        throw invalid(`The vault has ${limits.secretsMax} secrets; remove one first.`);
      }
      const before = vault.#content.secrets.find((each) => each.name === name);
      const view = { name, created: before?.created ?? nowMs, updated: nowMs };
      const box = sealBox(vault.#master, Buffer.from(value, 'utf8'), meaningOf(view));
      vault.#write([...others, { ...view, box }]);
      return view;
    });
  }

  /** Needs no key. @throws RuntimeError SECRET_NOT_FOUND, VAULT_LOCKED, VAULT_DAMAGED, DISK_FULL */
  static remove(dataDirectory: string, name: string): void {
    if (readContent(dataDirectory) === null) throw notFound(name);
    changing(dataDirectory, () => {
      const content = readContent(dataDirectory);
      const others = content?.secrets.filter((each) => each.name !== name) ?? [];
      if (content === null || others.length === content.secrets.length) throw notFound(name);
      write(dataDirectory, { ...content, secrets: others });
    });
  }

  names(): readonly string[] {
    return this.#content.secrets.map(({ name }) => name);
  }

  /** @throws RuntimeError SECRET_NOT_FOUND, VAULT_DAMAGED */
  value(name: string): string {
    const secret = this.#content.secrets.find((each) => each.name === name);
    if (secret === undefined) throw notFound(name);
    const opened = openBox(this.#master, secret.box, meaningOf(secret)); // (V1)
    if (opened === null) throw damaged(this.#folder, `the secret ${name} does not open`);
    return opened.toString('utf8');
  }

  #write(secrets: VaultContent['secrets']): void {
    write(this.#folder, { ...this.#content, secrets });
  }

  /** A vault without secrets, not yet on the disk. */
  static #make(dataDirectory: string, passphrase: string | null): Vault {
    const master = randomBytes(boxKeyBytes);
    const sealed =
      passphrase === null
        ? { keyFile: sealBox(fileKey(dataDirectory, 'make'), master, masterMeaning) }
        : { passphrase: sealWithPassphrase(passphrase, master, masterMeaning) };
    return new Vault(dataDirectory, master, { format, master: sealed, secrets: [] });
  }
}

/** Changes when the vault does: what was read from it may be kept meanwhile. */
export function vaultStamp(dataDirectory: string): string | null {
  const status = statSync(join(dataDirectory, fileName), { bigint: true, throwIfNoEntry: false });
  return status === undefined ? null : `${status.ino}:${status.mtimeNs}:${status.size}`;
}

function meaningOf({ name, created, updated }: SecretView) {
  return { purpose: 'secret', name, created, updated };
}

function refuseUnfit(name: string, value: string): void {
  const parsed = secretNameSchema.safeParse(name);
  if (!parsed.success) throw invalid('The name of a secret has 1 to 64 letters, digits, _ . -');
  const { secretCharactersMin: min, secretCharactersMax: max } = limits;
  if (value.length >= min && value.length <= max && value.isWellFormed()) return;
  throw invalid(`A secret has ${min} to ${max} characters: a shorter one would be found anywhere.`);
}

function readContent(dataDirectory: string): VaultContent | null {
  const path = join(dataDirectory, fileName);
  let text: string;
  try {
    if (statSync(path).size > limits.vaultBytesMax) throw damaged(dataDirectory, 'it is too large');
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorNumber(error) === 'ENOENT') return null;
    throw error instanceof RuntimeError ? error : damaged(dataDirectory, 'it cannot be read');
  }
  try {
    return vaultSchema.parse(JSON.parse(text));
  } catch {
    throw damaged(dataDirectory, 'it is no vault');
  }
}

function masterOf(
  dataDirectory: string,
  { master }: VaultContent,
  passphrase: string | null,
): Buffer {
  if ('keyFile' in master) {
    const opened = openBox(fileKey(dataDirectory, 'read'), master.keyFile, masterMeaning);
    if (opened !== null) return opened;
    throw damaged(dataDirectory, 'its key file is that of another vault');
  }
  if (passphrase === null) throw locked('A passphrase guards the vault; give it.');
  const opened = openWithPassphrase(passphrase, master.passphrase, masterMeaning);
  if (opened !== null) return opened;
  throw locked('The passphrase does not open the vault; correct it.');
}

/** The key beside the vault, which is made with it. */
function fileKey(dataDirectory: string, how: 'read' | 'make'): Buffer {
  const path = join(identityFolder(dataDirectory), 'vault.key');
  try {
    if (how === 'make') {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, randomBytes(boxKeyBytes), { mode: 0o600, flag: 'wx', flush: true });
      nodeFilePort.syncFolder(dirname(path));
    }
  } catch (error) {
    // One of a vault whose first secret never came to the disk will do.
    if (errorNumber(error) !== 'EEXIST') throw unwritten(error);
  }
  try {
    const key = readFileSync(path);
    if (key.length === boxKeyBytes) return key;
  } catch {
    // Said below.
  }
  throw locked('The key file of the vault, identity/vault.key in the data directory, is missing.');
}

/** (V4) */
function changing<T>(dataDirectory: string, change: () => T): T {
  const lock = join(dataDirectory, lockName);
  try {
    closeSync(openSync(lock, 'wx', 0o600));
  } catch (error) {
    if (errorNumber(error) !== 'EEXIST') throw unwritten(error);
    throw locked(`Somebody else changes the vault; if nobody does, remove ${lock}.`);
  }
  try {
    return change();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** (V2) */
function write(dataDirectory: string, content: VaultContent): void {
  const bytes = Buffer.from(`${JSON.stringify(content, null, 2)}\n`, 'utf8');
  try {
    replaceFile(nodeFilePort, dataDirectory, fileName, bytes);
  } catch (error) {
    throw unwritten(error);
  }
}

function unwritten(error: unknown): RuntimeError {
  const number = errorNumber(error);
  return number === 'ENOSPC' || number === 'EDQUOT'
    ? new RuntimeError('DISK_FULL', 'The disk is full; free space and try again.')
    : locked(`The vault cannot be written (${number ?? 'a fault'}); check the data directory.`);
}

function notFound(name: string): RuntimeError {
  return new RuntimeError('SECRET_NOT_FOUND', `The vault has no secret ${name}.`);
}

function invalid(message: string): RuntimeError {
  return new RuntimeError('SECRET_INVALID', message);
}

function locked(message: string): RuntimeError {
  return new RuntimeError('VAULT_LOCKED', message);
}

function damaged(dataDirectory: string, why: string): RuntimeError {
  return new RuntimeError(
    'VAULT_DAMAGED',
    `The vault ${join(dataDirectory, fileName)} is damaged: ${why}.`,
  );
}
