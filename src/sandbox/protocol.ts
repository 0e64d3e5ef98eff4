/**
 * What crosses the pipe to a sandbox process. The process is trusted with
 * nothing: whatever it answers is parsed here before anybody reads it.
 */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';

/** The one job of a process. */
export interface SandboxJob {
  readonly source: string;
  /** JSON text of the global `input`, or null when there is none. */
  readonly input: string | null;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  /** Seed of Math.random, 0 to 2^32 - 1. */
  readonly seed: number;
  /** What Date and its like call now, milliseconds since the epoch. */
  readonly timeMs: number;
}

const text = z.string().max(limits.sandboxFrameBytesMax);

export const sandboxAnswerSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), residentMb: z.number().nonnegative() }),
  /** The job has arrived: from now on the script may have run. */
  z.strictObject({ type: z.literal('begun') }),
  /** The process cannot serve at all: its native package does not load. */
  z.strictObject({ type: z.literal('unusable'), message: text }),
  z.strictObject({
    type: z.literal('done'),
    /**
     * value: `text` is the JSON of the completion value; the others carry a
     * message. memory: the isolate reached its limit.
     */
    kind: z.enum(['value', 'invalid', 'error', 'memory']),
    text,
    console: text,
    cpuMs: z.number().nonnegative(),
    residentMb: z.number().nonnegative(),
  }),
]);

export type SandboxAnswer = z.output<typeof sandboxAnswerSchema>;
