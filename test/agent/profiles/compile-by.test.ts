import { expect } from 'chai'
import { type PlacedCompilers, placeCompilers } from '../../../actors/compiler/place-compilers.ts'
import { CompilerError, type CompilerErrorCode } from '../../../actors/compiler/ports.ts'
import { isLoadFailure } from '../../../actors/loaded-profile/ports.ts'
import { compileBy } from '../../../src/agent/profiles/compile-by.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import { type CarriedProfile, compileCarried, type NodeFacts } from '../../../src/profile/profile-source.ts'
import { newAppArmor } from '../../profile/apparmor/policies.ts'

const policy = {
  enforcer: 'AppArmorBPFSeccomp',
  mode: 'EnhanceProtect',
  enhanceProtect: { hardeningRules: ['disallow-create-user-ns', 'disallow-debug-disk-device'] },
}
const carried: CarriedProfile = {
  profileName: 'varmor-demo-web',
  enforcer: policy.enforcer,
  recording: false,
  source: { policy: JSON.stringify(policy) },
}

describe('the compilers of a node', () => {
  let placed: PlacedCompilers
  before(() => {
    placed = placeCompilers({ logger: noLogger, threads: 1 })
  })
  after(() => placed.stop())

  it('make on a thread of their own what the node is now', async () => {
    let node: NodeFacts = { appArmor: oldestAppArmor, blockDevices: [] }
    const compile = compileBy(placed, () => node)
    expect(await compile(carried, 'demo')).to.deep.equal(compileCarried(carried, node))
    node = { appArmor: newAppArmor, blockDevices: ['/dev/odd0'] }
    expect(await compile(carried, 'demo')).to.deep.equal(compileCarried(carried, node))
  })

  it('refuse by name what a newer manager has added', async () => {
    const source = { policy: JSON.stringify({ ...policy, mode: 'Quarantine' }) }
    const result = await compileBy(placed, () => ({ appArmor: oldestAppArmor, blockDevices: [] }))(
      { ...carried, source },
      'demo',
    )
    expect(result.ok ? [] : result.errors.map(({ path }) => path)).to.deep.equal(['spec.policy.mode'])
  })

  const rows: [code: CompilerErrorCode, retryable: boolean][] = [
    ['TOO_COSTLY', false],
    ['BUSY', true],
    ['STOPPED', true],
  ]
  for (const [code, retryable] of rows)
    it(`say ${code} as a failure that ${retryable ? 'passes' : 'lasts'}, asked once for the namespace`, async () => {
      const asked: unknown[] = []
      const compilers = {
        run: async (_job: string, _input: unknown, options: unknown) => {
          asked.push(options)
          throw new CompilerError(code, 'so many rules')
        },
      }
      const compile = compileBy(compilers, () => ({ appArmor: oldestAppArmor, blockDevices: [] }))
      const error: unknown = await compile(carried, 'demo').catch((thrown: unknown) => thrown)
      if (!isLoadFailure(error)) throw error
      expect(error).to.include({
        retryable,
        reason: 'cannot compile the profile on this node: so many rules',
      })
      expect(asked).to.deep.equal([{ tenant: 'demo', urgent: false, subject: carried.source }])
    })
})
