/**
 * The private key of a human operator, as the text of a file that only its
 * owner reads. It never enters the data directory, the server or the journal.
 *
 * Invariants
 *   K1. The public key in the file is checked against the private one, so that
 *       nobody is shown a key and signs with another.
 */
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { openWithPassphrase, passphraseBoxSchema, sealWithPassphrase } from './passphrase-box.ts';
import {
  generatePrivateKey,
  importPrivateKey,
  isPublicKey,
  type PublicKey,
  type SigningKey,
} from './signing-key.ts';

const format = 'openclaw-operator-key/1';

const keyFileSchema = z.strictObject({
  format: z.literal(format),
  publicKey: z.custom<PublicKey>((text) => typeof text === 'string' && isPublicKey(text)),
  /** PKCS #8, in base64 or in a box. */
  privateKey: z.union([z.base64(), passphraseBoxSchema]),
});

export interface NewOperatorKey {
  readonly publicKey: PublicKey;
  /** For a file with mode 0600. */
  readonly text: string;
}

/** @param passphrase Null: whoever reads the file has the key. */
export function newOperatorKey(passphrase: string | null): NewOperatorKey {
  const pkcs8 = generatePrivateKey();
  const key = importPrivateKey(pkcs8);
  if (key === null) throw new RuntimeError('INTERNAL', 'A new key cannot be read back.');
  const { publicKey } = key;
  const privateKey =
    passphrase === null
      ? pkcs8.toString('base64')
      : sealWithPassphrase(passphrase, pkcs8, meaningOf(publicKey));
  return { publicKey, text: `${JSON.stringify({ format, publicKey, privateKey }, null, 2)}\n` };
}

/** The public key of a file, which is no secret, and whether a passphrase guards the other. */
export function describeOperatorKey(text: string): { publicKey: PublicKey; locked: boolean } {
  const { publicKey, privateKey } = parseKeyFile(text);
  return { publicKey, locked: typeof privateKey !== 'string' };
}

/** @throws RuntimeError OPERATOR_KEY_INVALID, PASSPHRASE_WRONG */
export function openOperatorKey(text: string, passphrase: string | null): SigningKey {
  const { publicKey, privateKey } = parseKeyFile(text);
  const key = importPrivateKey(pkcs8Of(privateKey, publicKey, passphrase));
  if (key === null || key.publicKey !== publicKey) throw invalid(); // (K1)
  return key;
}

function pkcs8Of(
  privateKey: z.output<typeof keyFileSchema>['privateKey'],
  publicKey: PublicKey,
  passphrase: string | null,
): Buffer {
  if (typeof privateKey === 'string') return Buffer.from(privateKey, 'base64');
  if (passphrase === null) {
    const message = 'A passphrase guards this key; give --passphrase-file.';
    throw new RuntimeError('PASSPHRASE_WRONG', message);
  }
  const opened = openWithPassphrase(passphrase, privateKey, meaningOf(publicKey));
  if (opened !== null) return opened;
  throw new RuntimeError('PASSPHRASE_WRONG', 'The passphrase does not open the key; correct it.');
}

function meaningOf(publicKey: PublicKey) {
  return { purpose: 'operator-key', publicKey };
}

function parseKeyFile(text: string): z.output<typeof keyFileSchema> {
  try {
    return keyFileSchema.parse(JSON.parse(text));
  } catch {
    throw invalid();
  }
}

/** Without the cause: it may quote the file. */
function invalid(): RuntimeError {
  return new RuntimeError(
    'OPERATOR_KEY_INVALID',
    'The file is no key of an operator; claw key new makes one.',
  );
}
