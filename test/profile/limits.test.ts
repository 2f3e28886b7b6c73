import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { limits, limitsAsMarkdown } from '../kernel/suite/evasions/limits.ts'

describe('src/profile/LIMITS.md', () => {
  const document = readFileSync(join(import.meta.dirname, '../../src/profile/LIMITS.md'), 'utf8')

  it('has each limit that the kernel tier shows, in its words, and no other', () => {
    expect(document.slice(document.indexOf('\n- ') + 1)).to.equal(limitsAsMarkdown())
  })

  it('is what the README points to', () => {
    expect(readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')).to.contain('(src/profile/LIMITS.md)')
  })

  it('says of each what helps', () => {
    for (const { what, why, remedy } of Object.values(limits))
      for (const text of [what, why, remedy]) expect(text).to.match(/^[A-Z].+\.$/)
  })

  it('has none that no test shows', () => {
    const folder = join(import.meta.dirname, '../kernel/suite/evasions')
    const tests = readdirSync(folder).filter((name) => name.endsWith('.test.ts'))
    const texts = tests.map((name) => readFileSync(join(folder, name), 'utf8')).join('')
    for (const name of Object.keys(limits)) expect(texts).to.contain(`limit: '${name}'`)
  })
})
