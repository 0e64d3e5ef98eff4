/**
 * Whose key is whose: the public keys of the actors of open runs, each
 * vouched for by the host that runs the actor.
 *
 * Invariants
 *   K1. A key is held only when a known host signed its registration.
 *   K2. A later registration of the same actor replaces the earlier one: after
 *       a restart an actor signs with a new key.
 *   K3. The directory is bounded; keys of ended runs go, and a full directory
 *       refuses instead of forgetting a key in use.
 */
import type { KeyObject } from 'node:crypto';
import { canonicalJson } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { intentionBytes, type SignedIntention } from './signed-intention.ts';
import {
  importPublicKey,
  isSignedBy,
  type PublicKey,
  type Signature,
  type SigningKey,
} from './signing-key.ts';

/** The claim that an actor signs with a key, signed by its host. */
export interface KeyRegistration {
  readonly run: RunId;
  readonly actor: ActorId;
  readonly publicKey: PublicKey;
  /** Name of the host whose key made the signature. */
  readonly host: string;
  readonly signature: Signature;
}

/** True, or one sentence that says why not. */
export type Verdict = true | string;

interface HeldKey {
  readonly publicKey: PublicKey;
  readonly verifier: KeyObject;
}

function registrationBytes(registration: Omit<KeyRegistration, 'signature'>): Buffer {
  const { run, actor, publicKey, host } = registration;
  return Buffer.from(canonicalJson({ purpose: 'key', run, actor, publicKey, host }), 'utf8');
}

/** A host vouches for the key of one of its actors. */
export function signRegistration(
  hostKey: SigningKey,
  claim: Omit<KeyRegistration, 'signature'>,
): KeyRegistration {
  return { ...claim, signature: hostKey.sign(registrationBytes(claim)) };
}

export class KeyDirectory {
  readonly #hosts = new Map<string, KeyObject>();
  readonly #runs = new Map<RunId, Map<ActorId, HeldKey>>();
  readonly #keysMax: number;
  #keys = 0;

  constructor(options: { readonly keysMax?: number } = {}) {
    this.#keysMax = options.keysMax ?? limits.registeredKeysMax;
  }

  /** Makes a host known, or replaces its key. Called by whoever starts the hosts, never by a message. */
  addHost(host: string, publicKey: PublicKey): Verdict {
    const verifier = importPublicKey(publicKey);
    if (verifier === null) return `The key of host ${host} is not an Ed25519 public key.`;
    if (!this.#hosts.has(host) && this.#hosts.size >= limits.hostsMax) {
      return `No more than ${limits.hostsMax} hosts are known at once.`;
    }
    this.#hosts.set(host, verifier);
    return true;
  }

  /** Holds the key of an actor (K1, K2, K3). Repeating a registration is cheap. */
  register(registration: KeyRegistration): Verdict {
    const { run, actor, publicKey, host, signature } = registration;
    const keys = this.#runs.get(run);
    const held = keys?.get(actor);
    if (held?.publicKey === publicKey) return true;
    const hostVerifier = this.#hosts.get(host);
    if (hostVerifier === undefined) return `The host ${host} is not known.`;
    const verifier = importPublicKey(publicKey);
    if (verifier === null) return `The key of ${actor} is not an Ed25519 public key.`;
    if (!isSignedBy(hostVerifier, registrationBytes(registration), signature)) {
      return `The host ${host} did not sign the key of ${actor}.`; // (K1)
    }
    if (held === undefined) {
      if (this.#keys >= this.#keysMax) return 'The directory of keys is full.'; // (K3)
      this.#keys += 1;
    }
    if (keys === undefined) this.#runs.set(run, new Map([[actor, { publicKey, verifier }]]));
    else keys.set(actor, { publicKey, verifier });
    return true;
  }

  /** Whether the actor in the intention, in that run, signed it. */
  verify(run: RunId, intention: SignedIntention, signature: string): Verdict {
    const held = this.#runs.get(run)?.get(intention.agent);
    if (held === undefined) return `No key of ${intention.agent} is registered.`;
    return (
      isSignedBy(held.verifier, intentionBytes(intention), signature) ||
      `The intention is not signed by the key of ${intention.agent}.`
    );
  }

  /** Forgets the keys of a run (K3). */
  endRun(run: RunId): void {
    this.#keys -= this.#runs.get(run)?.size ?? 0;
    this.#runs.delete(run);
  }

  /** Keys held now. */
  get size(): number {
    return this.#keys;
  }
}
