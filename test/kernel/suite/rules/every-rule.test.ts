import { expect } from 'chai'
import { catalogue } from '../../../../src/rules/catalogue.ts'
import { isImpossible } from '../../../../src/rules/meaning.ts'
import { rulesShown } from '../harness/rules-shown.ts'

// Holds for the folder as a whole: the cases of a file count when it is loaded, whichever tests are chosen.
describe('Every built-in rule', () => {
  for (const [enforcer, key] of [
    ['AppArmor', 'appArmor'],
    ['Seccomp', 'seccomp'],
  ] as const)
    it(`that ${enforcer} carries has a case here, and no other has`, () => {
      const carried = catalogue.filter((rule) => !isImpossible(rule[key])).map(({ name }) => name)
      expect([...rulesShown[enforcer]]).to.have.members(carried)
    })
})
