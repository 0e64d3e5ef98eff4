/** Arguments of the sandbox's operations. */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';
import { type ExecutionLimits, executionBounds } from '../sandbox/execution-limits.ts';
import { scriptLanguages } from '../sandbox/script-language.ts';

const bound = (name: keyof ExecutionLimits, most = executionBounds[name].most) =>
  z.number().int().min(executionBounds[name].least).max(most).optional();

const shared = {
  source: z.string(),
  timeoutMs: z.number().int().min(1).max(limits.sandboxTimeoutMsMax).optional(),
  cpuMs: z
    .number()
    .int()
    .min(1)
    .max(2 * limits.sandboxTimeoutMsMax)
    .optional(),
  memoryMb: z.number().int().min(8).max(limits.sandboxMemoryMbMax).optional(),
  input: z.json().optional(),
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
  timeMs: z.number().int().optional(),
  /** Texts by path below /docs. */
  files: z.record(z.string(), z.string()).optional(),
  /** Whether the result is `{ value, files }`, with what the script left under /out as base64. */
  outputs: z.boolean().optional(),
  limits: z
    .strictObject({
      files: bound('files'),
      fileBytes: bound('fileBytes'),
      totalBytes: bound('totalBytes'),
      outputBytes: bound('outputBytes', limits.sandboxApiFileBytesMax),
      messageBytes: bound('messageBytes'),
      calls: bound('calls'),
    })
    .optional(),
};

export const sandboxRunArguments = z.strictObject({
  ...shared,
  language: z.enum(['js', 'ts']).optional(),
  /** Dotted names of tools that the script is granted. */
  tools: z.array(z.string()).max(limits.sandboxToolsMax).optional(),
});

export const sandboxScriptArguments = z.strictObject({
  ...shared,
  language: z.enum(scriptLanguages),
});
