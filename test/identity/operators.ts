/** Keys of made-up operators, and what they sign. */
import { randomBytes } from 'node:crypto';
import type { EgressGrant, SignedGrant } from '../../src/identity/egress-grant.ts';
import type { KeyChange, KeyStatement, SignedKeyStatement } from '../../src/identity/key-change.ts';
import { signDocument } from '../../src/identity/operator-signature.ts';
import { generateKeyPair, type SigningKey } from '../../src/identity/signing-key.ts';

export const nonce = (): string => randomBytes(16).toString('base64url');

export function statement(
  change: KeyChange,
  signers: readonly SigningKey[] = [],
  settings: Partial<KeyStatement> = {},
): SignedKeyStatement {
  const whole: KeyStatement = {
    purpose: 'operator-keys',
    change,
    nonce: nonce(),
    expires: 3_600_000,
    ...settings,
  };
  return { statement: whole, signatures: signers.map((signer) => signDocument(signer, whole)) };
}

export function enrolment(
  name: string,
  key: SigningKey = generateKeyPair(),
  signers: readonly SigningKey[] = [],
  settings: Partial<KeyStatement> = {},
): SignedKeyStatement {
  return statement({ type: 'enroll', name, publicKey: key.publicKey }, signers, settings);
}

export function grantOf(changes: Partial<EgressGrant> = {}): EgressGrant {
  return {
    purpose: 'egress',
    scheme: 'https',
    host: 'api.example.com',
    port: 443,
    methods: ['GET'],
    pathPrefix: '/v1',
    subject: { agent: 'reader', pipeline: 'desk' },
    maxUses: 2,
    notBefore: 0,
    expires: 3_600_000,
    bytesMax: 10_000,
    credentials: [],
    nonce: nonce(),
    ...changes,
  };
}

export function signed(grant: EgressGrant, ...signers: readonly SigningKey[]): SignedGrant {
  return { grant, signatures: signers.map((signer) => signDocument(signer, grant)) };
}
