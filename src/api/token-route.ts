/** `POST /v1/tokens/verify`: whether the gateway would let a token through. */
import type { FastifyInstance } from 'fastify';
import { examinationSchema } from '../identity/token-examination.ts';
import type { RuntimePort } from '../runtime/views.ts';
import { parseRequest } from './request.ts';

export function addTokenRoute(app: FastifyInstance, runtime: RuntimePort): void {
  app.post('/v1/tokens/verify', async (request) => {
    const question = parseRequest(examinationSchema, request.body, 'The request body');
    return runtime.security.examine(question);
  });
}
