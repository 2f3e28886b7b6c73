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
    const message = `this agent does not know fields of the ArmorProfile; run the agent in the manager's version: ${path}: no built-in rule has this name`
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

  const textsOf = (one = key) => Array.from(node.wanted.get(one)!.contents!.values(), (content) => content?.content)

  it('is not kept once it is loaded, and compiled again when the node has lost it', async () => {
    node.apply({ carries: 'one', enforcer: 'AppArmor' })
    await node.simulation.runFor(100)
    await node.is({ state: 'loaded' })
    expect(textsOf()).to.deep.equal([undefined])
    expect(await node.watch.check()).to.deep.equal([])
    expect(node.compilations).to.deep.equal(['one'])
    node.appArmor.texts.clear()
    expect(await node.watch.check()).to.deep.equal([key])
    await node.simulation.runFor(100)
    expect(node.appArmor.texts.get('varmor-demo-web')).to.equal('made of one')
    await node.is({ state: 'loaded' })
    expect([textsOf(), node.compilations]).to.deep.equal([[undefined], ['one', 'one']])
  })

  for (const [what, message] of [
    ['cannot be compiled', 'AppArmor: load the profile: busy'],
    ['changes', 'AppArmor: it has changed'],
  ] as const)
    it(`is loaded in the end where it ${what} while it is compiled again`, async () => {
      node.apply({ carries: 'one', enforcer: 'AppArmor' })
      await node.simulation.runFor(100)
      await node.is({ state: 'loaded' })
      node.appArmor.texts.clear()
      if (what !== 'changes') node.compilation.failures = [fault('IO', 'busy')]
      await node.watch.check()
      await node.simulation.runFor(50)
      if (what === 'changes') node.apply({ carries: 'two', enforcer: 'AppArmor', generation: 2 })
      await node.simulation.runFor(10_000)
      expect(node.reports.map((one) => one.message)).to.include(message)
      await node.is({ state: 'loaded', generation: what === 'changes' ? 2 : 1 })
      expect(node.appArmor.texts.get('varmor-demo-web')).to.equal(what === 'changes' ? 'made of two' : 'made of one')
    })

  const large = 'x'.repeat(9 * 1024 * 1024)

  it('is kept while it is refused, as far as there is room, and else compiled again for each try, which come less often', async () => {
    node.watch.start()
    node.appArmor.faults = Array.from({ length: 400 }, () => fault('KERNEL_REFUSED', 'full'))
    for (const name of ['a', 'b']) {
      node.apply({ name: `varmor-demo-${name}`, carries: name + large, enforcer: 'AppArmor' })
      await node.simulation.runFor(150)
    }
    await node.simulation.runFor(3_600_000)
    const tries = (name: string) => [
      node.compilations.filter((one) => one[0] === name).length,
      node.appArmor.count(`load varmor-demo-${name}`),
    ]
    const [kept, tried] = tries('a')
    expect([kept, textsOf('demo/varmor-demo-a')[0]?.length]).to.deep.equal([1, large.length + 'made of a'.length])
    expect(tried).to.be.above(50)
    const [again, seldom] = tries('b')
    expect([again, textsOf('demo/varmor-demo-b')]).to.deep.equal([seldom, [undefined]])
    expect(seldom).to.be.within(8, 25)
    node.appArmor.faults = []
    await node.simulation.runFor(700_000)
    for (const name of ['a', 'b']) await node.is({ state: 'loaded' }, `demo/varmor-demo-${name}`)
    expect(textsOf('demo/varmor-demo-a')).to.deep.equal([undefined])
  })

  const meanwhile: { what: string; happens: () => void; compiled: number; tried: number }[] = [
    { what: 'is left to its time by a look that finds nothing else', happens: () => undefined, compiled: 0, tried: 0 },
    {
      what: 'does not keep what was lost of another enforcer from being put back',
      happens: () => node.appArmor.texts.clear(),
      compiled: 1,
      tried: 0,
    },
    { what: 'is tried at once where it has changed', happens: () => apply({ generation: 2 }), compiled: 1, tried: 1 },
  ]
  const apply = (more: object = {}) => node.apply({ carries: large, enforcer: 'AppArmorBPF', ...more })
  for (const { what, happens, compiled, tried } of meanwhile)
    it(`that is compiled again for each try ${what}`, async () => {
      node.bpf.faults = Array.from({ length: 400 }, () => fault('KERNEL_REFUSED', 'full'))
      apply()
      await node.simulation.runFor(3_600_000)
      const counts = (): number[] => [node.compilations.length, node.bpf.count('load')]
      const [compilations = 0, loads = 0] = counts()
      happens()
      for (let poll = 0; poll < 3; poll++) {
        await node.watch.check()
        await node.simulation.runFor(1_000)
      }
      await node.is({ state: 'failed', passing: true, message: 'BPF: load the profile: full; loaded by AppArmor' })
      expect(counts()).to.deep.equal([compilations + compiled, loads + tried])
      node.bpf.faults = []
      await node.simulation.runFor(700_000)
      await node.is({ state: 'loaded', enforcers: ['AppArmor', 'BPF'] })
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
