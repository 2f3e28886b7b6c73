import { expect } from 'chai'
import { markdownTable } from '../../src/base/markdown.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import { ruleTableOf } from '../../src/rules/kernels.ts'
import { listOfCategory, type RuleCategory } from '../../src/rules/meaning.ts'

describe('the tables of the built-in rules', () => {
  const rows = (Object.keys(listOfCategory) as RuleCategory[]).flatMap((category) => {
    const { head, rows: cells } = ruleTableOf(category)
    return markdownTable(head, cells).trimEnd().split('\n').slice(2)
  })
  const row = (name: string) => rows.find((text) => text.startsWith(`| \`${name}\``))

  it('have each rule once, those of the capabilities together', () => {
    expect(rows.filter((text) => text.startsWith('| `disable-cap-'))).to.have.length(1)
    const others = catalogue.filter(({ name }) => !name.startsWith('disable-cap-'))
    expect(rows).to.have.length(others.length + 1)
    for (const { name, stops } of others) {
      const found = rows.filter((text) => text.startsWith(`| \`${name}\``))
      expect(found).to.have.length(1)
      expect(found[0]).to.include(stops.replaceAll('|', '\\|'))
    }
  })

  it('say what carries a rule wholly, in part and not at all, and what takes more', () => {
    expect(row('disable-write-etc')).to.match(/ \| yes \| yes \| {2}\|$/)
    expect(row('disallow-mount')).to.match(/ \| partly \| partly \| partly \|$/)
    expect(row('disallow-create-user-ns')).to.match(/ \| 6\.7, AppArmor 4 \| yes \| yes \|$/)
    expect(row('block-access-to-kube-apiserver')).to.match(/ \| {2}\| --enableServiceEgressControl \| {2}\|$/)
  })
})
