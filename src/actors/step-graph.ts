/**
 * The order of the steps of a pipeline: which may start, and whether any order
 * exists. Pure; the parser refuses a cycle with it and the pipeline machine
 * schedules with it.
 *
 * Invariants
 *   G1. Steps without an order between them keep the order of the file, so
 *       that every run schedules alike.
 */
import { assert } from '../kernel/assert.ts';

/** What the graph knows of a step. */
export interface GraphStep {
  readonly id: string;
  readonly needs: readonly string[];
}

/**
 * The steps so that each comes after all that it needs (G1). Needs that name
 * no step count as fulfilled.
 * @throws AssertionError when the steps need each other in a circle.
 */
export function topologicalOrder<Step extends GraphStep>(steps: readonly Step[]): Step[] {
  const ids = new Set(steps.map((step) => step.id));
  const placed = new Set<string>();
  const order: Step[] = [];
  while (order.length < steps.length) {
    const next = steps.find(
      (step) =>
        !placed.has(step.id) && step.needs.every((need) => placed.has(need) || !ids.has(need)),
    );
    assert(next !== undefined, 'a checked pipeline has no cycle');
    placed.add(next.id);
    order.push(next);
  }
  return order;
}

/**
 * The steps that may start now, in the order of the file (G1): not done, and
 * everything they need is. `done` has a key for each step that has a result.
 */
export function readySteps<Step extends GraphStep>(
  steps: readonly Step[],
  done: Readonly<Record<string, unknown>>,
): Step[] {
  return steps.filter(
    (step) =>
      !Object.hasOwn(done, step.id) && step.needs.every((need) => Object.hasOwn(done, need)),
  );
}

/** The ids of one cycle, its first id repeated at the end (`a`, `b`, `a`), or null. */
export function findCycle(steps: readonly GraphStep[]): string[] | null {
  const needs = new Map(steps.map((step) => [step.id, step.needs]));
  const finished = new Set<string>();
  const path: string[] = [];

  // Depth is at most the number of steps, which the pipeline schema bounds.
  function visit(id: string): string[] | null {
    if (finished.has(id)) return null;
    const start = path.indexOf(id);
    if (start >= 0) return [...path.slice(start), id];
    path.push(id);
    for (const need of needs.get(id) ?? []) {
      const cycle = visit(need);
      if (cycle !== null) return cycle;
    }
    path.pop();
    finished.add(id);
    return null;
  }

  for (const step of steps) {
    const cycle = visit(step.id);
    if (cycle !== null) return cycle;
  }
  return null;
}

/** Ids of every step that comes before `id`, directly or through others. */
export function ancestors(steps: readonly GraphStep[], id: string): Set<string> {
  const needs = new Map(steps.map((step) => [step.id, step.needs]));
  const found = new Set<string>();
  const open = [...(needs.get(id) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(needs.get(next) ?? []));
  }
  return found;
}
