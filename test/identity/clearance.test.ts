/** The algebra of labels, over levels of any number and labels of any spelling. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  defaultLevels,
  dominates,
  highest,
  highestLevel,
  type Levels,
  levelsSchema,
  lowerClearance,
  lowestLevel,
  readableBy,
} from '../../src/identity/clearance.ts';
import { limits } from '../../src/kernel/limits.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,6}$/);
const levelsOf = fc.uniqueArray(name, { minLength: 2, maxLength: limits.clearanceLevelsMax });

/** Levels, and some labels of which a few may be of no level. */
const labelled = levelsOf.chain((levels) =>
  fc.record({
    levels: fc.constant<Levels>(levels),
    labels: fc.array(fc.oneof(fc.constantFrom(...levels), name), { maxLength: 6 }),
    clearance: fc.oneof(fc.constantFrom(...levels), name),
  }),
);

describe('labels', () => {
  test('of several the highest is one of them that all others are not above', () => {
    fc.assert(
      fc.property(labelled, ({ levels, labels }) => {
        const found = highest(levels, labels);
        expect([lowestLevel(levels), ...labels]).toContain(found);
        // Whoever may read what was made of them may read each of them.
        for (const clearance of levels) {
          const all = labels.every((label) => dominates(levels, clearance, label));
          expect(dominates(levels, clearance, found)).toBe(all);
        }
      }),
    );
  });

  test('are joined in any order and grouping alike', () => {
    fc.assert(
      fc.property(labelled, fc.nat(6), ({ levels, labels }, at) => {
        const known = labels.filter((label) => levels.includes(label));
        const whole = highest(levels, known);
        const [one, other] = [known.slice(0, at), known.slice(at)];
        expect(highest(levels, [highest(levels, other), highest(levels, one)])).toBe(whole);
        expect(highest(levels, known.toReversed())).toBe(whole);
        expect(highest(levels, [whole, whole])).toBe(whole);
      }),
    );
  });

  test('that no level has are read by nobody, and such a clearance reads nothing', () => {
    fc.assert(
      fc.property(labelled, ({ levels, labels, clearance }) => {
        for (const label of labels) {
          const isKnown = levels.includes(label) && levels.includes(clearance);
          expect(dominates(levels, clearance, label) && !isKnown).toBe(false);
        }
        expect(dominates(levels, highestLevel(levels), 'no level')).toBe(false);
      }),
    );
  });

  test('the lower of two clearances reads what both read', () => {
    fc.assert(
      fc.property(labelled, ({ levels, labels, clearance }) => {
        for (const other of levels) {
          const lower = lowerClearance(levels, clearance, other);
          for (const label of labels) {
            const both = dominates(levels, clearance, label) && dominates(levels, other, label);
            expect(dominates(levels, lower, label)).toBe(both);
          }
        }
      }),
    );
  });
});

test('a filter leaves what may be read, in its order, and what nobody labelled', () => {
  const items = [
    { text: 'a', label: 'secret' },
    { text: 'b' },
    { text: 'c', label: 'internal' },
    { text: 'd', label: 'misspelt' },
  ];
  const label = (item: { readonly label?: string }): string | undefined => item.label;
  const readable = (clearance: string): string[] =>
    items.filter(readableBy(defaultLevels, clearance, label)).map(({ text }) => text);
  expect(readable('internal')).toEqual(['b', 'c']);
  expect(readable('secret')).toEqual(['a', 'b', 'c']);
  expect(readable('misspelt')).toEqual([]);
});

test('levels are names, each once, and no more than there may be', () => {
  const parses = (levels: unknown): boolean => levelsSchema.safeParse(levels).success;
  expect(parses(['low', 'high'])).toBe(true);
  expect(parses(['low'])).toBe(false);
  expect(parses(['low', 'low'])).toBe(false);
  expect(parses(['low', 'very high'])).toBe(false);
  const many = Array.from({ length: limits.clearanceLevelsMax + 1 }, (_, index) => `l${index}`);
  expect(parses(many)).toBe(false);
  expect(parses(many.slice(1))).toBe(true);
});
