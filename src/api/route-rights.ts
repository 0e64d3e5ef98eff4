/**
 * Which right each route takes. A route that is not here cannot be registered:
 * whoever adds one decides who may use it.
 *
 * Deciding about what waits for a person, such as an effect in doubt, is
 * `operate`: it says what happened. `approve` is for what permits more than an
 * agent has: approvals, grants, and the end of a quarantine.
 */
import type { FastifyInstance } from 'fastify';
import type { AccessRight } from '../identity/access-rights.ts';
import { assert } from '../kernel/assert.ts';

export const routeRights: ReadonlyMap<string, AccessRight> = new Map([
  ['GET /healthz', 'read'],
  ['GET /v1/runs', 'read'],
  ['POST /v1/runs', 'operate'],
  ['GET /v1/runs/:id', 'read'],
  ['DELETE /v1/runs/:id', 'operate'],
  ['GET /v1/runs/:id/effects', 'read'],
  ['GET /v1/runs/:id/interventions', 'read'],
  ['GET /v1/runs/:id/contexts', 'read'],
  ['GET /v1/runs/:id/contexts/:hash', 'read'],
  ['GET /v1/runs/:id/window', 'read'],
  ['GET /v1/runs/:id/events', 'read'],
  ['POST /v1/runs/:id/fork', 'operate'],
  ['POST /v1/runs/:id/effects/resolve', 'operate'],
  ['POST /v1/runs/:id/cancel', 'operate'],
  ['POST /v1/generate', 'operate'],
  ['POST /v1/sandbox', 'operate'],
  ['GET /v1/bus', 'read'],
  ['POST /v1/backup', 'operate'],
  ['POST /v1/journal/compact', 'operate'],
  ['GET /v1/models', 'read'],
  ['POST /v1/models/reload', 'operate'],
  ['POST /v1/tokens/verify', 'operate'],
  ['POST /v1/audit/checkpoint', 'operate'],
  ['GET /v1/keys', 'read'],
  ['POST /v1/keys', 'approve'],
  ['GET /v1/grants', 'read'],
  ['POST /v1/grants', 'approve'],
  ['DELETE /v1/grants/:id', 'approve'],
  ['GET /v1/approvals', 'read'],
  ['POST /v1/approvals/:id', 'approve'],
  ['GET /v1/quarantine', 'read'],
  ['POST /v1/quarantine/release', 'approve'],
]);

/** The right that a route takes, or null for an address without one. */
export function rightOf(method: string, route: string | undefined): AccessRight | null {
  return routeRights.get(`${method} ${route}`) ?? null;
}

/** From now on a route without a right in the table is a fault of the program that adds it. */
export function requireRights(app: FastifyInstance): void {
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      assert(
        rightOf(each, url) !== null,
        `the route ${each} ${url} has no right in src/api/route-rights.ts`,
      );
    }
  });
}
