/**
 * The key pairs of living actors, in the thread of the authority: made when an
 * actor first wants something done, with a certificate that is renewed, and a
 * new pair with each renewal.
 *
 * Invariants
 *   I1. A private key never leaves; what leaves is a signature.
 *   I2. What is handed out lasts for `limits.certificateRenewSeconds` at least.
 *   I3. At most `limits.actorKeysMax` pairs are held; the longest unused ones leave.
 */
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { Authority } from './authority.ts';
import { generateKeyPair, type SigningKey } from './signing-key.ts';
import { thumbprint } from './thumbprint.ts';

export interface AgentIdentity {
  readonly key: SigningKey;
  readonly thumbprint: string;
  readonly certificate: string;
  readonly clearance: string;
  /** Seconds since the epoch. */
  readonly expires: number;
}

export class AgentIdentities {
  readonly #authority: Authority;
  readonly #held = new Map<string, AgentIdentity>();
  readonly #heldMax: number;

  constructor(authority: Authority, options: { readonly heldMax?: number } = {}) {
    this.#authority = authority;
    this.#heldMax = options.heldMax ?? limits.actorKeysMax;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The identity of the actor now. @param now seconds since the epoch */
  async of(
    who: { readonly run: RunId; readonly actor: ActorId; readonly clearance: string },
    now: number,
  ): Promise<AgentIdentity> {
    const { run, actor, clearance } = who;
    const name = nameOf(run, actor);
    const held = this.#held.get(name);
    const isGood =
      held?.clearance === clearance && held.expires - now >= limits.certificateRenewSeconds; // (I2)
    const identity = isGood ? held : await this.#make({ run, actor, clearance }, now);
    this.#held.delete(name);
    this.#held.set(name, identity); // Longest unused first.
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#heldMax) break;
      this.#held.delete(oldest); // (I3)
    }
    return identity;
  }

  /** Forgets the keys of a run. */
  endRun(run: RunId): void {
    const prefix = nameOf(run, '' as ActorId);
    for (const name of this.#held.keys()) if (name.startsWith(prefix)) this.#held.delete(name);
  }

  async #make(
    who: { readonly run: RunId; readonly actor: ActorId; readonly clearance: string },
    now: number,
  ): Promise<AgentIdentity> {
    const key = generateKeyPair();
    const ttl = limits.certificateSeconds;
    const { publicKey } = key;
    const certificate = await this.#authority.certify({ ...who, publicKey, now, ttl });
    const { clearance } = who;
    return { key, thumbprint: thumbprint(publicKey), certificate, clearance, expires: now + ttl };
  }
}

function nameOf(run: RunId, actor: ActorId): string {
  return `${run} ${actor}`;
}
