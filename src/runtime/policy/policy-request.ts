/**
 * A request to policies as a person writes it, in a file of tests or on the command line:
 * what is left out is what is usual.
 */
import { z } from 'zod';
import { effectOf, isKnownOperation } from '../../actors/effects.ts';
import {
  hostOf,
  type PolicyRequest,
  type PolicyResource,
  resourceOf,
} from '../../actuators/policy.ts';
import {
  clearanceRank,
  defaultLevels,
  type Levels,
  labelRank,
  levelName,
  lowestLevel,
} from '../../identity/clearance.ts';

const text = z.string().min(1).max(400);

export const writtenRequestShape = {
  principal: z.strictObject({
    kind: z.enum(['agent', 'critic', 'panel', 'supervisor', 'pipeline']).default('agent'),
    name: text.default('agent'),
    pipeline: text.default('pipeline'),
    run: text.default('run'),
    clearance: levelName.optional().describe('Without it the lowest level.'),
    operations: z.array(text).max(64).default([]),
  }),
  action: z
    .string()
    .regex(/^[a-z]+\.[a-z]+$/, 'an operation such as file.read')
    .describe('An operation, such as file.read.'),
  resource: text
    .optional()
    .describe('Path of a file, hash of a text, or address of a request; others have none.'),
  context: z
    .strictObject({
      label: levelName.optional().describe('Without it the lowest level.'),
      effect: z.enum(['pure', 'idempotent', 'once']).optional(),
      model: text.optional(),
      privacy: text.optional(),
      method: text.optional(),
      egress: z.enum(['granted', 'none', 'asked']).optional(),
      grant: text.optional(),
    })
    .prefault({}),
};

const writtenRequestSchema = z.strictObject(writtenRequestShape);

export type WrittenRequest = z.output<typeof writtenRequestSchema>;

function resourceAs(actuator: string, written: string | undefined): PolicyResource {
  if (actuator === 'http') return hostOf(written ?? '');
  if (actuator === 'file') return resourceOf(actuator, { path: written });
  if (actuator === 'blobs') return { type: 'Document', id: written ?? 'several' };
  return resourceOf(actuator, {});
}

/** The request that was written. @param levels That its labels and clearances name. */
export function policyRequest(
  { principal, action, resource, context }: WrittenRequest,
  levels: Levels = defaultLevels,
): PolicyRequest {
  const [actuator = '', operation = ''] = action.split('.');
  const { kind, name, pipeline, run, operations } = principal;
  const { clearance: level = lowestLevel(levels) } = principal;
  const { label: labelName = lowestLevel(levels), effect, ...given } = context;
  const known = isKnownOperation(actuator, operation) ? effectOf(actuator, operation) : 'once';
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    principal: {
      ...{ run, actor: name, kind, name, pipeline, operations, level },
      clearance: clearanceRank(levels, level),
    },
    action,
    resource: resourceAs(actuator, resource),
    context: {
      ...Object.fromEntries(named),
      effect: effect ?? known,
      label: labelRank(levels, labelName),
      labelName,
    },
  };
}
