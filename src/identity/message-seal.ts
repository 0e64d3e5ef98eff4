/**
 * A seal on what one thread tells another: HMAC-SHA-256 (RFC 2104) of the
 * canonical JSON, under a key that only the threads that talk have.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { canonicalJson } from '../kernel/hash.ts';

const blockBytes = 64;
/** 128 bits; a forger has one try before its channel is cut. */
const sealBytes = 16;

export class MessageSeal {
  readonly #inner: Buffer;
  readonly #outer: Buffer;

  /** @param key 32 random bytes */
  constructor(key: Uint8Array) {
    this.#inner = padded(key, 0x36);
    this.#outer = padded(key, 0x5c);
  }

  /** The seal of a plain JSON value, base64url. */
  of(message: unknown): string {
    return this.#mac(message).toString('base64url');
  }

  /** Whether it is the seal of this value. Never throws. */
  holds(message: unknown, seal: unknown): boolean {
    if (typeof seal !== 'string') return false;
    const given = Buffer.from(seal, 'base64url');
    if (given.length !== sealBytes) return false;
    try {
      return timingSafeEqual(given, this.#mac(message));
    } catch {
      return false; // No plain JSON.
    }
  }

  #mac(message: unknown): Buffer {
    const text = Buffer.from(canonicalJson(message), 'utf8');
    const inner = hash('sha256', Buffer.concat([this.#inner, text]), 'buffer');
    return hash('sha256', Buffer.concat([this.#outer, inner]), 'buffer').subarray(0, sealBytes);
  }
}

function padded(key: Uint8Array, mask: number): Buffer {
  const block = Buffer.alloc(blockBytes, mask);
  for (const [index, byte] of key.entries()) block[index] = byte ^ mask;
  return block;
}
