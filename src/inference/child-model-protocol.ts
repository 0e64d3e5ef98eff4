/**
 * Messages between the runtime and the process of a model (model-process.ts,
 * child-model-entry.ts). Both ends are the same program, so nothing is parsed.
 */
import type { ErrorMessage } from '../kernel/errors.ts';
import type {
  GeneratedToken,
  GenerateOptions,
  GenerationOutcome,
  GenerationRequest,
  ModelInfo,
  ModelUsage,
} from './model-port.ts';
import type { ModelSettings } from './open-model.ts';

/** `call` names a generation among those of this process. */
export type ToModelProcess =
  | { readonly type: 'open'; readonly settings: ModelSettings }
  | {
      readonly type: 'generate';
      readonly call: number;
      readonly request: GenerationRequest;
      /** Whether somebody hears the tokens as they come. */
      readonly tokens: boolean;
      readonly options: Pick<GenerateOptions, 'queueKey' | 'priority' | 'parks'>;
    }
  | { readonly type: 'abort'; readonly call: number }
  | { readonly type: 'usage' }
  | { readonly type: 'forget'; readonly queueKey: string }
  /** Stop everything, free the model and end. */
  | { readonly type: 'close' };

export type FromModelProcess =
  | { readonly type: 'opened'; readonly info: ModelInfo }
  | { readonly type: 'refused'; readonly error: ErrorMessage }
  | {
      readonly type: 'token';
      readonly call: number;
      readonly token: GeneratedToken;
      readonly place: number;
    }
  | { readonly type: 'usage'; readonly usage: ModelUsage | null }
  | { readonly type: 'outcome'; readonly call: number; readonly outcome: GenerationOutcome }
  | { readonly type: 'failed'; readonly call: number; readonly error: ErrorMessage };
