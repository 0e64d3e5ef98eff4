/**
 * Generated code as an operation. The same script with the same arguments has
 * the same value, because nothing of the world reaches it.
 */
import { z } from 'zod';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { SandboxExecution } from '../sandbox/sandbox.ts';
import type { SandboxOutcome } from '../sandbox/sandbox-outcome.ts';
import { type Actuator, operation } from './actuator.ts';
import { operationArguments } from './operation-arguments.ts';

/** Whoever runs scripts: a SandboxPool. */
export interface ScriptRunner {
  execute(execution: SandboxExecution): Promise<SandboxOutcome>;
}

export function sandboxActuator(runner: ScriptRunner): Actuator {
  return {
    name: 'sandbox',
    concurrency: limits.sandboxConcurrencyMax,
    operations: {
      run: operation({
        effect: 'pure',
        arguments: operationArguments['sandbox.run'],
        result: z.json(),
        async perform(script, { signal }) {
          const outcome = await runner.execute({ ...script, signal });
          if (outcome.ok) return outcome.value ?? null;
          assert(outcome.error !== undefined, 'a failed execution says why');
          const { code, message } = outcome.error;
          // The same script fails the same way again, except where the host was at fault.
          const retryable = code === 'SANDBOX_CRASHED' || code === 'ACTUATOR_BUSY';
          throw new RuntimeError(code, message, { retryable });
        },
      }),
    },
  };
}
