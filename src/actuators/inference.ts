/**
 * A generation as an operation. Its outcome is journaled whole, so that a
 * replay needs no model.
 */
import { z } from 'zod';
import type { ContextArguments, GenerationQuestion } from '../inference/context-generation.ts';
import {
  detectorNames,
  type GenerationOutcome,
  type GenerationRequest,
} from '../inference/model-port.ts';
import { routeRecordSchema } from '../inference/route-record.ts';
import { encodeTokenColumns } from '../inference/token-columns.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { parseIntentionKey } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, type ActuatorContext, operation } from './actuator.ts';
import type { BlobLookup } from './blobs.ts';
import { readContextChain } from './context-chain.ts';
import { operationArguments } from './operation-arguments.ts';

interface GeneratorOptions {
  readonly signal: AbortSignal;
  /** Names the generation to those who watch live tokens: run and actor. */
  readonly label: JsonObject;
}

/** Whoever generates: the client of the inference worker. */
export interface Generator {
  /** @throws RuntimeError also CONTEXT_UNKNOWN when it does not know what comes before the chain. */
  generate(question: GenerationQuestion, options: GeneratorOptions): Promise<GenerationOutcome>;
}

const probability = z.number().min(0).max(1).nullable();
const count = z.number().int().nonnegative();

/** The outcome as it is journaled: its tokens as one text of binary columns. */
type JournaledGeneration = Omit<GenerationOutcome, 'tokens'> & { readonly tokens: string };

const haltShape = {
  detector: z.enum(detectorNames),
  atToken: count,
  evidence: z.string(),
};

const outcomeSchema: z.ZodType<JournaledGeneration> = z.strictObject({
  status: z.enum(['completed', 'halted']),
  text: z.string(),
  finish: z.enum(['stop', 'length', 'schema', 'halted']),
  tokens: z.base64(),
  minConfidence: probability,
  halt: z.strictObject(haltShape).nullable(),
  interventions: z
    .array(
      z.strictObject({
        ...haltShape,
        goodTokens: count,
        discarded: z.string(),
        discardedTokens: count,
        temperature: z.number(),
        seed: count,
      }),
    )
    .max(limits.correctionsMax)
    .optional(),
  usage: z.strictObject({ promptTokens: count, answerTokens: count }),
  served: z.strictObject({ model: z.string(), sha256: z.string().nullable() }).optional(),
  grown: z.strictObject({ from: count, to: count }).optional(),
  routing: routeRecordSchema.optional(),
});

/** @param blobs Where contexts are read that the generator does not remember. */
export function inferenceActuator(generator: Generator, blobs: BlobLookup): Actuator {
  return {
    name: 'inference',
    // The worker behind it queues by itself; this only bounds what is on the way to it.
    concurrency: limits.actuatorQueueMax,
    operations: {
      generate: operation({
        effect: 'pure',
        arguments: operationArguments['inference.generate'],
        result: outcomeSchema,
        async perform({ label: _label, ...request }, context) {
          const outcome = await generate({ generator, blobs }, request, context);
          return { ...outcome, tokens: encodeTokenColumns(outcome.tokens) };
        },
      }),
    },
  };
}

interface Ports {
  readonly generator: Generator;
  readonly blobs: BlobLookup;
}

async function generate(
  { generator, blobs }: Ports,
  request: GenerationRequest | ContextArguments,
  { key, run, signal, recorded }: ActuatorContext,
): Promise<GenerationOutcome> {
  const options = { signal, label: { run, actor: parseIntentionKey(key).actor } };
  if (!('context' in request)) return generator.generate(request, options);
  const { context: node, ...parameters } = request;
  try {
    return await generator.generate({ ...parameters, chain: [node] }, options);
  } catch (error) {
    if (!isUnknownContext(error) || node.parent === null) throw error;
  }
  // The steps that made the parent were recorded before the one that asks.
  await recorded();
  const before = readContextChain(node.parent, (hash) => blobs.lookup(run, hash));
  return generator.generate({ ...parameters, chain: [...before, node] }, options);
}

function isUnknownContext(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === 'CONTEXT_UNKNOWN';
}
