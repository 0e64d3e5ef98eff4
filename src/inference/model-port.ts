/**
 * What the runtime asks of a model and what it gets back, whichever backend
 * serves. Requests and outcomes are plain JSON, because both are journaled.
 *
 * Invariants
 *   M1. `outcome.text` is the concatenation of the texts of its tokens.
 *   M2. A confidence that a backend does not tell is null, never 1.
 *   M3. Forced tokens do not count in `minConfidence`: they were no choice.
 */
import { z } from 'zod';
import {
  type Privacy,
  privacySchema,
  type RoutingPolicy,
  routingPolicySchema,
} from '../actors/routing-policy.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { WindowUsage } from './growing-context.ts';
import type { RouteRecord } from './route-record.ts';
import type { PoolUsage } from './sequence-pool.ts';
import type { SpeculationUsage } from './speculation.ts';

const seedMax = 2 ** 32 - 1;

const base64 = z
  .string()
  .min(1)
  .max(limits.messagePartCharactersMax)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/, 'not base64');

const contentPartSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('image'),
    mediaType: z.enum(['image/png', 'image/jpeg', 'image/webp', 'image/gif']),
    base64,
  }),
  z.strictObject({ type: z.literal('audio'), format: z.enum(['wav', 'mp3']), base64 }),
]);

export const contentPartsSchema = z
  .array(contentPartSchema)
  .min(1)
  .max(limits.messagePartsMax)
  .refine(
    (parts) =>
      parts.reduce((sum, part) => sum + part.base64.length, 0) <= limits.messagePartsCharactersMax,
    `all of them together have more than ${limits.messagePartsCharactersMax} characters of base64; make them smaller`,
  );

/** An image or a recording; the bytes themselves, so that nobody has to fetch anything. */
export type ContentPart = z.output<typeof contentPartSchema>;

const chatMessageSchema = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant']),
    content: z.string(),
    /** Follow the text. */
    parts: contentPartsSchema.optional(),
  })
  .refine(({ role, parts }) => parts === undefined || role === 'user', {
    path: ['parts'],
    message: 'only users show images or recordings',
  });

/** One turn of a conversation. */
export type ChatMessage = z.output<typeof chatMessageSchema>;

/** Absent in what was journaled before there were these detectors, and where nobody asks for them. */
const detectorThresholds = {
  /** Nats above the mean of the answer. */
  spike: z.number().positive().max(20).nullish(),
  /** Of the last free tokens together. */
  perplexity: z.number().min(1).max(1_000_000).nullish(),
  /** Tokens in a row without doubt that say nothing new. */
  collapse: z.number().int().min(4).max(limits.answerTokensMax).nullish(),
  /** Sentences that are alike. */
  nearRepetition: z.number().int().min(2).max(9).nullish(),
  /** Tokens of a JSON answer without progress in its structure. */
  stall: z.number().int().min(4).max(limits.answerTokensMax).nullish(),
};

const detectorSettingsSchema = z.strictObject({
  minConfidence: z.number().min(0).max(1).nullable(),
  repetition: z.number().int().min(2).max(64).nullable(),
  ...detectorThresholds,
});

/** Thresholds of the token detectors; null, or absent, switches a detector off. */
export type DetectorSettings = z.output<typeof detectorSettingsSchema>;

const correctionSchema = z.strictObject({
  times: z.number().int().min(1).max(limits.correctionsMax),
  temperature: z.number().min(0).max(2),
});

/**
 * What happens when a detector fires: the tokens that are no longer good are taken
 * back and sampled again, up to so many times, at this temperature; then it halts.
 */
export type Correction = z.output<typeof correctionSchema>;

/** Parses a request where it enters from another thread or from the journal. */
export const generationRequestSchema = z.strictObject({
  messages: z.array(chatMessageSchema).min(1).max(limits.chatMessagesMax),
  /** The model that is asked for; null or absent: whichever serves. */
  model: z.string().min(1).max(200).nullish(),
  /** local-only: no endpoint may see it. */
  privacy: privacySchema.optional(),
  /** How a model is chosen when none is named; without it as the configuration says. */
  routing: routingPolicySchema.optional(),
  /** JSON Schema of the answer, or null for free text. */
  schema: z.record(z.string(), z.json()).nullable(),
  /** 0 is greedy decoding. */
  temperature: z.number().min(0).max(2),
  seed: z.number().int().min(0).max(seedMax),
  /** Tokens of the answer at most. */
  maxTokens: z.number().int().min(1).max(limits.answerTokensMax),
  /** Counted from the start of the generation, not from its arrival in a queue. */
  timeoutMs: z.number().int().min(1).max(limits.generationMsMax),
  detectors: detectorSettingsSchema,
  /** Null or absent: as whoever serves finds right. */
  priority: z.enum(['high', 'normal', 'low']).nullish(),
  /** Null or absent: a detector halts at once, as where the backend cannot take tokens back. */
  correction: correctionSchema.nullish(),
});

export interface GenerationRequest {
  model?: string | null | undefined;
  privacy?: Privacy | undefined;
  routing?: RoutingPolicy | undefined;
  messages: ChatMessage[];
  schema: JsonObject | null;
  temperature: number;
  seed: number;
  maxTokens: number;
  timeoutMs: number;
  detectors: DetectorSettings;
  priority?: Priority | null | undefined;
  correction?: Correction | null | undefined;
}

/** One token of an answer. The one that ends the turn has an empty text. */
export interface GeneratedToken {
  /** Whole characters only: a token inside a character is empty, the last one carries it. */
  text: string;
  /**
   * Probability of the token among those allowed at its place, 0 to 1, after
   * temperature and grammar; null when the backend does not tell it (M2).
   */
  confidence: number | null;
  /** The grammar allowed nothing else with a measurable probability. */
  forced: boolean;
  /**
   * Entropy of the tokens allowed at its place, in nats; null where nobody looked. Of an
   * endpoint: at least this, because it names the most likely ones only.
   */
  entropy: number | null;
  /** Probability of the most likely token at its place less that of the next, 0 to 1; null as above. */
  margin: number | null;
}

export const detectorNames = [
  'confidence',
  'repetition',
  'spike',
  'perplexity',
  'collapse',
  'near-repetition',
  'stall',
] as const;

/** Why a detector stopped a generation. */
export interface DetectorHalt {
  detector: (typeof detectorNames)[number];
  /** Position of the token that set it off, from 0. */
  atToken: number;
  /** One sentence for people. */
  evidence: string;
}

/** Tokens that were taken back, and why. */
export interface Intervention extends DetectorHalt {
  /** Tokens of the answer that stayed. */
  goodTokens: number;
  /** Those that did not, as text, and their number. */
  discarded: string;
  discardedTokens: number;
  /** With which the answer went on. */
  temperature: number;
  seed: number;
}

export interface GenerationOutcome {
  status: 'completed' | 'halted';
  text: string;
  /** stop: the model ended its turn. schema: the JSON value is complete. */
  finish: 'stop' | 'length' | 'schema' | 'halted';
  tokens: GeneratedToken[];
  /** Smallest confidence of the free tokens; 1 when all were forced; null when none was told. */
  minConfidence: number | null;
  halt: DetectorHalt | null;
  /** In their order; absent when nothing was taken back. */
  interventions?: Intervention[] | undefined;
  /** promptTokens is 0 when the endpoint does not tell it. */
  usage: { promptTokens: number; answerTokens: number };
  /** Which model answered, where several serve or one was reloaded. */
  served?: { readonly model: string; readonly sha256: string | null } | undefined;
  /** The context window became larger for it, in tokens. */
  grown?: { readonly from: number; readonly to: number } | undefined;
  /** How its model was chosen, where one was. */
  routing?: RouteRecord | undefined;
}

export interface ModelInfo {
  name: string;
  backend: 'llama.cpp' | 'openai-compatible';
  /** Hash of the model file; null when there is no file or it is too large to hash at start. */
  sha256: string | null;
  /** Of the largest window that it can have. */
  contextTokens: number | null;
  /** Where it is worked with; absent of an endpoint. */
  device?: 'cpu' | 'gpu';
  /** The embedded model, which understands the bundled prompt formats only. */
  demonstration: boolean;
  /** What messages may hold beside text; absent: nothing. */
  parts?: Readonly<Record<ContentPart['type'], boolean>>;
  /** What is asked of the backend; a server may still answer without confidences. */
  capabilities: {
    confidence: boolean;
    /** Entropy and margin beside the confidence; absent where the backend has not said. */
    distribution?: boolean;
    schema: boolean;
    seed: boolean;
    /** Takes tokens back and samples again, as a request's `correction` asks. */
    rollback: boolean;
    /** The same request gives the same tokens whatever else is asked at the same time. */
    deterministic: boolean;
  };
  /** Other models that serve here too, by the names to ask for them. */
  alternatives?: readonly Pick<ModelInfo, 'name' | 'backend'>[];
}

/** What a model holds in memory and on disk, and what it was spared by that. */
export interface ModelUsage extends PoolUsage {
  /** States of sequences in files; `refused` were not as they were written, so their tokens were read again. */
  readonly files: { readonly files: number; readonly bytes: number; readonly refused: number };
  readonly speculation: SpeculationUsage;
  /** Of each sequence. */
  readonly window: WindowUsage;
  /** In bytes: the weights, what the sequences hold at this moment, and what all of this process takes of a GPU. */
  readonly memory: {
    readonly weights: number;
    readonly contexts: number;
    readonly vram: number;
  };
}

export interface GenerateOptions {
  /**
   * Called in order, before the promise resolves. `place` is its position in the answer: a place
   * that comes again replaces what stood there and everything after it.
   */
  onToken?: (token: GeneratedToken, place: number) => void;
  signal?: AbortSignal;
  /** Whose call it is. Keys that wait are served in turns. */
  queueKey?: string;
  /** The more urgent call is served first, but nobody waits for ever; 'normal' without it. */
  priority?: Priority;
  /** Who asks will be back with more, so what was read for it is kept, in a file if need be. */
  parks?: boolean;
}

export type Priority = 'high' | 'normal' | 'low';

/**
 * What a backend calls before it reads the messages.
 * @throws RuntimeError CONTENT_UNSUPPORTED when they hold images or recordings that it does not take.
 */
export function refuseOtherParts(
  messages: readonly ChatMessage[],
  { name, parts: served }: Pick<ModelInfo, 'name' | 'parts'>,
): void {
  for (const { type } of messages.flatMap(({ parts }) => parts ?? [])) {
    if (served?.[type] === true) continue;
    throw new RuntimeError(
      'CONTENT_UNSUPPORTED',
      `The model ${name} takes no ${type} in a message; ask a model that does, or ask in text alone.`,
      { details: { part: type } },
    );
  }
}

/** @throws RuntimeError MODEL_UNKNOWN when another model is asked for than those that serve. */
export function refuseOtherModel(
  asked: string | null | undefined,
  served: Pick<ModelInfo, 'name' | 'alternatives'>,
): void {
  const names = [served, ...(served.alternatives ?? [])].map(({ name }) => name);
  if (asked === null || asked === undefined || names.includes(asked)) return;
  const serve = names.length === 1 ? `${served.name} does` : `${names.join(', ')} do`;
  throw new RuntimeError(
    'MODEL_UNKNOWN',
    `The model ${asked} does not serve here, ${serve}; name ${names.length === 1 ? 'that one' : 'one of these'}, or none.`,
  );
}

/** A model that answers conversations. */
export interface ModelPort {
  readonly info: ModelInfo;
  /**
   * Generates one answer. A detector that fires is an outcome, not an error.
   * @throws RuntimeError INFERENCE_TIMEOUT, INFERENCE_ABORTED, CONTEXT_TOO_LONG, CONTENT_UNSUPPORTED,
   * ACTUATOR_BUSY, SCHEMA_UNSUPPORTED, and of an endpoint INFERENCE_UNAVAILABLE, INFERENCE_REJECTED,
   * INFERENCE_PROTOCOL.
   */
  generate(request: GenerationRequest, options?: GenerateOptions): Promise<GenerationOutcome>;
  /** What it holds; null of a model that is elsewhere. */
  usage(): Promise<ModelUsage | null>;
  /** Forgets what it keeps of a key whose calls have all ended. */
  forget(queueKey: string): Promise<void>;
  /** Stops what is being generated and frees the model. */
  close(): Promise<void>;
}
