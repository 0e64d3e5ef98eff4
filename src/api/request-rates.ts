/**
 * How often a client may ask, and how often it may fail to say who it is.
 *
 * A good token is looked at before the failures of its address are counted:
 * whoever guesses from the same address does not lock its owner out, and with
 * 256 random bits there is nothing to guess. For the same reason requests of
 * foreign pages, which are refused before, count for nobody: a page in the
 * browser of this machine's user would use up what `claw` may ask.
 */
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { limits } from '../kernel/limits.ts';

const minuteMs = 60_000;

/**
 * The address as a client of its own: of IPv6 the first 64 bits, because the
 * rest is its owner's to choose, and an IPv4 address the same in either form.
 */
export function clientAddress(ip: string | undefined): string {
  return ip === undefined ? 'unknown' : normalizeIP(ip, 64);
}

/** Seconds to wait, or 0 where one more is within the rate. */
export type TakeRequest = (request: FastifyRequest, client: string) => Promise<number>;

export async function requestRates(
  app: FastifyInstance,
  {
    requestsPerMinute,
    failuresPerMinute,
  }: { requestsPerMinute: number; failuresPerMinute: number },
): Promise<{ readonly takeRequest: TakeRequest; readonly takeFailure: TakeRequest }> {
  await app.register(rateLimit, { global: false });
  const clients = new WeakMap<FastifyRequest, string>();
  const bucket = (max: number): TakeRequest => {
    const settings = {
      max,
      timeWindow: minuteMs,
      // Each bucket has a memory of its own; its types leave the size out.
      cache: limits.apiClientsRememberedMax,
      keyGenerator: (request: FastifyRequest) => clients.get(request) ?? '',
    };
    const take = app.createRateLimit(settings);
    return async (request, client) => {
      clients.set(request, client);
      const rate = await take(request);
      return !rate.isAllowed && rate.isExceeded ? Math.max(1, rate.ttlInSeconds) : 0;
    };
  };
  return { takeRequest: bucket(requestsPerMinute), takeFailure: bucket(failuresPerMinute) };
}
