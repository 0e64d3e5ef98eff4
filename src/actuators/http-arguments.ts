/** What `http.fetch` and `http.send` are called with. */
import { z } from 'zod';
import { egressSubjectSchema } from '../identity/egress-grant.ts';
import { limits } from '../kernel/limits.ts';

/**
 * What a caller may not say by itself: what frames the message, names its
 * place, or carries a credential, which only a grant does.
 */
const withheld =
  /^(?:host|connection|content-length|content-encoding|transfer-encoding|te|trailer|upgrade|expect|keep-alive|cookie2?|authorization|accept-encoding|idempotency-key|forwarded|via|x-forwarded-.*|proxy-.*|sec-.*)$/;

const headersSchema = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'the name of a header is expected')
      .transform((name) => name.toLowerCase())
      .refine((name) => !withheld.test(name), 'this header is not for the caller to set'),
    z
      .string()
      .max(2_000)
      .regex(/^[\x20-\x7e]*$/, 'printable ASCII is expected'),
  )
  .refine((headers) => Object.keys(headers).length <= limits.httpHeadersMax, 'too many headers')
  .default({});

const common = { url: z.string().min(1), headers: headersSchema, subject: egressSubjectSchema };

export const fetchArgumentsSchema = z.strictObject({
  ...common,
  method: z.enum(['GET', 'HEAD']).default('GET'),
});

export const sendArgumentsSchema = z.strictObject({
  ...common,
  method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
  body: z.string().default(''),
  /** How `body` stands for bytes. */
  encoding: z.enum(['utf8', 'base64']).default('utf8'),
});
