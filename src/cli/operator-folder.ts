/**
 * The operator's own keys: files in the folder of the user's configuration, which
 * neither the server nor the data directory ever sees.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { describeOperatorKey, openOperatorKey } from '../identity/operator-key.ts';
import type { PublicKey, SigningKey } from '../identity/signing-key.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { Io } from './io.ts';
import { FileFault, readTextFile } from './text-file.ts';

const suffix = '.key';

export interface OwnKey {
  readonly name: string;
  readonly path: string;
  readonly publicKey: PublicKey;
  /** Whether a passphrase guards it. */
  readonly locked: boolean;
}

function operatorFolder({ environment }: Pick<Io, 'environment'>): string {
  const configured = environment.XDG_CONFIG_HOME;
  const base =
    configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), '.config');
  return join(base, 'openclaw-runtime', 'keys');
}

/** By name; files that are no keys are left out. */
export function ownKeys(io: Pick<Io, 'environment'>): readonly OwnKey[] {
  const folder = operatorFolder(io);
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  } catch {
    return [];
  }
  return names.toSorted().flatMap((file) => {
    try {
      const path = join(folder, file);
      const text = readTextFile(path, limits.keyFileBytesMax);
      return [{ name: file.slice(0, -suffix.length), path, ...describeOperatorKey(text) }];
    } catch {
      return [];
    }
  });
}

/** Never over a key that is there. @throws RuntimeError OPERATOR_KEY_INVALID */
export function writeKey(io: Pick<Io, 'environment'>, name: string, text: string): string {
  const folder = operatorFolder(io);
  const path = join(folder, `${name}${suffix}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path, text, { mode: 0o600, flag: 'wx', flush: true });
    // Whatever the umask said.
    chmodSync(path, 0o600);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    const why = exists ? 'is there already; choose another name' : 'cannot be written';
    throw new RuntimeError('OPERATOR_KEY_INVALID', `The key ${path} ${why}.`, { cause });
  }
  return path;
}

export interface KeyChoice {
  readonly key?: string | undefined;
  readonly passphraseFile?: string | undefined;
}

/**
 * The key to sign with: the one that is named, or the only one.
 * @throws RuntimeError OPERATOR_KEY_INVALID, PASSPHRASE_WRONG
 */
export function openOwnKey(io: Pick<Io, 'environment' | 'cwd'>, choice: KeyChoice): SigningKey {
  const own = ownKeys(io);
  const found = choice.key === undefined ? own : own.filter(({ name }) => name === choice.key);
  const [only] = found;
  if (only === undefined || found.length > 1) {
    const names = own.map(({ name }) => name).join(', ') || 'none; claw key new makes one';
    const what =
      choice.key === undefined ? 'Choose a key by --key' : `There is no key ${choice.key}`;
    throw new RuntimeError('OPERATOR_KEY_INVALID', `${what}; yours are: ${names}.`);
  }
  if ((statSync(only.path).mode & 0o077) !== 0 && process.platform !== 'win32') {
    const message = `Others may read ${only.path}; chmod 600 it, or revoke it if they have.`;
    throw new RuntimeError('OPERATOR_KEY_INVALID', message);
  }
  const passphrase = readPassphrase(io, choice.passphraseFile);
  return openOperatorKey(readFileSync(only.path, 'utf8'), passphrase);
}

/** The first line of the file; null without one. @throws RuntimeError PASSPHRASE_WRONG */
export function readPassphrase({ cwd }: Pick<Io, 'cwd'>, file: string | undefined): string | null {
  if (file === undefined) return null;
  const path = resolve(cwd, file);
  try {
    const [line = ''] = readTextFile(path, limits.keyFileBytesMax).split(/\r?\n/);
    if (line !== '') return line;
    throw new FileFault('begins with an empty line');
  } catch (cause) {
    const why = cause instanceof FileFault ? cause.message : 'cannot be read';
    throw new RuntimeError('PASSPHRASE_WRONG', `The file ${path} ${why}.`, { cause });
  }
}
