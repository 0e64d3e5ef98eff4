/** What is shown of each model of a set. */
import type { ModelInfo, ModelUsage } from './model-port.ts';

/** What a model is good for, as its owner says; an endpoint is always remote. */
export type ModelTier = 'small' | 'large' | 'remote';

/** loaded: it generates. idle: it is in memory, and may leave it. */
export type ModelState = 'closed' | 'loading' | 'loaded' | 'idle';

export interface ModelStatus {
  readonly name: string;
  /** Serves whoever names no model. */
  readonly default: boolean;
  readonly backend: ModelInfo['backend'];
  readonly tier: ModelTier;
  /** Of the file that was loaded last; null before, and where there is none. */
  readonly sha256: string | null;
  readonly state: ModelState;
  /** Estimate for weights and context windows, in memory or not; null when the file cannot be read. */
  readonly memoryBytes: number | null;
  readonly parameters: number | null;
  readonly contextTokens: number | null;
  /** Where it works; null of an endpoint, and before the first load where nobody has said. */
  readonly device: 'cpu' | 'gpu' | null;
  /** Generations at once; null for an endpoint, which says for itself. */
  readonly sequences: number | null;
  /** Generations that run or wait for their turn. */
  readonly generations: number;
  /** Of one answer, measured lately between its first and its last token; null before the first answer. */
  readonly tokensPerSecond: number | null;
  /** What it holds in memory and on disk; null while it is not loaded, and of an endpoint. */
  readonly usage: ModelUsage | null;
}
