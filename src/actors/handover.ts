import type { Sha256 } from '../kernel/hash.ts';

/** What the agent of a step leaves for another; JSON. */
export interface Handover {
  /** What it was asked on last, by hash (law D6); null without a conversation. */
  readonly context: Sha256 | null;
  /** What it answered last. */
  readonly answer: string;
  /** Its pins. */
  readonly objectives: readonly string[];
}
