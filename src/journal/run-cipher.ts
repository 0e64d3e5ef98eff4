/**
 * The keys of one run, and what is done with them: its bodies and texts are
 * encrypted, and its texts have names that only its keys tell.
 *
 * AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits for each body;
 * HMAC-SHA256 (RFC 2104) of a text's hash for its name. A plain hash as a name would
 * let anybody who guesses a short text find out whether the run had it.
 *
 * Invariants
 *   K1. A run writes with its own keys only, so that nothing of it can be read
 *       once they are gone. A fork names the runs that it goes on from, not their keys.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { type RunId, runIdBytes, runIdFromBytes } from '../kernel/ids.ts';
import { runBytes } from './record-descriptor.ts';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** The run's id, the key of its bodies, the key of its names; then the ids of its parents. */
const ownBytes = runBytes + 2 * keyBytes;

export class RunCipher {
  readonly run: RunId;
  /** The runs that this one goes on from, the nearest first: it refers to texts of theirs. */
  readonly parents: readonly RunId[];
  readonly #bodies: Buffer;
  readonly #names: Buffer;

  /** New random keys. @param parent Of the run that this one is a fork of, if it is one. */
  static create(run: RunId, parent: RunCipher | null = null): RunCipher {
    const parents = parent === null ? [] : [parent.run, ...parent.parents];
    return new RunCipher(run, randomBytes(2 * keyBytes), parents);
  }

  /**
   * Keys as `toBytes` wrote them, or null when the bytes are none.
   */
  static tryFromBytes(bytes: Buffer): RunCipher | null {
    if (bytes.length < ownBytes || (bytes.length - ownBytes) % runBytes !== 0) return null;
    const parents: RunId[] = [];
    for (let at = ownBytes; at < bytes.length; at += runBytes) {
      parents.push(runIdFromBytes(bytes.subarray(at, at + runBytes)));
    }
    const run = runIdFromBytes(bytes.subarray(0, runBytes));
    return new RunCipher(run, Buffer.from(bytes.subarray(runBytes, ownBytes)), parents);
  }

  private constructor(run: RunId, keys: Buffer, parents: readonly RunId[]) {
    this.run = run;
    this.parents = parents;
    this.#bodies = keys.subarray(0, keyBytes);
    this.#names = keys.subarray(keyBytes);
  }

  toBytes(): Buffer {
    const ids = this.parents.map(runIdBytes);
    return Buffer.concat([runIdBytes(this.run), this.#bodies, this.#names, ...ids]);
  }

  /** Nonce, ciphertext and tag: 28 bytes more than the content. */
  encrypt(content: Buffer): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#bodies, nonce, { authTagLength: tagBytes });
    const encrypted = cipher.update(content);
    cipher.final();
    return Buffer.concat([nonce, encrypted, cipher.getAuthTag()]);
  }

  /** @throws RuntimeError JOURNAL_CORRUPT when these keys did not encrypt it, or it changed since. */
  decrypt(stored: Buffer): Buffer {
    const nonce = stored.subarray(0, nonceBytes);
    const options = { authTagLength: tagBytes };
    try {
      const decipher = createDecipheriv(algorithm, this.#bodies, nonce, options);
      decipher.setAuthTag(stored.subarray(-tagBytes));
      const content = decipher.update(stored.subarray(nonceBytes, -tagBytes));
      decipher.final();
      return content;
    } catch (cause) {
      throw new RuntimeError(
        'JOURNAL_CORRUPT',
        `A body of the run ${this.run} cannot be decrypted with its keys; restore the data directory from a copy.`,
        { cause, details: { run: this.run } },
      );
    }
  }

  /** The name under which the run keeps the text of that hash. */
  nameOf(hash: Sha256): Sha256 {
    return createHmac('sha256', this.#names).update(hash, 'hex').digest('hex') as Sha256;
  }
}
