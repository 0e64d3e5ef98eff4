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
  readonly language: 'js' | 'ts';
  /** Dotted names of the tools that the script is granted. */
  readonly tools: readonly string[];
  readonly limits: { readonly calls: number; readonly messageBytes: number };
}

/** What came of one call of `fs` or `tools`. */
export interface CallAnswer {
  readonly id: number;
  readonly outcome: 'ok' | 'error';
  /** The value, or `{ code, message, bound }` of the error. */
  readonly json: string;
  /** Whether `data` is the value instead, as text in UTF-8 or as bytes. */
  readonly kind: 'none' | 'text' | 'bytes';
  readonly data: Uint8Array;
}

const text = z.string().max(limits.sandboxFrameBytesMax);

export const sandboxAnswerSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), residentMb: z.number().nonnegative() }),
  /** The job has arrived: from now on the script may have run. */
  z.strictObject({ type: z.literal('begun') }),
  /** The process cannot serve at all: its native package does not load. */
  z.strictObject({ type: z.literal('unusable'), message: text }),
  /** One call of `fs` or `tools`: `args` is JSON, `data` the content of a file. */
  z.strictObject({
    type: z.literal('call'),
    id: z.number().int().positive(),
    name: z.string().max(limits.sandboxToolNameMax + 6),
    args: text,
    data: z.instanceof(Uint8Array),
  }),
  z.strictObject({
    type: z.literal('done'),
    /**
     * value: `text` is the JSON of the completion value; the others carry a
     * message. memory: the isolate reached its limit. calls, files, message,
     * output: the script ended by an error that says that this bound is reached.
     */
    kind: z.enum(['value', 'invalid', 'error', 'memory', 'calls', 'files', 'message', 'output']),
    text,
    console: text,
    cpuMs: z.number().nonnegative(),
    residentMb: z.number().nonnegative(),
  }),
]);

export type SandboxCall = Extract<SandboxAnswer, { type: 'call' }>;
export type SandboxAnswer = z.output<typeof sandboxAnswerSchema>;
