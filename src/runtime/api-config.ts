/** The section `api:` of the configuration file: where the API listens, and who may come in. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { type Defined, defined } from '../kernel/defined.ts';
import { limits } from '../kernel/limits.ts';

export const loopbackHosts = ['127.0.0.1', '::1', 'localhost'] as const;

const hostName =
  /^(?!\d+(\.\d+)*$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;

/** A name or an address, without scheme, port and brackets: a wildcard would let any page in. */
const hostSchema = z
  .string()
  .max(253)
  .refine((text) => isIP(text) !== 0 || hostName.test(text), {
    message: 'a host name or an IP address is expected, without scheme and port',
  });

const perMinute = z.number().int().min(1).max(1_000_000);

export const apiSchema = z.strictObject({
  /** Where to listen; loopback unless said. */
  host: hostSchema.optional(),
  /** Further names that it is called by. */
  allowedHosts: z.array(hostSchema).max(limits.allowedHostsMax).optional(),
  /** On loopback too. */
  requireToken: z.boolean().optional(),
  /** Beyond loopback without TLS: tokens and texts may be read on the way. */
  insecure: z.boolean().optional(),
  /** Files in PEM. */
  tls: z.strictObject({ cert: z.string().min(1), key: z.string().min(1) }).optional(),
  rate: z
    .strictObject({
      requestsPerMinute: perMinute.optional(),
      failuresPerMinute: perMinute.optional(),
    })
    .optional(),
  /** File of the token that `claw` shows to the server. */
  tokenFile: z.string().min(1).optional(),
});

/** With absolute paths. */
export type ApiConfig = Defined<z.output<typeof apiSchema>> & {
  /** Whether `tokenFile` comes from the command line. */
  readonly tokenFileByFlag?: true;
};

export function withApiPaths(
  { tls, tokenFile, ...rest }: z.output<typeof apiSchema>,
  expand: (path: string) => string,
): z.output<typeof apiSchema> {
  return {
    ...rest,
    ...(tls === undefined ? {} : { tls: { cert: expand(tls.cert), key: expand(tls.key) } }),
    ...(tokenFile === undefined ? {} : { tokenFile: expand(tokenFile) }),
  };
}

/** What the file says, with the token file of a flag before its own; nothing where neither says anything. */
export function apiConfig(
  file: z.output<typeof apiSchema> | undefined,
  tokenFile: string | undefined,
): { api?: ApiConfig } {
  if (file === undefined && tokenFile === undefined) return {};
  const byFlag = tokenFile === undefined ? {} : { tokenFile, tokenFileByFlag: true as const };
  return { api: { ...defined(file ?? {}), ...byFlag } };
}
