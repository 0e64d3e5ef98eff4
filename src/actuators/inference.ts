/**
 * A generation as an operation. Its outcome is journaled whole, so that a
 * replay needs no model.
 */
import { z } from 'zod';
import type { GenerationOutcome, GenerationRequest } from '../inference/model-port.ts';
import { encodeTokenColumns } from '../inference/token-columns.ts';
import { parseIntentionKey } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, operation } from './actuator.ts';
import { operationArguments } from './operation-arguments.ts';

/** Whoever generates: the client of the inference worker, or a model itself. */
export interface Generator {
  generate(
    request: GenerationRequest,
    options: {
      readonly signal: AbortSignal;
      /** Names the generation to those who watch live tokens: run and actor. */
      readonly label: JsonObject;
    },
  ): Promise<GenerationOutcome>;
}

const probability = z.number().min(0).max(1).nullable();
const count = z.number().int().nonnegative();

/** The outcome as it is journaled: its tokens as one text of binary columns. */
type JournaledGeneration = Omit<GenerationOutcome, 'tokens'> & { readonly tokens: string };

const outcomeSchema: z.ZodType<JournaledGeneration> = z.strictObject({
  status: z.enum(['completed', 'halted']),
  text: z.string(),
  finish: z.enum(['stop', 'length', 'schema', 'halted']),
  tokens: z.base64(),
  minConfidence: probability,
  halt: z
    .strictObject({
      detector: z.enum(['confidence', 'repetition']),
      atToken: count,
      evidence: z.string(),
    })
    .nullable(),
  usage: z.strictObject({ promptTokens: count, answerTokens: count }),
});

export function inferenceActuator(generator: Generator): Actuator {
  return {
    name: 'inference',
    // The worker behind it queues by itself; this only bounds what is on the way to it.
    concurrency: limits.actuatorQueueMax,
    operations: {
      generate: operation({
        effect: 'pure',
        arguments: operationArguments['inference.generate'],
        result: outcomeSchema,
        async perform(request, { key, run, signal }) {
          const { actor } = parseIntentionKey(key);
          const outcome = await generator.generate(request, { signal, label: { run, actor } });
          return { ...outcome, tokens: encodeTokenColumns(outcome.tokens) };
        },
      }),
    },
  };
}
