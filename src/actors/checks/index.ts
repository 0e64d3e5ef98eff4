import type { Check } from './check.ts';

/** The checks that a pipeline can name. */
export const checks: Readonly<Record<string, Check>> = {};
