import { expect } from 'chai'
import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import { catalogue } from '../../../../src/rules/catalogue.ts'
import { isImpossible } from '../../../../src/rules/meaning.ts'
import { differences, readShown, shownLine, tableOfRules } from '../cases/shown.ts'
import { rulesShown, shownNow } from './rules-shown.ts'

const keys = { AppArmor: 'appArmor', BPF: 'bpf', Seccomp: 'seccomp' } as const

/** Tells whether every test has passed or was skipped with a reason; false if only some tests were selected. */
function isWhole(suite: Mocha.Suite): boolean {
  let whole = true
  suite.eachTest((test: Mocha.Test) => {
    whole &&= test.isPassed() || test.isPending()
  })
  return whole
}

/**
 * Tests that the cases cover all rules that an enforcer supports, prints the results of each rule's tests, and compares
 * them with the documents. Cases count when their file is loaded, even if mocha runs only some of the tests.
 */
export function describeEveryRule(...enforcers: readonly KernelEnforcer[]): void {
  describe('Every built-in rule', () => {
    for (const enforcer of enforcers)
      it(`that ${enforcer} carries has a case here, and no other has`, () => {
        const carried = catalogue.filter((rule) => !isImpossible(rule[keys[enforcer]])).map(({ name }) => name)
        expect([...rulesShown[enforcer].keys()]).to.have.members(carried)
      })
  })

  after('what was shown of each rule is what shown.json says', function () {
    const now = shownNow(enforcers)
    console.log(`\n${tableOfRules(now)}`)
    if (!isWhole(this.test!.parent!)) return
    console.log(shownLine(now))
    const found = differences(readShown(), now)
    const remedy =
      'if this is meant, write what the run has printed to suite/cases/shown.json, as test/kernel/README.md says'
    if (found.length > 0) throw new Error([`shown.json says something else; ${remedy}:`, ...found].join('\n'))
  })
}
