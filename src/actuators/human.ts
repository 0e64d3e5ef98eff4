/**
 * A person as an operation: what a paused agent waits for. Nobody is called; it
 * is unknown at once, and `claw release` or the API says what the person decided,
 * as `claw resolve` does for any outcome that nobody else can say. So nothing is
 * kept open here, and the actor may sleep meanwhile.
 */
import { z } from 'zod';
import { levelName } from '../identity/clearance.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, operation } from './actuator.ts';
import { operationArguments } from './operation-arguments.ts';

const decisionSchema = z.strictObject({
  /** retry: another attempt. accept: the answer stands. hand-over: a human does it. stop: the run fails. */
  decision: z.enum(['retry', 'accept', 'hand-over', 'stop']),
  /** Of retry: the prompt of that attempt, in place of the question. */
  prompt: z.string().min(1).max(limits.releasePromptCharactersMax).optional(),
  /** Of the prompt, where the pipeline has labels; without it the lowest. */
  label: levelName.optional(),
});

export function humanActuator(): Actuator {
  return {
    name: 'human',
    operations: {
      decide: operation({
        // Asked twice, somebody would decide twice.
        effect: 'once',
        arguments: operationArguments['human.decide'],
        result: decisionSchema,
        async perform({ step }) {
          throw new RuntimeError(
            'OUTCOME_UNKNOWN',
            `The step ${step} waits for a person; claw release says how it goes on.`,
          );
        },
        presumed: () => ({ decision: 'retry' as const }),
      }),
    },
  };
}
