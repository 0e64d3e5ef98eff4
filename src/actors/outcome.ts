import type { ErrorMessage } from '../kernel/errors.ts';
import type { Json } from '../kernel/json.ts';

/** How an external intention ended. Plain JSON: it is journaled as it is. */
export type Outcome =
  | { readonly status: 'completed'; readonly value: Json }
  | { readonly status: 'failed' | 'refused' | 'unknown'; readonly error: ErrorMessage };
