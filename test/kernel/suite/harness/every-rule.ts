import { expect } from 'chai'
import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import { catalogue } from '../../../../src/rules/catalogue.ts'
import { isImpossible } from '../../../../src/rules/meaning.ts'
import { resultLines, rulesShown } from './rules-shown.ts'

const keys = { AppArmor: 'appArmor', BPF: 'bpf', Seccomp: 'seccomp' } as const

/**
 * Tests that the cases are about all rules that an enforcer carries, and prints how the tests of each have ended. It holds for the folder as
 * a whole: the cases of a file count when it is loaded, whichever tests are chosen.
 */
export function describeEveryRule(...enforcers: readonly KernelEnforcer[]): void {
  describe('Every built-in rule', () => {
    for (const enforcer of enforcers)
      it(`that ${enforcer} carries has a case here, and no other has`, () => {
        const carried = catalogue.filter((rule) => !isImpossible(rule[keys[enforcer]])).map(({ name }) => name)
        expect([...rulesShown[enforcer]]).to.have.members(carried)
      })
  })

  after('say what was shown of each rule', () => {
    const lines = resultLines()
    if (lines.length > 0) console.log(['', '  Rules', ...lines.map((line) => `    ${line}`), ''].join('\n'))
  })
}
