/**
 * Rows under a header: the first column to the left, numbers to the right, each
 * as wide as its widest cell. Where the width does not suffice, the columns at
 * the right end are left out as wholes, so that no number is shown cut.
 */

export interface TextColumn<Row> {
  readonly title: string;
  cell(row: Row): string;
}

const gap = '  ';

export interface TextTable {
  readonly lines: readonly string[];
  /** Columns that found no room. */
  readonly omitted: number;
}

/** The first column is always there, however narrow the terminal. */
export function textTable<Row>(
  columns: readonly TextColumn<Row>[],
  rows: readonly Row[],
  widthMax: number,
): TextTable {
  const cells = columns.map(({ title, cell }) => [title, ...rows.map((row) => cell(row))]);
  const widths = cells.map((column) => Math.max(...column.map((text) => text.length)));
  let shown = 0;
  let width = 0;
  for (const columnWidth of widths) {
    width += columnWidth + (shown === 0 ? 0 : gap.length);
    if (shown > 0 && width > widthMax) break;
    shown += 1;
  }
  const lines = Array.from({ length: rows.length + 1 }, (_, row) =>
    cells
      .slice(0, shown)
      .map((column, index) => padded(column[row] ?? '', widths[index] ?? 0, index === 0))
      .join(gap)
      .trimEnd(),
  );
  return { lines, omitted: columns.length - shown };
}

function padded(text: string, width: number, left: boolean): string {
  return left ? text.padEnd(width) : text.padStart(width);
}
