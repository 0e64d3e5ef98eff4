/**
 * What a host sends to the gateway and what comes back: plain JSON, so that
 * both cross a thread and the outcome enters the journal.
 */
import { z } from 'zod';
import type { ErrorMessage } from '../kernel/errors.ts';
import {
  type ActorId,
  type ActorSequence,
  actorId,
  type IntentionKey,
  intentionKey,
  isRunId,
  type RunId,
} from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

function isActorId(text: string): text is ActorId {
  try {
    actorId(text);
    return true;
  } catch {
    return false;
  }
}

const name = z.string().min(1).max(60);
/** Why the authority vouches for nothing. Only the first tells of something that no working actor does. */
const denialCodes = [
  'PERMISSION_DENIED',
  'QUARANTINED',
  'RUN_NOT_OPEN',
  'BUS_MESSAGE_TOO_LARGE',
] as const;

export type DenialCode = (typeof denialCodes)[number];

export const intentionRequestSchema = z
  .strictObject({
    run: z.custom<RunId>((value) => typeof value === 'string' && isRunId(value), 'not a run id'),
    actor: z.custom<ActorId>(
      (value) => typeof value === 'string' && isActorId(value),
      'not an actor id',
    ),
    sequence: z
      .number()
      .int()
      .min(1)
      .transform((value) => value as ActorSequence),
    index: z.number().int().min(0),
    key: z.string(),
    actuator: name,
    operation: name,
    arguments: z.json(),
    effect: z.enum(['pure', 'idempotent', 'once']),
    /** Ring position of the record that holds the intention; must be durable before an effect. */
    journalPosition: z.number().nonnegative(),
    /** Of the authority's thread; null where it denied the intention. */
    credentials: z
      .strictObject({
        certificate: z.string().max(limits.tokenCharactersMax),
        token: z.string().max(limits.tokenCharactersMax),
        signature: z.string().max(100),
      })
      .nullable(),
    /** Why the authority denied it. */
    denial: z
      .strictObject({
        code: z.enum(denialCodes),
        message: z.string().max(2_000),
      })
      .optional(),
  })
  .refine((request) => request.key === intentionKey(request), {
    path: ['key'],
    message: 'does not match run, actor, sequence and index',
  })
  .transform((request) => ({ ...request, key: request.key as IntentionKey }));

/** A checked request. */
export type CheckedRequest = z.output<typeof intentionRequestSchema>;

/** A request as a host writes it. */
export type IntentionRequest = z.input<typeof intentionRequestSchema>;

/**
 * completed: carried out; `value` is its result. failed: tried, and could not.
 * refused: not tried, nothing happened.
 */
export type IntentionOutcome =
  | { readonly key: string; readonly status: 'completed'; readonly value: Json }
  | {
      readonly key: string;
      readonly status: 'failed' | 'refused' | 'unknown';
      readonly error: ErrorMessage;
    };

/** The first problem of a failed parse, as one short clause. */
export function firstProblem(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'it is invalid';
  const place = issue.path.map(String).join('.');
  return (place === '' ? issue.message : `${place}: ${issue.message}`).slice(0, 300);
}
