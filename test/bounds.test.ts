import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from './cli/run.ts'

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const cellsOf = (line: string): string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim())

/** Rows of the tables, without header and rule, which come first in each table. */
const rows = read('docs/design/bounds.md')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map(cellsOf)

describe('the record of bounds', () => {
  it('has a table for each role', () => {
    const headings = Array.from(read('docs/design/bounds.md').matchAll(/^## (.+)$/gm), ([, title]) => title)
    expect(headings).to.deep.equal(['Manager', 'Webhook and other servers', 'Agent'])
    expect(rows.length).to.be.greaterThan(40)
  })

  for (const [file = '', bound = '', filledBy = '', whenFull = '', test = ''] of rows) {
    const [, code = ''] = /^`(.+)`$/.exec(bound) ?? []
    const [, source = ''] = /^`(.+)`$/.exec(file) ?? []
    it(`is true of ${code} in ${source}, and names a test that fills it`, () => {
      expect(existsSync(join(ROOT, source)), source).to.equal(true)
      expect(read(source), source).to.include(code)
      expect([filledBy, whenFull]).not.to.include('')
      const [, testFile = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(test) ?? []
      expect(existsSync(join(ROOT, testFile)), test).to.equal(true)
      const titles = Array.from(
        read(testFile).matchAll(/\bit\(\s*(?:'([^'\n]*)'|`([^`\n]*)`)/g),
        (all) => all[1] ?? all[2],
      )
      expect(
        titles.some((one) => one?.includes(title)),
        test,
      ).to.equal(true)
    })
  }
})
