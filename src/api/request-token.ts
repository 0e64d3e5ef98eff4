/**
 * The token of a request: in the Authorization header (RFC 6750), or, because
 * a browser cannot set that one on a WebSocket, as a subprotocol.
 *
 * Invariants
 *   T1. A token in an address is refused, even a good one: addresses end up in
 *       logs, histories and Referer headers.
 *   T2. No answer repeats a token. The subprotocol that is accepted is therefore
 *       never the one that carries it.
 */
import type { IncomingMessage } from 'node:http';
import { holdsToken } from '../identity/access-token.ts';
import { RuntimeError } from '../kernel/errors.ts';

/** What the API speaks on a WebSocket; a browser has to offer it beside the bearer. */
const streamProtocol = 'openclaw.v1';
const bearerProtocol = 'openclaw.bearer.';
const bearerHeader = /^bearer +(\S+)$/i;
const tokenParameter = /[?&](access_token|token|bearer|authorization)=/i;

/**
 * @returns null where the request brings none; a text that is no token where the header is of another kind.
 * @throws RuntimeError REQUEST_INVALID
 */
export function tokenOf({ headers, url = '' }: IncomingMessage): string | null {
  if (holdsToken(decoded(url)) || tokenParameter.test(decoded(url))) {
    throw new RuntimeError(
      'REQUEST_INVALID',
      'A token does not belong in an address, where logs keep it; remove it with claw access rm, make a new one, and send it in the Authorization header.',
    ); // (T1)
  }
  const fromHeader =
    headers.authorization === undefined
      ? null
      : (bearerHeader.exec(headers.authorization)?.[1] ?? '');
  const fromProtocol = protocolToken(headers['sec-websocket-protocol']);
  if (fromHeader !== null && fromProtocol !== null) {
    throw new RuntimeError(
      'REQUEST_INVALID',
      'The request brings two tokens; send the Authorization header or the subprotocol.',
    );
  }
  return fromHeader ?? fromProtocol;
}

function protocolToken(header: string | undefined): string | null {
  const offered = (header ?? '').split(',').map((each) => each.trim());
  const bearers = offered.filter((each) => each.startsWith(bearerProtocol));
  const [bearer] = bearers;
  if (bearer === undefined) return null;
  if (bearers.length > 1 || !offered.includes(streamProtocol)) {
    throw new RuntimeError(
      'REQUEST_INVALID',
      `Offer the subprotocols ${streamProtocol} and one ${bearerProtocol}TOKEN.`,
    );
  }
  return bearer.slice(bearerProtocol.length);
}

/** The subprotocol to accept of those offered (T2). */
export function acceptedProtocol(offered: ReadonlySet<string>): string | false {
  return offered.has(streamProtocol) ? streamProtocol : false;
}

/** What cannot be decoded is looked at as it is. */
function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
