import { expect } from 'chai'
import { armorProfile, fault, key, Node } from './node.ts'

describe('a profile on a node of which the ArmorProfile says what it is compiled from', () => {
  let node: Node
  beforeEach(() => {
    node = new Node()
  })
  afterEach(() => node.simulation.stop())

  it('is loaded as it is compiled for this node, and says what is left out there', async () => {
    node.apply({ carries: 'a policy', enforcer: 'AppArmorSeccomp' })
    const leftOut = [{ enforcer: 'AppArmor' as const, rule: 'disallow-create-user-ns', reason: 'the kernel is older' }]
    await node.simulation.runFor(100)
    await node.is({ state: 'loaded', enforcers: ['AppArmor', 'Seccomp'], leftOut })
    for (const fake of [node.appArmor, node.seccomp])
      expect(fake.texts.get('varmor-demo-web')).to.equal('made of a policy')
  })

  it('is compiled once, however often its object changes otherwise', async () => {
    node.apply({ carries: 'a policy' })
    await node.simulation.runFor(100)
    for (let generation = 2; generation < 5; generation++) node.apply({ carries: 'a policy', generation })
    await node.is({ state: 'loaded', generation: 4 })
    expect([node.compilations.length, node.appArmor.count('load')]).to.deep.equal([1, 1])
  })

  it('stays as it is until it is compiled', async () => {
    node.apply({ carries: 'one' })
    await node.simulation.runFor(100)
    node.apply({ carries: 'two', generation: 2 })
    await node.simulation.runFor(50)
    await node.is({ state: 'loaded', generation: 1 })
    expect(await node.watch.check()).to.deep.equal([])
    expect(node.appArmor.texts.get('varmor-demo-web')).to.equal('made of one')
    await node.simulation.runFor(50)
    await node.is({ state: 'loaded', generation: 2 })
  })

  it('is not loaded again where the contents that an older manager wrote are the same', async () => {
    node.apply({ text: 'made of one' })
    await node.is({ state: 'loaded', generation: 1 })
    node.apply({ text: 'made of one', carries: 'one', generation: 2 })
    await node.simulation.runFor(100)
    await node.is({ state: 'loaded', generation: 2 })
    expect([node.appArmor.count('load'), node.seccomp.count('load')]).to.deep.equal([1, 1])
  })

  it('is refused with the name of what this agent does not know, once, and what was loaded stays', async () => {
    node.apply({ carries: 'one' })
    await node.simulation.runFor(100)
    node.apply({ carries: 'unknown', generation: 2 })
    await node.simulation.runFor(100)
    const path = 'spec.policy.enhanceProtect.hardeningRules[0]'
    const message = `this agent does not know what the ArmorProfile says; update the agent to the manager's version: ${path}: no built-in rule has this name`
    await node.is({ state: 'failed', generation: 2, passing: false, message })
    expect(node.appArmor.texts.get('varmor-demo-web')).to.equal('made of one')
    await node.simulation.runFor(3_600_000)
    expect(node.compilations).to.deep.equal(['one', 'unknown'])
    node.apply({ carries: 'two', generation: 3 })
    await node.simulation.runFor(100)
    await node.is({ state: 'loaded', generation: 3 })
  })

  for (const [what, more] of [
    ['spec.isolation', { isolation: 'full' }],
    ['spec.source.rules', { source: { policy: 'one', rules: [] } }],
    ['spec.profile.landlock', { profile: { ...armorProfile().spec.profile, landlock: '' } }],
  ] as const)
    it(`is refused by name where the object has ${what}, which no schema of this agent has`, async () => {
      const object = armorProfile()
      Object.assign(object.spec, more)
      for (const one of node.wanted.set(key, object)) node.family.of(one).tell({ type: 'changed' })
      await node.simulation.settle()
      const { state, message } = node.standings.get(key)!
      expect([state, message]).to.satisfy(() => state === 'failed' && message!.includes(`version: ${what}: `))
      expect([node.compilations.length, node.appArmor.texts.size]).to.deep.equal([0, 0])
    })

  it('is tried again soon where compilers are busy, and late where it was too costly', async () => {
    node.compilation.failures = [fault('IO', 'busy'), fault('BAD_CONTENT', 'too costly')]
    node.apply({ carries: 'one' })
    await node.simulation.runFor(100)
    await node.is({ state: 'failed', passing: true, message: 'load the profile: busy' })
    await node.simulation.runFor(1_100)
    await node.is({ state: 'failed', passing: false, message: 'load the profile: too costly' })
    await node.simulation.runFor(240_000)
    expect(node.compilations).to.have.length(2)
    await node.simulation.runFor(600_000)
    await node.is({ state: 'loaded' })
  })

  it('goes with its policy, though it is being compiled', async () => {
    node.apply({ carries: 'one' })
    await node.simulation.runFor(50)
    node.apply({ carries: 'one', leaving: true, generation: 2 })
    await node.simulation.runFor(100)
    await node.is({ state: 'unloaded', generation: 2 })
    expect(node.appArmor.texts.size).to.equal(0)
  })
})
