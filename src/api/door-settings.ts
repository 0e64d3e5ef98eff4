/**
 * What the door is made of, from the settings, and whether it may be opened at
 * all. Loopback needs nothing, because the users of the machine are trusted as
 * far as its owner trusts them; anything beyond needs tokens, and TLS unless the
 * owner says in as many words that it shall do without.
 *
 * Invariants
 *   D1. Beyond loopback nobody comes in without a token, whatever `requireToken`
 *       says, and the door does not open before there is one.
 *   D2. Beyond loopback there is TLS, or `insecure: true`.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { TokenVerdict } from '../identity/access-list.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { ApiConfig } from '../runtime/api-config.ts';

/** Who knows the tokens. */
export interface TokenJudge {
  /** @throws RuntimeError ACCESS_FILE_UNUSABLE */
  judge(token: string, nowMs: number): TokenVerdict;
  /** @throws RuntimeError ACCESS_FILE_UNUSABLE */
  opensForAnybody(nowMs: number): boolean;
}

export interface DoorSettings {
  readonly requireToken: boolean;
  /** Names that it is called by, beside those of loopback. */
  readonly names: readonly string[];
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  readonly requestsPerMinute: number;
  readonly failuresPerMinute: number;
}

/**
 * @param nowMs Milliseconds since the epoch.
 * @throws RuntimeError API_EXPOSED, TLS_INVALID, ACCESS_FILE_UNUSABLE
 */
export function doorSettings(
  { host, api = {} }: { host: string; api?: ApiConfig },
  tokens: TokenJudge,
  nowMs: number,
): DoorSettings {
  const exposed = !isLoopback(host);
  const names = [...(api.allowedHosts ?? []), ...(isWildcard(host) ? [] : [host])];
  if (exposed) refuseExposure({ host, api, names, hasTokens: tokens.opensForAnybody(nowMs) });
  return {
    requireToken: exposed || api.requireToken === true, // (D1)
    names,
    tls: api.tls === undefined ? null : readTls(api.tls),
    requestsPerMinute: api.rate?.requestsPerMinute ?? limits.apiRequestsPerMinute,
    failuresPerMinute: api.rate?.failuresPerMinute ?? limits.apiFailuresPerMinute,
  };
}

function refuseExposure({
  host,
  api,
  names,
  hasTokens,
}: {
  host: string;
  api: ApiConfig;
  names: readonly string[];
  hasTokens: boolean;
}): void {
  const missing =
    // (D1)
    (!hasTokens &&
      'there is no access token, so nobody could come in; make one with claw access add') ||
    // (D2)
    (api.tls === undefined &&
      api.insecure !== true &&
      'without TLS whoever is on the way reads its tokens and texts; give api.tls a certificate and a key, or say api.insecure: true if the way is protected otherwise') ||
    (names.length === 0 &&
      'it does not know the names it is called by; list them in api.allowedHosts');
  if (missing === false) return;
  throw new RuntimeError(
    'API_EXPOSED',
    `The API would listen on ${host}, beyond this machine: ${missing}.`,
  );
}

function isLoopback(host: string): boolean {
  return (
    host.toLowerCase() === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

/** All addresses of the machine, in any notation that Node.js takes. */
export function isWildcard(host: string): boolean {
  if (isIP(host) === 4) return host === '0.0.0.0';
  return isIP(host) === 6 && /^\[::(0|ffff:0:0)?\]$/.test(new URL(`http://[${host}]/`).hostname);
}

function readTls({ cert, key }: { cert: string; key: string }): { cert: Buffer; key: Buffer } {
  const pair = { cert: readPem(cert), key: readPem(key) };
  try {
    createSecureContext(pair);
  } catch (cause) {
    throw new RuntimeError(
      'TLS_INVALID',
      `${cert} and ${key} are not a certificate and its own key; both are to be in PEM, the key without a password.`,
      { cause },
    );
  }
  return pair;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new RuntimeError(
      'TLS_INVALID',
      `The file ${path} of api.tls cannot be read; check the path and its permissions.`,
      { cause },
    );
  }
}
