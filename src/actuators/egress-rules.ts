/**
 * Whether a grant allows a request: pure, and nothing but what is written in both.
 *
 * Invariants
 *   R1. Each field of the grant is compared; one that does not fit is enough.
 *   R2. A wildcard stands for one label or more below a domain, never for the
 *       domain itself and never for an address.
 */
import type { EgressGrant, EgressSubject } from '../identity/egress-grant.ts';
import type { EgressRequest } from '../identity/egress-request.ts';

/** Why the grant does not cover the request, as one sentence, or null when it does. Time and count are apart. */
export function coverageProblem(grant: EgressGrant, request: EgressRequest): string | null {
  const { method, scheme, host, port, path, bodyBytes } = request;
  if (!isSubject(grant.subject, request.subject)) return 'It is for somebody else.';
  if (grant.scheme !== scheme) return `It is for ${grant.scheme}.`;
  if (!isHost(grant.host, host)) return `It is for ${grant.host}.`;
  if (grant.port !== port) return `It is for port ${grant.port}.`;
  if (!grant.methods.includes(method)) return `It is for ${grant.methods.join(', ')}.`;
  if (!isBelow(grant.pathPrefix, path)) return `It is for ${grant.pathPrefix}.`;
  if (bodyBytes > grant.bytesMax) return `It is for ${grant.bytesMax} bytes.`;
  return null;
}

function isSubject(granted: EgressSubject, asking: EgressSubject): boolean {
  if ('script' in granted) return 'script' in asking && asking.script === granted.script;
  if ('skill' in granted) return 'skill' in asking && asking.skill === granted.skill;
  if (!('agent' in asking) || asking.agent !== granted.agent) return false;
  return granted.pipeline === undefined || granted.pipeline === asking.pipeline;
}

/** (R2) */
function isHost(granted: string, host: string): boolean {
  if (!granted.startsWith('*.')) return granted === host;
  const below = granted.slice(1);
  return host.endsWith(below) && host.length > below.length && !host.startsWith('.');
}

/** At a slash, so that a neighbour whose name begins alike is not covered. */
function isBelow(prefix: string, path: string): boolean {
  if (path === prefix) return true;
  return path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
}
