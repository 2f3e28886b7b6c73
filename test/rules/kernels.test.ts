import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { markdownTable, withTables } from '../../src/base/markdown.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import { kernelTable } from '../../src/rules/kernels.ts'

describe('the table of the built-in rules', () => {
  const { head, rows: cells } = kernelTable()
  const table = markdownTable(head, cells)
  const rows = table.trimEnd().split('\n').slice(2)
  const row = (name: string) => rows.find((text) => text.startsWith(`| \`${name}\``))

  it('stands in the README as the catalogue has it (npm run generate)', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
    expect(readme).to.equal(withTables(readme, { rules: table }))
  })

  it('has each rule once, those of the capabilities together', () => {
    expect(rows.filter((text) => text.startsWith('| `disable-cap-'))).to.have.length(1)
    const others = catalogue.filter(({ name }) => !name.startsWith('disable-cap-'))
    expect(rows).to.have.length(others.length + 1)
    for (const { name } of others) expect(rows.filter((text) => text.startsWith(`| \`${name}\``))).to.have.length(1)
  })

  it('says what carries a rule wholly, in part and not at all, and what takes more', () => {
    expect(row('disable-write-etc')).to.equal('| `disable-write-etc` | yes | yes |  |')
    expect(row('disallow-mount')).to.equal('| `disallow-mount` | partly | partly | partly |')
    expect(row('disallow-create-user-ns')).to.equal('| `disallow-create-user-ns` | 6.7, AppArmor 4 | 6.1 | yes |')
    const service = '| `block-access-to-kube-apiserver` |  | 6.1, --enableServiceEgressControl |  |'
    expect(row('block-access-to-kube-apiserver')).to.equal(service)
  })
})
