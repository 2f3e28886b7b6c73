/** A Markdown table; cells may contain anything but line ends. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return row(head) + row(head.map(() => '---')) + lines.map(row).join('')
}

/**
 * The document with its tables replaced, by name; each is between `<!-- table: NAME -->` and `<!-- end -->`.
 * @throws {Error} when a table has no place
 */
export function withTables(document: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((text, [name, rows]) => {
    const place = new RegExp(`(<!-- table: ${name} -->\n)[^]*?(<!-- end -->)`)
    if (!place.test(text)) throw new Error(`the document has no place for the table ${JSON.stringify(name)}`)
    return text.replace(place, (_, start: string, end: string) => `${start}\n${rows}\n${end}`)
  }, document)
}
