/**
 * A private key of the runtime in a file that its owner alone may read
 * (PKCS#8, PEM). Made at first use; a file that others can read is refused.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const ownerOnly = 0o600;
const othersMask = 0o077;

/**
 * The Ed25519 key in the file, made there if there is none.
 * @throws RuntimeError KEY_FILE_INVALID when it is no such key or others may read it
 */
export function loadOrCreateKey(path: string): KeyPair {
  const found = tryLoadKey(path);
  if (found !== null) return found;
  const { privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Whole or not at all; of two that begin at once, one key stands.
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, privateKey.export({ format: 'pem', type: 'pkcs8' }), {
    mode: ownerOnly,
    flush: true,
  });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  const made = tryLoadKey(path);
  if (made === null) throw invalid(path, 'it disappeared while it was made');
  return made;
}

/** The key in the file, or null when there is no file. @throws RuntimeError KEY_FILE_INVALID */
export function tryLoadKey(path: string): KeyPair | null {
  let pem: string;
  try {
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & othersMask) !== 0) {
      throw invalid(path, 'others than its owner may read or write it; chmod 600');
    }
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (error instanceof RuntimeError) throw error;
    throw invalid(path, error instanceof Error ? error.message : String(error));
  }
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error('it is no Ed25519 key');
    return { privateKey, publicKey: createPublicKey(privateKey) };
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error));
  }
}

function invalid(path: string, why: string): RuntimeError {
  return new RuntimeError('KEY_FILE_INVALID', `The key file ${path} cannot be used: ${why}.`);
}
