/**
 * Messages to and from the inference worker. A generation is a request, whose
 * reply is its outcome; `call` names it to its caller's tokens and abort.
 */
import { z } from 'zod';
import type { EndpointSpec } from '../../bus/endpoint.ts';
import {
  type GenerationQuestion,
  generationQuestionSchema,
} from '../../inference/context-generation.ts';
import type { GeneratedToken, ModelInfo } from '../../inference/model-port.ts';
import type { ModelStatus } from '../../inference/model-status.ts';
import type { RoutedModelsSettings } from '../../inference/routed-models.ts';
import type { ErrorMessage } from '../../kernel/errors.ts';

export const generateMessageSchema = z.strictObject({
  /** Unique among the calls of a thread that are open. */
  call: z.number().int().nonnegative(),
  request: generationQuestionSchema,
  /** Thread that hears the tokens as they come, or null for nobody. */
  streamTo: z.number().int().min(0).max(0xffff).nullable(),
  /** Comes back with every token: whose answer it is. */
  label: z.record(z.string(), z.json()).nullable(),
});

export type GenerateMessage = Omit<z.output<typeof generateMessageSchema>, 'request'> & {
  readonly request: GenerationQuestion;
};

/** Stops a generation, whose reply then says so. */
export interface AbortGenerationMessage {
  readonly call: number;
}

/** A token as it comes. `requester` and `call` say whose. */
export interface TokenNotice extends Readonly<GeneratedToken> {
  readonly requester: number;
  readonly call: number;
  readonly label: GenerateMessage['label'];
  /** Position in the answer; one that comes again replaces what stood there and after it. */
  readonly place: number;
}

export interface ReloadModelMessage {
  readonly name: string;
}

/** The model that came, and who serves by default from now on. */
export interface ReloadedModel {
  readonly status: ModelStatus;
  readonly info: ModelInfo;
}

/** To the thread that started the worker. */
export type StatusMessage =
  | { readonly type: 'ready'; readonly info: ModelInfo }
  | { readonly type: 'failed'; readonly error: ErrorMessage }
  | { readonly type: 'closed' };

/** What the worker is started with. */
export interface InferenceWorkerData {
  readonly spec: EndpointSpec;
  readonly models: RoutedModelsSettings;
}
