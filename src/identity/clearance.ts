/**
 * Clearance: an ordered list of levels, the lowest first. A text has a label,
 * an agent has a clearance, and both are names of levels.
 *
 * Invariants
 *   C1. What is derived from several texts has the highest of their labels; of
 *       nothing at all it has the lowest.
 *   C2. Nobody is cleared for a label that the levels do not have, and a
 *       clearance that they do not have clears for nothing: what is misspelt
 *       or forged refuses, it never permits.
 */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';

/** Names of levels, the lowest first. */
export type Levels = readonly string[];

export const levelName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]*$/i, 'letters, digits, - and _, beginning with a letter')
  .max(40);

/** The levels where nobody names others. */
export const defaultLevels: Levels = ['public', 'internal', 'confidential', 'secret'];

export const levelsSchema = z
  .array(levelName)
  .min(2)
  .max(limits.clearanceLevelsMax)
  .refine((levels) => new Set(levels).size === levels.length, 'each level once');

export function lowestLevel(levels: Levels): string {
  return levels[0] ?? '';
}

export function highestLevel(levels: Levels): string {
  return levels.at(-1) ?? '';
}

/** From 0; above every level for a label that they do not have (C2). */
export function labelRank(levels: Levels, label: string): number {
  const rank = levels.indexOf(label);
  return rank === -1 ? levels.length : rank;
}

/** From 0; below every level for a clearance that they do not have (C2). */
export function clearanceRank(levels: Levels, clearance: string): number {
  return levels.indexOf(clearance);
}

/** The highest of the labels (C1); undefined ones are of texts that nobody labelled, and the lowest. */
export function highest(levels: Levels, labels: Iterable<string | undefined>): string {
  let found = lowestLevel(levels);
  for (const label of labels) {
    if (label !== undefined && labelRank(levels, label) > labelRank(levels, found)) found = label;
  }
  return found;
}

/** The lower of two clearances: what may be told to both. */
export function lowerClearance(levels: Levels, one: string, other: string): string {
  return clearanceRank(levels, one) <= clearanceRank(levels, other) ? one : other;
}

/** Whether somebody with the clearance may read what has the label (C2). */
export function dominates(levels: Levels, clearance: string, label: string): boolean {
  return labelRank(levels, label) <= clearanceRank(levels, clearance);
}

/**
 * What may be read with a clearance, as a filter. Whoever searches or ranks texts for an
 * agent filters before ranking: a rank among unreadable texts would tell of them.
 * @param labelOf Label of an item; undefined of one that nobody labelled.
 */
export function readableBy<Item>(
  levels: Levels,
  clearance: string,
  labelOf: (item: Item) => string | undefined,
): (item: Item) => boolean {
  return (item) => dominates(levels, clearance, labelOf(item) ?? lowestLevel(levels));
}
