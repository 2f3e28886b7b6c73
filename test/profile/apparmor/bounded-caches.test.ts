import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import type { Policy } from '../../../src/api/types.ts'
import { mebibyte } from '../../../src/base/bytes.ts'
import { compileAppArmor } from '../../../src/profile/apparmor/compile-apparmor.ts'
import { newestAppArmor } from '../../../src/profile/context.ts'
import { catalogue } from '../../../src/rules/catalogue.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes by which the heap grows during `count` calls of `compile`, after `first` calls that fill the cache. */
function growth(first: number, count: number, compile: (i: number) => void): number {
  const used = (): number => {
    for (let i = 0; i < 3; i++) collect()
    return process.memoryUsage().heapUsed
  }
  for (let i = 0; i < first; i++) compile(i)
  const before = used()
  for (let i = first; i < first + count; i++) compile(i)
  return used() - before
}

const compile = (profileName: string, policy: Policy): void => {
  const { ok } = compileAppArmor(policy, 'spec.policy', { profileName, appArmor: newestAppArmor })
  expect(ok).to.equal(true)
}

describe('caches of the AppArmor compiler', () => {
  it('keep the lines of a bounded number of comments: each profile has its name in a comment', () => {
    const policy: Policy = { enforcer: 'AppArmor', mode: 'AlwaysAllow' }
    const name = 'a'.repeat(180)
    const bytes = growth(300, 10_000, (i) => compile(`varmor-demo-${name}-${i}`, policy))
    expect(bytes).to.be.below(2 * mebibyte)
  }).timeout(300_000)

  it('keep the rules for directories of a bounded number of selections: a tenant can select rules in any order', () => {
    const rules = catalogue.filter(({ category }) => category === 'attack-protection').map(({ name }) => name)
    const bytes = growth(70, 200, (i) => {
      // Each i gives another order of the rules.
      const moved = rules.filter((_, at) => ((i >> at) & 1) === 1)
      const others = rules.filter((name) => !moved.includes(name))
      compile('varmor-demo-web', {
        enforcer: 'AppArmor',
        mode: 'EnhanceProtect',
        enhanceProtect: { privileged: true, attackProtectionRules: [{ rules: [...moved, ...others] }] },
      })
    })
    expect(bytes).to.be.below(2 * mebibyte)
  }).timeout(300_000)
})
