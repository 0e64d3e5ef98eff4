/**
 * A permission to reach one place of the network, signed by people: which
 * code, where, how, how often, how much, and until when. Narrow enough to be
 * read on one screen, wide enough not to be asked forty times.
 *
 * Invariants
 *   E1. What is not written in a grant is not allowed by it: every field is
 *       there, and a document with any other is none.
 *   E2. A grant counts while `threshold` keys that are enrolled now have signed
 *       it. A revoked key takes its signature from every grant, also earlier ones.
 */
import { z } from 'zod';
import { hashJson, type Sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { nonceSchema, timeSchema } from './key-change.ts';
import type { OperatorKeys } from './operator-keys.ts';
import {
  type OperatorSignature,
  operatorSignaturesSchema,
  signersOf,
} from './operator-signature.ts';

export const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type HttpMethod = (typeof httpMethods)[number];

const name = z.string().min(1).max(200);

/** Who asks: a script by its text, a skill by its name, or an agent of a pipeline. */
export const egressSubjectSchema = z.union([
  z.strictObject({ script: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 is expected') }),
  z.strictObject({ skill: name }),
  z.strictObject({ agent: name, pipeline: name.optional() }),
]);

export type EgressSubject = z.output<typeof egressSubjectSchema>;

/** `example.com`, `*.example.com` (what lies below it, not itself), `8.8.8.8` or `[2606:4700::1111]`. */
const hostSchema = z
  .string()
  .max(253)
  .refine(
    isGrantHost,
    'a host in lower case is expected, or *. and a domain of two labels or more',
  );

const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const dotted = new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})+$`);

/** One text for one place: as a URL writes it. */
function isGrantHost(host: string): boolean {
  if (host.startsWith('[')) return isAsUrlWrites(host);
  if (!dotted.test(host)) return false;
  const rest = host.replace(/^\*\./, '');
  return isAsUrlWrites(rest) && !(rest !== host && /^\d+(\.\d+)*$/.test(rest));
}

function isAsUrlWrites(host: string): boolean {
  return URL.parse(`http://${host}/`)?.hostname === host;
}

/** As in a URL, percent-encoded where need be; `/` is all of the host. */
const pathPrefixSchema = z
  .string()
  .min(1)
  .max(1_000)
  .refine((path) => URL.parse(path, 'http://host.invalid')?.pathname === path, {
    message: 'a path as a URL writes it is expected, from the first slash on',
  });

export const secretNameSchema = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'a name has 1 to 64 letters, digits, _ . -');

/** Headers that frame the message or name its place; a credential is none of these. */
const framing =
  /^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|keep-alive|cookie|range|accept-encoding|idempotency-key)$/;

const credentialSchema = z.strictObject({
  secret: secretNameSchema,
  header: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,63}$/, 'the name of a header in lower case is expected')
    .refine((header) => !framing.test(header), 'no credential goes into this header'),
  /** `{}` stands for the secret. */
  format: z
    .string()
    .max(100)
    .regex(/^[\x20-\x7e]*\{\}[\x20-\x7e]*$/, 'the format has {} where the secret goes'),
});

export type GrantCredential = z.output<typeof credentialSchema>;

export const egressGrantSchema = z
  .strictObject({
    purpose: z.literal('egress'),
    scheme: z.enum(['https', 'http']),
    host: hostSchema,
    port: z.number().int().min(1).max(65_535),
    methods: z.array(z.enum(httpMethods)).min(1).max(httpMethods.length),
    /** The path begins with it, at a slash: `/v1` allows `/v1` and `/v1/x`, not `/v12`. */
    pathPrefix: pathPrefixSchema,
    subject: egressSubjectSchema,
    maxUses: z.number().int().min(1).max(limits.grantUsesMax),
    /** Milliseconds since the epoch. */
    notBefore: timeSchema,
    expires: timeSchema,
    /** Of one request's body, and of one answer's. */
    bytesMax: z.number().int().min(0).max(limits.httpBodyBytesMax),
    credentials: z.array(credentialSchema).max(8),
    nonce: nonceSchema,
  })
  .refine(({ notBefore, expires }) => notBefore < expires, {
    path: ['expires'],
    message: 'lies before notBefore',
  })
  .refine(({ notBefore, expires }) => expires - notBefore <= limits.grantMsMax, {
    path: ['expires'],
    message: `lies more than ${limits.grantMsMax / 86_400_000} days behind notBefore`,
  })
  .refine(({ methods }) => new Set(methods).size === methods.length, {
    path: ['methods'],
    message: 'one is named twice',
  })
  .refine(({ credentials }) => isEachOnce(credentials.map(({ header }) => header)), {
    path: ['credentials'],
    message: 'two go into one header',
  });

export type EgressGrant = z.output<typeof egressGrantSchema>;

export const signedGrantSchema = z.strictObject({
  grant: egressGrantSchema,
  signatures: operatorSignaturesSchema,
});

export interface SignedGrant {
  readonly grant: EgressGrant;
  readonly signatures: readonly OperatorSignature[];
}

function isEachOnce(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length;
}

/** The whole document names a grant: another nonce or minute is another grant. */
export function grantId(grant: EgressGrant): Sha256 {
  return hashJson(grant);
}

/** Why the people have not granted it, as one sentence, or null when they have (E2). */
export function signatureProblem(
  { grant, signatures }: SignedGrant,
  keys: OperatorKeys,
): string | null {
  if (keys.active().size === 0) return 'No operator is enrolled; claw key enroll does that.';
  const signers = signersOf(grant, signatures, keys.active());
  if (signers.size >= keys.threshold) return null;
  return `${signers.size} of ${keys.threshold} signatures of enrolled keys are there.`;
}
