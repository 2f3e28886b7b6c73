import { expect } from 'chai'
import fc from 'fast-check'
import { expandVariables } from '../../../src/sandbox/kubelet/expand-variables.ts'

const values = new Map([
  ['A', 'one'],
  ['B', '$(A)'],
  ['EMPTY', ''],
])

const rows: [text: string, expanded: string][] = [
  ['$(A)', 'one'],
  ['x$(A)y$(A)', 'xoneyone'],
  ['$(B)', '$(A)'],
  ['$(EMPTY)', ''],
  ['$(C)', '$(C)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$one'],
  ['$$$$(A)', '$$(A)'],
  ['$(A', '$(A'],
  ['$A $[A] $', '$A $[A] $'],
  ['$(A$(A))', '$(A$(A))'],
  ['$()', '$()'],
  ['$(A\n)', '$(A\n)'],
  ['$', '$'],
  ['', ''],
]

describe('references to variables', () => {
  for (const [text, expanded] of rows)
    it(`${JSON.stringify(text)} is ${JSON.stringify(expanded)}`, () =>
      expect(expandVariables(text, values)).to.equal(expanded))

  it('can be written so that nothing is expanded', () => {
    const text = fc.string({ unit: fc.constantFrom('$', '(', ')', 'A', 'x', '\n') })
    fc.assert(
      fc.property(text, (plain) => {
        expect(expandVariables(plain.replaceAll('$', '$$$$'), values)).to.equal(plain)
      }),
    )
  })

  it('are the same in a text of several parts as in each of them', () => {
    const part = fc.constantFrom('a', '$$', '$(A)', '$(C)', ' ')
    fc.assert(
      fc.property(fc.array(part), fc.array(part), (one, other) => {
        const expand = (parts: string[]): string => expandVariables(parts.join(''), values)
        expect(expand([...one, ...other])).to.equal(expand(one) + expand(other))
      }),
    )
  })
})
