import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ancestors,
  findCycle,
  type GraphStep,
  readySteps,
  topologicalOrder,
} from '../../src/actors/step-graph.ts';

const diamond: GraphStep[] = [
  { id: 'report', needs: ['critic'] },
  { id: 'extract', needs: ['triage'] },
  { id: 'triage', needs: [] },
  { id: 'critic', needs: ['extract', 'answer'] },
  { id: 'answer', needs: ['triage'] },
];

/** Graphs without cycles: each step needs only earlier ones; then shuffled. */
const acyclic = fc
  .integer({ min: 1, max: 12 })
  .chain((count) =>
    fc.tuple(
      ...Array.from({ length: count }, (_, index) =>
        index === 0 ? fc.constant<number[]>([]) : fc.uniqueArray(fc.nat({ max: index - 1 })),
      ),
    ),
  )
  .map((needs) => needs.map((list, id) => ({ id: `s${id}`, needs: list.map((n) => `s${n}`) })))
  .chain((steps) => fc.shuffledSubarray(steps, { minLength: steps.length }));

describe('topologicalOrder', () => {
  it('puts each step behind all that it needs and keeps the order of the file otherwise', () => {
    const order = topologicalOrder(diamond).map((step) => step.id);
    expect(order).toEqual(['triage', 'extract', 'answer', 'critic', 'report']);
  });

  it('orders every graph without a cycle', () => {
    fc.assert(
      fc.property(acyclic, (steps) => {
        const order = topologicalOrder(steps);
        const placed = new Set<string>();
        for (const step of order) {
          expect(step.needs.every((need) => placed.has(need))).toBe(true);
          placed.add(step.id);
        }
        expect(placed.size).toBe(steps.length);
      }),
    );
  });

  it('is a programmer error on a cycle', () => {
    expect(() => topologicalOrder([{ id: 'a', needs: ['a'] }])).toThrow(/cycle/);
  });
});

describe('readySteps', () => {
  const ready = (...done: string[]): string[] =>
    readySteps(diamond, Object.fromEntries(done.map((id) => [id, 'accepted']))).map((s) => s.id);

  it('offers what needs nothing first', () => {
    expect(ready()).toEqual(['triage']);
  });

  it('offers steps whose needs are done, in the order of the file', () => {
    expect(ready('triage')).toEqual(['extract', 'answer']);
    expect(ready('triage', 'extract')).toEqual(['answer']);
    expect(ready('triage', 'extract', 'answer')).toEqual(['critic']);
  });

  it('offers nothing when all is done', () => {
    expect(ready(...diamond.map((step) => step.id))).toEqual([]);
  });

  it('is not misled by names that every object has', () => {
    expect(readySteps([{ id: 'constructor', needs: ['valueOf'] }], {})).toEqual([]);
    expect(readySteps([{ id: 'constructor', needs: [] }], {})).toHaveLength(1);
  });
});

describe('findCycle', () => {
  it('names the cycle and nothing before it', () => {
    const steps = [
      { id: 'start', needs: ['a'] },
      { id: 'a', needs: ['b'] },
      { id: 'b', needs: ['c'] },
      { id: 'c', needs: ['a'] },
    ];
    expect(findCycle(steps)).toEqual(['a', 'b', 'c', 'a']);
  });

  it('finds a step that needs itself', () => {
    expect(findCycle([{ id: 'a', needs: ['a'] }])).toEqual(['a', 'a']);
  });

  it('finds none in graphs without one, and one once an edge closes it', () => {
    expect(findCycle(diamond)).toBeNull();
    fc.assert(
      fc.property(acyclic, (steps) => {
        expect(findCycle(steps)).toBeNull();
        const [first] = topologicalOrder(steps);
        const last = topologicalOrder(steps).at(-1);
        if (first === undefined || last === undefined) return;
        const closed = steps.map((step) => {
          if (step.id === first.id) return { ...step, needs: [last.id] };
          return step.id === last.id ? { ...step, needs: [...step.needs, first.id] } : step;
        });
        expect(findCycle(closed)).not.toBeNull();
      }),
    );
  });
});

describe('ancestors', () => {
  it('finds what comes before, also through others, once', () => {
    expect([...ancestors(diamond, 'report')].sort()).toEqual([
      'answer',
      'critic',
      'extract',
      'triage',
    ]);
    expect([...ancestors(diamond, 'triage')]).toEqual([]);
  });
});
