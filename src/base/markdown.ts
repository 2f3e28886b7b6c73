/** A Markdown table; cells must not contain line ends. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return row(head) + row(head.map(() => '---')) + lines.map(row).join('')
}

/**
 * The document with its tables replaced. A table named NAME is between `<!-- table: NAME -->` and `<!-- end -->`.
 * @throws {Error} if the document lacks the markers of a table
 */
export function withTables(document: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((text, [name, rows]) => {
    const place = new RegExp(`(<!-- table: ${name} -->\n)[^]*?(<!-- end -->)`)
    if (!place.test(text))
      throw new Error(`the document does not contain the markers of the table ${JSON.stringify(name)}`)
    return text.replace(place, (_, start: string, end: string) => `${start}\n${rows}\n${end}`)
  }, document)
}
