/**
 * One request to a server, by HTTP or HTTPS. `fetch` would not do: it gives up
 * on an answer that takes more than minutes, and takes no certificate.
 *
 * Invariants
 *   X1. The server of this machine's configuration is known by its certificate,
 *       not by a name that somebody vouches for: `claw` calls it by an address,
 *       and the certificate may be its owner's own.
 *   X2. The token goes into the Authorization header and into no message.
 */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { checkServerIdentity, type PeerCertificate, rootCertificates } from 'node:tls';

export interface Credentials {
  readonly token?: string;
  /** Absolute path of the certificate that the server shows. */
  readonly certificateFile?: string;
}

export interface Exchange {
  readonly method: string;
  /** Sent as JSON where it is not undefined. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves with the beginning of the answer; rejects with what the connection failed of. */
export function exchange(
  url: string,
  { method, body, signal }: Exchange,
  credentials: Credentials,
): Promise<Response> {
  const text = body === undefined ? null : JSON.stringify(body);
  const options = {
    method,
    headers: {
      ...authorization(credentials),
      ...(text === null ? {} : { 'content-type': 'application/json' }),
    },
    ...trust(credentials),
    ...(signal === undefined ? {} : { signal }),
  };
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (answer) => resolve(toResponse(answer)));
    sent.on('error', reject);
    sent.end(text ?? undefined);
  });
}

export function toResponse(answer: IncomingMessage): Response {
  const status = answer.statusCode ?? 500;
  const body = status === 204 || status === 304 ? null : Readable.toWeb(answer);
  return new Response(body as ReadableStream | null, { status });
}

/** (X2) */
export function authorization({ token }: Credentials): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** What a connection by TLS trusts beside the system's authorities (X1). */
export function trust({ certificateFile }: Credentials): TlsTrust {
  if (certificateFile === undefined) return {};
  const pem = readFileSync(certificateFile);
  const own = new X509Certificate(pem).raw;
  return {
    ca: [...rootCertificates, pem.toString()],
    allowPartialTrustChain: true,
    checkServerIdentity: (host, certificate) =>
      own.equals(certificate.raw) ? undefined : checkServerIdentity(host, certificate),
  };
}

interface TlsTrust {
  ca?: string[];
  allowPartialTrustChain?: boolean;
  checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
}
