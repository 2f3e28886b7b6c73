import { readFileSync, writeFileSync } from 'node:fs'
import { markdownTable, withTables } from '../src/base/markdown.ts'
import { kernelTable } from '../src/rules/kernels.ts'

// Writes the README's table of the built-in rules. Run it as `npm run generate`; a test fails while it differs from the catalogue.

const path = new URL('../README.md', import.meta.url)
const { head, rows } = kernelTable()
writeFileSync(path, withTables(readFileSync(path, 'utf8'), { rules: markdownTable(head, rows) }))
console.log('README.md')
