import { expect, test } from 'vitest';
import { type TextColumn, textTable } from '../../src/cli/text-table.ts';

const columns: readonly TextColumn<readonly string[]>[] = ['NAME', 'A', 'LONG', 'B'].map(
  (title, index) => ({ title, cell: (row) => row[index] ?? '' }),
);
const rows = [
  ['first', '1', '20', '3'],
  ['second one', '100', '2', ''],
];

test('names stand to the left and numbers to the right, each column as wide as it has to be', () => {
  expect(textTable(columns, rows, 80)).toEqual({
    lines: ['NAME          A  LONG  B', 'first         1    20  3', 'second one  100     2'],
    omitted: 0,
  });
});

test.each([
  [24, 0],
  [23, 1],
  [21, 1],
  [20, 2],
  [14, 3],
  [1, 3],
])('in %d characters %d columns are left out, and none is cut', (width, omitted) => {
  const table = textTable(columns, rows, width);
  expect(table.omitted).toBe(omitted);
  expect(table.lines[2]).toMatch(/^second one/);
  const longest = Math.max(...table.lines.map((line) => line.length));
  expect(longest).toBeLessThanOrEqual(Math.max(width, 'second one'.length));
});

test('no rows leave the header', () => {
  expect(textTable(columns, [], 80).lines).toEqual(['NAME  A  LONG  B']);
});
