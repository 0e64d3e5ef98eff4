import { availableParallelism } from 'node:os';
import { limits } from '../../kernel/limits.ts';

/** Threads of a pool that nobody asked otherwise: one less than the cores, within the bound. */
export function defaultPoolThreads(): number {
  return Math.min(Math.max(1, availableParallelism() - 1), limits.poolThreadsMax);
}
