/** One script in a disposable sandbox. What the script does is the answer's body, not its status. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';
import type { RuntimePort } from '../runtime/views.ts';
import { connectionSignal } from './connection-signal.ts';
import { parseRequest } from './request.ts';

const sandboxSchema = z.strictObject({
  source: z.string().max(limits.sandboxScriptBytesMax),
  timeoutMs: z.number().int().min(1).max(limits.sandboxTimeoutMsMax).optional(),
  memoryMb: z.number().int().min(8).max(limits.sandboxMemoryMbMax).optional(),
});

export function addSandboxRoute(app: FastifyInstance, runtime: RuntimePort): void {
  app.post('/v1/sandbox', async (request, reply) => {
    const { source, timeoutMs, memoryMb } = parseRequest(
      sandboxSchema,
      request.body,
      'The request body',
    );
    const script = {
      source,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(memoryMb === undefined ? {} : { memoryMb }),
    };
    return runtime.sandbox(script, connectionSignal(reply));
  });
}
