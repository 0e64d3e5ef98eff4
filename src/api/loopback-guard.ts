/**
 * The API listens on loopback and asks for no password, so a web page must not
 * be able to use it through its reader's browser.
 *
 * Invariants
 *   G1. The Host header is a loopback name: a name that an attacker points at
 *       127.0.0.1 (DNS rebinding) is refused.
 *   G2. A request that changes something, and a WebSocket, carries no Origin
 *       (a program) or the API's own (its page).
 */
import type { FastifyRequest } from 'fastify';
import { RuntimeError } from '../kernel/errors.ts';

const loopbackHost = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i;
const readingMethods = new Set(['GET', 'HEAD']);

/** @throws RuntimeError REQUEST_FORBIDDEN */
export function guardLoopback(request: FastifyRequest): void {
  const { host, origin } = request.headers;
  // (G1)
  if (host === undefined || !loopbackHost.test(host)) {
    throw new RuntimeError(
      'REQUEST_FORBIDDEN',
      'The Host header is not a loopback name; call the API at 127.0.0.1 or localhost.',
    );
  }
  const reads = readingMethods.has(request.method) && request.headers.upgrade === undefined;
  if (reads || origin === undefined) return;
  // (G2)
  if (origin.toLowerCase() !== `http://${host}`.toLowerCase()) {
    throw new RuntimeError(
      'REQUEST_FORBIDDEN',
      'The request comes from a web page of another site, which may not use this API.',
    );
  }
}
