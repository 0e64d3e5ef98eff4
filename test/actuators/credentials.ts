/** An authority of the test's own, and what it gives an actor for one execution. */
import { generateKeyPairSync } from 'node:crypto';
import { AgentIdentities } from '../../src/identity/agent-identities.ts';
import { Authority, AuthorityVerifier } from '../../src/identity/authority.ts';
import type { Execution } from '../../src/identity/execution-token.ts';
import { type Credentials, IdentityVerifier } from '../../src/identity/identity-verifier.ts';
import { signIntention } from '../../src/identity/signed-intention.ts';

const authority = new Authority(generateKeyPairSync('ed25519'));
const identities = new AgentIdentities(authority);

export function newIdentityVerifier(): IdentityVerifier {
  return new IdentityVerifier(new AuthorityVerifier(authority.publicKey));
}

/** Good for this execution, now. @param clearance in the certificate of its actor */
export async function credentialsFor(execution: Execution, clearance = ''): Promise<Credentials> {
  const now = Math.floor(Date.now() / 1_000);
  const { run, actor } = execution;
  const identity = await identities.of({ run, actor, clearance }, now);
  const token = await authority.permit(execution, { thumbprint: identity.thumbprint, now });
  const signature = signIntention(identity.key, { ...execution, token });
  return { certificate: identity.certificate, token, signature };
}
