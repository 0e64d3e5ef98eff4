/**
 * What every answer tells a browser that got hold of it: show it nowhere, load
 * nothing for it, keep no copy, lend it to no other page. There are no CORS
 * headers, ever: no page of another site is meant to read an answer.
 */
import type { FastifyReply } from 'fastify';

export const securityHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

export function addSecurityHeaders(reply: FastifyReply): void {
  reply.headers(securityHeaders);
}
