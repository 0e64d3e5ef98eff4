/**
 * A web page must not be able to use the API through its reader's browser,
 * under no name and with no kind of request.
 *
 * Invariants
 *   G1. The Host header, one of them, is a name that the API knows itself by: a
 *       name that an attacker points at this machine (DNS rebinding) is refused.
 *   G2. A request with an Origin comes from the API's own page, whether it
 *       reads, changes or opens a WebSocket. Programs send none.
 *   G3. A browser that tells where a request comes from (Fetch Metadata) tells
 *       that it is the API's own page or its user. Another port of the same
 *       machine is another site.
 *   G4. Nothing is asked for by a whole address (RFC 9112, 3.2.2), which would
 *       name another host than the header does.
 */
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { RuntimeError } from '../kernel/errors.ts';

const hostHeader =
  /^(?<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)(:(?<port>\d{1,5}))?$/i;
const loopbackNames = ['127.0.0.1', 'localhost', '[::1]'];
const ownSites = new Set(['same-origin', 'none']);
/** Node.js keeps the first of these, or joins them; either would hide a second one. */
const onceOnly = new Set(['host', 'origin', 'authorization', 'sec-fetch-site']);

export interface HostGuard {
  /** @throws RuntimeError REQUEST_FORBIDDEN, REQUEST_INVALID */
  check(request: IncomingMessage): void;
}

/**
 * @param names Host names and addresses, beside those of loopback.
 * @param scheme What the API is served by.
 */
export function hostGuard(names: readonly string[], scheme: 'http' | 'https'): HostGuard {
  const known = new Set([...loopbackNames, ...names.map(canonicalName)]);
  return {
    check: (request) => {
      refuseRepeated(request);
      // (G4)
      if (!request.url?.startsWith('/')) {
        throw new RuntimeError(
          'REQUEST_INVALID',
          'Ask by a path that begins with /, not by a whole address.',
        );
      }
      const { host, origin, 'sec-fetch-site': site } = request.headers;
      // (G1)
      if (host === undefined || !known.has(nameOf(host) ?? '')) {
        throw new RuntimeError(
          'REQUEST_FORBIDDEN',
          'The Host header is no name of this API; call it at 127.0.0.1 or localhost, or add the name to api.allowedHosts.',
        );
      }
      const isForeign =
        (origin !== undefined && origin.toLowerCase() !== `${scheme}://${host}`.toLowerCase()) || // (G2)
        (site !== undefined && !ownSites.has(String(site))); // (G3)
      if (isForeign) {
        throw new RuntimeError(
          'REQUEST_FORBIDDEN',
          'The request comes from a web page of another site, which may not use this API.',
        );
      }
    },
  };
}

function refuseRepeated({ rawHeaders }: IncomingMessage): void {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (!onceOnly.has(name)) continue;
    if (seen.has(name)) {
      throw new RuntimeError('REQUEST_INVALID', `The header ${name} is there twice; send it once.`);
    }
    seen.add(name);
  }
}

/** The name in a Host header, in the form of `canonicalName`; null where the header is malformed. */
function nameOf(host: string): string | null {
  const { name, port } = hostHeader.exec(host)?.groups ?? {};
  if (name === undefined) return null;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return null;
  return canonicalName(name.replace(/^\[|\]$/g, ''));
}

/** Lower case; IPv6 in brackets and in its shortest form, because one address has many. */
function canonicalName(name: string): string {
  return isIPv6(name) ? new URL(`http://[${name}]/`).hostname : name.toLowerCase();
}
