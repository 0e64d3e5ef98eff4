/**
 * What each operation is called with. Hosts check an intention against this
 * before they sign and send it, and the gateway checks it again.
 */
import { z } from 'zod';
import { levelName } from '../identity/clearance.ts';
import { generateArgumentsSchema } from '../inference/context-generation.ts';
import { limits } from '../kernel/limits.ts';
import { fetchArgumentsSchema, sendArgumentsSchema } from './http-arguments.ts';
import { sandboxRunArguments, sandboxScriptArguments } from './sandbox-arguments.ts';

const workspacePath = z.string();
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** Of what the intention was made of; only where the pipeline has labels. */
const label = levelName.optional();

export const operationArguments = {
  'file.read': z.strictObject({ path: workspacePath, label }),
  'file.list': z.strictObject({ path: workspacePath.default('.'), label }),
  'file.write': z.strictObject({ path: workspacePath, text: z.string(), label }),
  'file.append': z.strictObject({ path: workspacePath, text: z.string(), label }),
  'clock.wake': z.strictObject({
    /** Milliseconds since the epoch. */
    at: z.number().int().min(0).max(8.64e15),
  }),
  'sandbox.run': sandboxRunArguments.extend({ label }),
  'sandbox.script': sandboxScriptArguments.extend({ label }),
  'sandbox.fetch': sandboxRunArguments.extend({ label }),
  'human.decide': z.strictObject({
    step: z.string(),
    attempt: z.number().int().nonnegative(),
    findings: z.array(z.strictObject({ source: z.string(), evidence: z.string() })),
    label,
  }),
  'inference.generate': generateArgumentsSchema,
  'http.fetch': fetchArgumentsSchema.extend({ label }),
  'http.send': sendArgumentsSchema.extend({ label }),
  'blobs.read': z.strictObject({ hashes: z.array(sha256Hex).max(limits.blobsPerReadMax), label }),
} as const;

/** The schema of an operation's arguments, or null when there is no such operation. */
export function argumentsOf(actuator: string, operation: string): z.ZodType | null {
  const name = `${actuator}.${operation}`;
  return Object.hasOwn(operationArguments, name)
    ? operationArguments[name as keyof typeof operationArguments]
    : null;
}
