/** One script in a disposable sandbox. What the script does is the answer's body, not its status. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';
import type { RuntimePort } from '../runtime/views.ts';
import { type ExecutionLimits, executionBounds } from '../sandbox/execution-limits.ts';
import { languages } from '../sandbox/sandboxes.ts';
import { connectionSignal } from './connection-signal.ts';
import { parseRequest } from './request.ts';

const bound = (name: keyof ExecutionLimits) => {
  const { least, most } = executionBounds[name];
  return z.number().int().min(least).max(most).optional();
};

const sandboxSchema = z.strictObject({
  source: z.string().max(limits.sandboxScriptBytesMax),
  language: z.enum(languages).optional(),
  input: z.json().optional(),
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
  timeMs: z.number().int().optional(),
  timeoutMs: z.number().int().min(1).max(limits.sandboxTimeoutMsMax).optional(),
  cpuMs: z
    .number()
    .int()
    .min(1)
    .max(2 * limits.sandboxTimeoutMsMax)
    .optional(),
  memoryMb: z.number().int().min(8).max(limits.sandboxMemoryMbMax).optional(),
  limits: z
    .strictObject({
      files: bound('files'),
      fileBytes: bound('fileBytes'),
      totalBytes: bound('totalBytes'),
      outputBytes: bound('outputBytes'),
      messageBytes: bound('messageBytes'),
      calls: bound('calls'),
    })
    .optional(),
  /** Content by path below /docs. */
  files: z
    .record(z.string(), z.base64())
    .refine((files) => bytesOf(files) <= limits.sandboxApiFileBytesMax, {
      error: `All files together have at most ${limits.sandboxApiFileBytesMax} bytes.`,
    })
    .optional(),
});

function bytesOf(files: Readonly<Record<string, string>>): number {
  return Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), 0);
}

export function addSandboxRoute(app: FastifyInstance, runtime: RuntimePort): void {
  app.post('/v1/sandbox', async (request, reply) => {
    const script = parseRequest(sandboxSchema, request.body, 'The request body');
    // Only what was given goes on; the defaults are the sandbox's.
    const given = Object.fromEntries(
      Object.entries(script).filter(([, value]) => value !== undefined),
    ) as typeof script;
    return runtime.sandbox(given, connectionSignal(reply));
  });
}
