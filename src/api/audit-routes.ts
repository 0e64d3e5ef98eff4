/** Checkpoints of the journal that this process owns. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RuntimePort } from '../runtime/views.ts';
import { parseRequest } from './request.ts';

const nothing = z.strictObject({});

export function addAuditRoutes(app: FastifyInstance, runtime: RuntimePort): void {
  app.post('/v1/audit/checkpoint', async (request) => {
    parseRequest(nothing, request.body ?? {}, 'The request body');
    return runtime.audit.checkpoint();
  });
}
