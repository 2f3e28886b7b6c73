import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { limits, limitsAsMarkdown } from '../kernel/suite/evasions/limits.ts'

describe('src/profile/LIMITS.md', () => {
  const document = readFileSync(join(import.meta.dirname, '../../src/profile/LIMITS.md'), 'utf8')

  it('has each limit that the kernel tier shows, in its words, and no other', () => {
    expect(document.split('## Known ways past the enforcers\n\nThe enforcers cannot refuse these:\n\n')[1]).to.equal(
      limitsAsMarkdown(),
    )
  })

  it('is what the README points to', () => {
    expect(readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')).to.contain('(src/profile/LIMITS.md)')
  })

  it('says of each what helps', () => {
    for (const { what, why, remedy } of Object.values(limits))
      for (const text of [what, why, remedy]) expect(text).to.match(/^[A-Z].+\.$/)
  })

  it('has none that no test shows', () => {
    const texts = ['evasions', 'evasions-bpf', 'bpf'].flatMap((group) => {
      const folder = join(import.meta.dirname, '../kernel/suite', group)
      const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'limits.ts')
      return names.map((name) => readFileSync(join(folder, name), 'utf8'))
    })
    for (const [name, { enforcers }] of Object.entries(limits)) {
      const shown =
        enforcers === 'AppArmor' ? [`limit: '${name}'`] : [`onBpf: { limit: '${name}' }`, `shown('${name}')`]
      expect(
        shown.some((text) => texts.join('').includes(text)),
        name,
      ).to.equal(true)
    }
  })
})
