/**
 * What somebody wants of the network, as far as people decide about it: who,
 * how, and where. Neither query nor body is in it: they may hold texts of
 * documents, and what is journaled of a decision holds none.
 */
import { z } from 'zod';
import { hashJson } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { type EgressGrant, egressSubjectSchema, httpMethods } from './egress-grant.ts';

export const egressRequestSchema = z.strictObject({
  subject: egressSubjectSchema,
  method: z.enum(httpMethods),
  scheme: z.enum(['https', 'http']),
  /** As a URL writes it. */
  host: z.string().min(1).max(253),
  port: z.number().int().min(1).max(65_535),
  path: z.string().startsWith('/').max(limits.urlCharactersMax),
  /** Of the request's body. */
  bodyBytes: z.number().int().min(0),
});

export type EgressRequest = z.output<typeof egressRequestSchema>;

/** Equal requests are one: the size of a body decides nothing about whom to ask. */
export function approvalId({ bodyBytes: _bodyBytes, ...request }: EgressRequest): string {
  return hashJson(request).slice(0, 12);
}

/** What a grant would say that allows this request and little more. */
export function proposedTerms(
  request: EgressRequest,
): Omit<EgressGrant, 'notBefore' | 'expires' | 'nonce'> {
  const { subject, method, scheme, host, port, path } = request;
  return {
    purpose: 'egress',
    scheme,
    host,
    port,
    methods: [method],
    pathPrefix: path,
    subject,
    maxUses: limits.grantUsesProposed,
    bytesMax: limits.httpBodyBytesMax,
    credentials: [],
  };
}
