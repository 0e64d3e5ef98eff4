/**
 * The models that serve. The list has the shape of other servers of the same
 * protocol, so that their clients find the names in it.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ModelStatus } from '../inference/model-status.ts';
import type { RuntimePort } from '../runtime/views.ts';
import { parseRequest } from './request.ts';

const reloadSchema = z.strictObject({ name: z.string().min(1).max(200) });

/** Answer of `GET /v1/models`. */
export interface ModelList {
  readonly object: 'list';
  readonly data: readonly (ModelStatus & { readonly id: string; readonly object: 'model' })[];
}

export function addModelRoutes(app: FastifyInstance, runtime: RuntimePort): void {
  app.get('/v1/models', async (): Promise<ModelList> => {
    const models = await runtime.models();
    return {
      object: 'list',
      data: models.map((model) => ({ id: model.name, object: 'model', ...model })),
    };
  });

  // A name may hold slashes, so it is in the body.
  app.post('/v1/models/reload', async (request) => {
    const { name } = parseRequest(reloadSchema, request.body, 'The request body');
    return runtime.reloadModel(name);
  });
}
