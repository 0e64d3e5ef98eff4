/** Starting, listing, reading and cancelling runs. */
import { resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { labelRuleSchema } from '../actors/labels.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { ForkRequest, RuntimePort, StartRunRequest } from '../runtime/views.ts';
import {
  contextParametersSchema,
  parseRequest,
  pathSchema,
  runParametersSchema,
  windowQuerySchema,
} from './request.ts';

const startRunSchema = z.strictObject({
  pipeline: z.union([pathSchema, z.record(z.string(), z.json())], {
    error: 'the path of a pipeline file, or a pipeline as an object, is expected',
  }),
  input: z.strictObject({ folder: pathSchema }),
  seed: z.number().int().min(0).max(limits.runSeedMax).optional(),
  labels: z.array(labelRuleSchema).max(limits.labelRulesMax).optional(),
});

const forkSchema = z.strictObject({
  at: z.number().int().min(1),
  set: z.record(z.string(), z.json()).optional(),
  allowEffects: z.boolean().optional(),
});

const resolveSchema = z.strictObject({
  key: z.string().max(400),
  outcome: z.union([
    z.enum(['done', 'failed']),
    z.record(z.string(), z.json()).transform((given) => given as JsonObject),
  ]),
  reason: z.string().max(2_000).optional(),
});

const eraseSchema = z.strictObject({ forks: z.enum(['true', 'false']).default('false') });

function toForkRequest({ at, set, allowEffects }: z.output<typeof forkSchema>): ForkRequest {
  return {
    at,
    ...(set === undefined ? {} : { set: set as JsonObject }),
    ...(allowEffects === undefined ? {} : { allowEffects }),
  };
}

/** Paths that are not absolute begin at the working directory of this process. */
function toStartRunRequest(body: z.output<typeof startRunSchema>): StartRunRequest {
  return {
    pipeline:
      typeof body.pipeline === 'string' ? resolve(body.pipeline) : (body.pipeline as JsonObject),
    input: { folder: resolve(body.input.folder) },
    ...(body.seed === undefined ? {} : { seed: body.seed }),
    ...(body.labels === undefined ? {} : { labels: body.labels }),
  };
}

export function addRunRoutes(app: FastifyInstance, runtime: RuntimePort): void {
  app.post('/v1/runs', async (request, reply) => {
    const body = parseRequest(startRunSchema, request.body, 'The request body');
    const run = await runtime.startRun(toStartRunRequest(body));
    return reply.code(201).header('location', `/v1/runs/${run.id}`).send(run);
  });

  app.get('/v1/runs', async () => ({ runs: runtime.runs() }));

  app.get('/v1/runs/:id', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    return runtime.run(id);
  });

  app.get('/v1/runs/:id/effects', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    return { effects: runtime.effects(id) };
  });

  app.get('/v1/runs/:id/interventions', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    return { interventions: runtime.interventions(id) };
  });

  app.get('/v1/runs/:id/contexts', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    return { contexts: runtime.contexts(id) };
  });

  app.get('/v1/runs/:id/contexts/:hash', async (request) => {
    const { id, hash } = parseRequest(contextParametersSchema, request.params, 'The address');
    return runtime.transcript(id, hash);
  });

  app.get('/v1/runs/:id/window', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    return runtime.window(id, parseRequest(windowQuerySchema, request.query, 'The query'));
  });

  app.post('/v1/runs/:id/fork', async (request, reply) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    const body = parseRequest(forkSchema, request.body, 'The request body');
    const run = await runtime.fork(id, toForkRequest(body));
    return reply.code(201).header('location', `/v1/runs/${run.id}`).send(run);
  });

  app.post('/v1/runs/:id/effects/resolve', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    const { reason, ...body } = parseRequest(resolveSchema, request.body, 'The request body');
    return runtime.resolve(id, { ...body, ...(reason === undefined ? {} : { reason }) });
  });

  app.delete('/v1/runs/:id', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    const { forks } = parseRequest(eraseSchema, request.query, 'The query');
    return runtime.erase(id, { forks: forks === 'true' });
  });

  app.post('/v1/runs/:id/cancel', async (request) => {
    const { id } = parseRequest(runParametersSchema, request.params, 'The address');
    return runtime.cancel(id);
  });
}
