import { expect } from 'chai'
import { ready, worldOf } from './policy-world.ts'
import { policySpec } from './world.ts'

const AP = 'varmor-demo-web'

describe('a policy of which enforcers leave something out', () => {
  it('names the rules that an enforcer cannot carry', async () => {
    const world = worldOf(1)
    const key = world.policy('web', policySpec({ rules: ['disallow-write-core-pattern'], enforcer: 'AppArmorSeccomp' }))
    await ready(world, key)
    expect(world.condition(key, 'RulesSkipped')?.message).to.contain('disallow-write-core-pattern')
    expect(world.condition(key, 'Ready')).to.deep.include({
      status: 'True',
      reason: 'PartlyEnforced',
      message: 'left out by Seccomp: disallow-write-core-pattern',
    })
    expect(world.getPolicy(key)?.status).to.deep.include({
      phase: 'Protecting',
      summary: 'Protecting, left out by Seccomp: disallow-write-core-pattern',
    })
  })

  it('names the nodes whose kernel leaves out more than all do', async () => {
    const world = worldOf(2)
    const reason = 'its kernel has no word for it'
    world.agents.get('node-1')!.leftOut = [
      { enforcer: 'AppArmor', rule: 'disallow-write-core-pattern', reason },
      { enforcer: 'Seccomp', rule: 'disallow-write-core-pattern', reason },
    ]
    const key = world.policy('web', policySpec({ rules: ['disallow-write-core-pattern'], enforcer: 'AppArmorSeccomp' }))
    await ready(world, key)
    await world.runFor(5_000)
    expect(world.condition(key, 'Ready')).to.deep.include({
      reason: 'PartlyEnforced',
      message:
        'left out by Seccomp: disallow-write-core-pattern; left out on node-1 by AppArmor: disallow-write-core-pattern',
    })
  })

  it('of whose rules none is enforced is not Ready, says which enforcer would, and is Ready with that', async () => {
    const world = worldOf(2)
    const key = world.policy('web', policySpec({ rules: ['disallow-write-core-pattern'], enforcer: 'Seccomp' }))
    await world.runFor(10_000)
    expect(world.getProfile(AP)?.status?.currentNumberLoaded).to.equal(2)
    expect(world.getPolicy(key)?.status).to.deep.include({
      ready: false,
      phase: 'Error',
      summary: 'Error: NothingEnforced',
    })
    expect(world.condition(key, 'Ready')).to.deep.include({ status: 'False', reason: 'NothingEnforced' })
    expect(world.condition(key, 'Ready')?.message).to.contain('add AppArmor or BPF to spec.policy.enforcer')
    world.api.update(key, (policy) => {
      policy.spec = policySpec({ rules: ['disallow-write-core-pattern'], enforcer: 'AppArmorSeccomp' })
    })
    await ready(world, key)
  })

  it('whose rules only a newer AppArmor knows is Ready where a node has one, and not where none has', async () => {
    const world = worldOf(2)
    const lacking = [{ enforcer: 'AppArmor' as const, rule: 'disallow-create-user-ns', reason: 'needs AppArmor 4.0' }]
    const [first, second] = ['node-0', 'node-1'].map((name) => world.agents.get(name)!)
    first!.leftOut = lacking
    second!.leftOut = lacking
    const userns = () => policySpec({ rules: ['disallow-create-user-ns'] })
    const old = world.policy('old', userns())
    await world.runFor(10_000)
    expect(world.getPolicy(old)?.status).to.deep.include({ ready: false, phase: 'Error' })
    expect(world.condition(old, 'Ready')).to.deep.include({ status: 'False', reason: 'NothingEnforced' })
    expect(world.condition(old, 'Ready')?.message).to.contain('add BPF or Seccomp to').and.contain('update the nodes')
    second!.leftOut = []
    const mixed = world.policy('mixed', userns())
    await ready(world, mixed)
    await world.runFor(5_000)
    const message = 'left out on node-0 by AppArmor: disallow-create-user-ns'
    expect(world.condition(mixed, 'Ready')).to.deep.include({ reason: 'PartlyEnforced', message })
    first!.leftOut = []
    const fresh = world.policy('fresh', userns())
    await ready(world, fresh)
    await world.runFor(5_000)
    expect(world.condition(fresh, 'Ready')).to.deep.include({ reason: 'AllAgentsReady', message: '' })
    expect(world.condition(fresh, 'RulesSkipped')).to.equal(undefined)
  })
})
