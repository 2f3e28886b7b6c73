/** Maximum width of a column, so that one long cell does not widen its column for all rows. */
const MAX_WIDTH = 64

/** Rows of cells in aligned columns. */
export function columns(rows: readonly (readonly string[])[]): string {
  return paddedCells(rows)
    .map((row) => row.join('  ').trimEnd())
    .join('\n')
}

/**
 * The cells of rows, padded to the width of their column.
 * @param widths widths of the columns. The function increases these for wider cells. Pass the same widths again to
 * align the next rows with the earlier rows.
 */
export function paddedCells(rows: readonly (readonly string[])[], widths: number[] = []): string[][] {
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, Math.min(cell.length, MAX_WIDTH))
  }
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)))
}
