/**
 * Messages to and from the inference worker. A request and its reply share the
 * correlation number of their frames; bodies are plain JSON.
 */
import { z } from 'zod';
import type { BusMessage, EndpointSpec, ThreadId } from '../../bus/endpoint.ts';
import {
  type GenerationOutcome,
  generationRequestSchema,
  type ModelInfo,
} from '../../inference/model-port.ts';
import type { ModelSettings } from '../../inference/open-model.ts';
import type { ErrorMessage } from '../../kernel/errors.ts';

/** Bus topics of the inference worker. */
export const inferenceTopics = {
  generate: 0x20,
  abort: 0x21,
  reply: 0x22,
  token: 0x23,
  status: 0x24,
  close: 0x25,
} as const;

/** Body of `generate`. `abort` and `close` have none. */
export const generateMessageSchema = z.strictObject({
  request: generationRequestSchema,
  /** Thread that hears the tokens as they come, or null for nobody. */
  streamTo: z.number().int().min(0).max(0xffff).nullable(),
  /** Comes back with every token: whose answer it is. */
  label: z.record(z.string(), z.json()).nullable(),
});

export type GenerateMessage = z.output<typeof generateMessageSchema>;

/** Body of `reply`. */
export type ReplyMessage =
  | { readonly type: 'outcome'; readonly outcome: GenerationOutcome }
  | { readonly type: 'error'; readonly error: ErrorMessage };

const tokenNoticeSchema = z.strictObject({
  requester: z.number().int(),
  request: z.number().int(),
  label: z.record(z.string(), z.json()).nullable(),
  text: z.string(),
  confidence: z.number().nullable(),
  forced: z.boolean(),
});

/**
 * Body of `token`: live, unjournaled, and left out when the listener is slow.
 * `requester` and `request` are the thread and the correlation of the request.
 */
export type TokenNotice = z.output<typeof tokenNoticeSchema>;

/** Body of `status`, to the thread that started the worker. */
export type StatusMessage =
  | { readonly type: 'ready'; readonly info: ModelInfo }
  | { readonly type: 'failed'; readonly error: ErrorMessage }
  | { readonly type: 'closed' };

/** What the worker is started with. */
export interface InferenceWorkerData {
  readonly spec: EndpointSpec;
  readonly owner: ThreadId;
  readonly model: ModelSettings;
}

/** The token in a message of the worker, or null when the message is another one. */
export function readTokenNotice(message: BusMessage): TokenNotice | null {
  if (message.topic !== inferenceTopics.token) return null;
  return tokenNoticeSchema.safeParse(message.body).data ?? null;
}
