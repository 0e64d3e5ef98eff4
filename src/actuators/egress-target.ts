/**
 * The place that a text names, as one parser (WHATWG URL) reads it, and as it
 * is later connected to: nothing reads the text a second time.
 *
 * Invariants
 *   T1. A text that two programs could read as two places is refused, not
 *       repaired: blanks, backslashes, userinfo, encoded slashes.
 *   T2. A host that can only be an inside one is refused before anybody is
 *       asked for a grant: nobody shall approve it by mistake.
 */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { addressProblem } from './egress-address.ts';

export interface EgressTarget {
  readonly scheme: 'https' | 'http';
  /** As a URL writes it: lower case, punycode, IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  /** From the first slash on, percent-encoded. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** The whole, without a fragment. */
  readonly href: string;
}

const defaultPorts = { https: 443, http: 80 } as const;

/** Control characters, blanks and backslashes: parsers differ in what they make of them (T1). */
const ambiguous = /[\s\\]|\p{Cc}|\p{Cf}/u;
/** What a server may take for another slash, a NUL, or a way upwards. */
const ambiguousPath = /%(?:2f|5c|00)|(?:^|\/)(?:\.|%2e){1,2};/i;
/** Names that mean this machine or the network around it. */
const insideName =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|home|lan|corp|arpa|onion)$/;

/**
 * @param base What a relative reference is relative to, such as that of a redirect.
 * @throws RuntimeError EGRESS_URL_REFUSED, EGRESS_ADDRESS_REFUSED
 */
export function parseTarget(text: string, base?: EgressTarget): EgressTarget {
  if (text.length > limits.urlCharactersMax) throw refused('it is too long');
  if (ambiguous.test(text)) throw refused('it has a blank, a control character or a backslash');
  const url = URL.parse(text, base?.href);
  if (url === null) throw refused('it is none');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused('only https and http are spoken');
  }
  if (url.username !== '' || url.password !== '') {
    throw refused('it names a user; a grant names credentials');
  }
  if (ambiguousPath.test(url.pathname)) throw refused('its path has an encoded slash or NUL');
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const { hostname: host, pathname: path, search: query, origin } = url;
  refuseInsideHost(host);
  url.hash = '';
  const port = url.port === '' ? defaultPorts[scheme] : Number(url.port);
  if (port === 0) throw refused('nothing listens on port 0');
  return { scheme, host, port, path, query, origin, href: url.href };
}

/** The address in a host that is one, without brackets; null for a name. */
export function literalAddress(host: string): string | null {
  if (host.startsWith('[')) return host.slice(1, -1);
  return /^\d+\.\d+\.\d+\.\d+$/.test(host) ? host : null;
}

/** (T2) */
function refuseInsideHost(host: string): void {
  const literal = literalAddress(host);
  if (literal !== null) {
    refuseAddress(host, literal);
    return;
  }
  if (host.endsWith('.')) throw refused('its host ends in a dot');
  if (!host.includes('.') || insideName.test(host)) {
    throw new RuntimeError(
      'EGRESS_ADDRESS_REFUSED',
      `${host} is a name of this machine or of the network around it; agents reach the public network alone.`,
    );
  }
}

/** @throws RuntimeError EGRESS_ADDRESS_REFUSED unless the address is public */
export function refuseAddress(host: string, address: string): void {
  const problem = addressProblem(address);
  if (problem === null) return;
  throw new RuntimeError(
    'EGRESS_ADDRESS_REFUSED',
    `${host} leads to an address that is ${problem}; agents reach the public network alone.`,
  );
}

/** Without the text: it may hold what a document said. */
function refused(why: string): RuntimeError {
  return new RuntimeError('EGRESS_URL_REFUSED', `The address cannot be used: ${why}.`);
}
