/**
 * The runtime's authority: vouches for the keys of its actors, permits single
 * executions, and seals what entered at the door. Its private key stays in the
 * thread that holds this object.
 */
import { type KeyObject, randomUUID, sign } from 'node:crypto';
import { SignJWT } from 'jose';
import { canonicalJson } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { type CertificateClaims, certificateType } from './agent-certificate.ts';
import { type Execution, tokenClaims, tokenType } from './execution-token.ts';
import { type KeyPair, loadOrCreateKey, tryLoadKey } from './key-file.ts';
import { importPublicKey, isSignedBy, type PublicKey, type Signature } from './signing-key.ts';
import { thumbprint } from './thumbprint.ts';

export class Authority {
  readonly publicKey: PublicKey;
  /** RFC 7638 thumbprint of its key. */
  readonly keyId: string;
  readonly issuer: string;
  readonly #privateKey: KeyObject;
  /** The same for jose, which would make one of it for every token. */
  readonly #jwtKey: CryptoKey;

  constructor({ privateKey, publicKey }: KeyPair) {
    this.#privateKey = privateKey;
    this.#jwtKey = privateKey.toCryptoKey('Ed25519', false, ['sign']);
    this.publicKey = publicKey.export({ format: 'jwk' }).x as PublicKey;
    this.keyId = thumbprint(this.publicKey);
    this.issuer = issuerOf(this.keyId);
  }

  /** @throws RuntimeError KEY_FILE_INVALID */
  static open(path: string): Authority {
    return new Authority(loadOrCreateKey(path));
  }

  /**
   * A certificate for the key of an actor.
   * @param claim.now seconds since the epoch @param claim.ttl seconds
   */
  certify(claim: {
    readonly run: RunId;
    readonly actor: ActorId;
    readonly publicKey: PublicKey;
    readonly clearance: string;
    readonly now: number;
    readonly ttl: number;
  }): Promise<string> {
    const { run, actor, publicKey, clearance, now, ttl } = claim;
    const claims: CertificateClaims = {
      iss: this.issuer,
      run,
      sub: actor,
      clearance,
      cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x: publicKey } },
      iat: now,
      nbf: now,
      exp: now + ttl,
    };
    return this.#jwt(certificateType, claims);
  }

  /**
   * A token for one execution by the holder of a key.
   * @param holder.thumbprint of the agent's key @param holder.now seconds since the epoch
   */
  permit(
    execution: Execution,
    holder: { readonly thumbprint: string; readonly now: number; readonly ttl?: number },
  ): Promise<string> {
    const { ttl = limits.tokenSecondsMax, now } = holder;
    const id = randomUUID();
    const token = { issuer: this.issuer, thumbprint: holder.thumbprint, id, now, ttl };
    return this.#jwt(tokenType, tokenClaims(execution, token));
  }

  /** Signs canonical JSON (RFC 8785) that says what it is for. */
  seal(statement: { readonly purpose: string; readonly [name: string]: Json }): Signature {
    return sign(null, statementBytes(statement), this.#privateKey).toString(
      'base64url',
    ) as Signature;
  }

  #jwt(type: string, claims: Readonly<Record<string, unknown>>): Promise<string> {
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid: this.keyId, typ: type })
      .sign(this.#jwtKey);
  }
}

function issuerOf(keyId: string): string {
  return `urn:openclaw:runtime:${keyId}`;
}

/** Checks the authority's word without its private key. */
export class AuthorityVerifier {
  readonly keyId: string;
  readonly issuer: string;
  readonly key: CryptoKey;
  readonly #key: KeyObject;

  /** @throws RangeError when the text is no Ed25519 public key */
  constructor(publicKey: PublicKey) {
    const key = importPublicKey(publicKey);
    if (key === null) throw new RangeError('the authority has an Ed25519 public key');
    this.#key = key;
    this.key = key.toCryptoKey('Ed25519', true, ['verify']);
    this.keyId = thumbprint(publicKey);
    this.issuer = issuerOf(this.keyId);
  }

  /** The verifier of the authority whose key is in the file; null when there is none. @throws RuntimeError KEY_FILE_INVALID */
  static ofFile(path: string): AuthorityVerifier | null {
    const pair = tryLoadKey(path);
    return pair === null
      ? null
      : new AuthorityVerifier(pair.publicKey.export({ format: 'jwk' }).x as PublicKey);
  }

  hasSealed(
    statement: { readonly purpose: string; readonly [name: string]: Json },
    signature: string,
  ): boolean {
    return isSignedBy(this.#key, statementBytes(statement), signature);
  }
}

function statementBytes(statement: Json): Buffer {
  return Buffer.from(canonicalJson(statement), 'utf8');
}
