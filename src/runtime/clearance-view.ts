/** The labels of a run as they are shown: told by its first record. */
import { definitionOf } from '../actors/definition.ts';
import { clearanceOf, levelsOf } from '../actors/labels.ts';
import { lowestLevel } from '../identity/clearance.ts';
import type { RunStartedBody } from './event-record.ts';

/** The labels of a run's documents, and what its agents are cleared for. */
export interface ClearanceView {
  /** The lowest first. */
  readonly levels: readonly string[];
  /** How many documents, or parts of them, have each label. */
  readonly documents: Readonly<Record<string, number>>;
  readonly agents: Readonly<Record<string, string>>;
}

/** As a part of the view of a run; empty where the pipeline has no labels. */
export function clearanceView({
  definition: text,
  documents,
}: Pick<RunStartedBody, 'definition' | 'documents'>): { clearance?: ClearanceView } {
  // Where anything has a label, every document has.
  if (documents.every(({ label }) => label === undefined)) return {};
  const definition = definitionOf(text);
  const levels = levelsOf(definition);
  if (levels === null) return {};
  const counts: Record<string, number> = {};
  for (const { label = lowestLevel(levels) } of documents) counts[label] = (counts[label] ?? 0) + 1;
  const agents = Object.fromEntries(
    Object.entries(definition.agents).map(([name, agent]) => [name, clearanceOf(levels, agent)]),
  );
  return { clearance: { levels, documents: counts, agents } };
}
