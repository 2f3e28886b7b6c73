import { expect } from 'chai'
import fc from 'fast-check'
import { EnforcerListings } from '../../../actors/loaded-profile/enforcer-listings.ts'
import type { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { allowed, FakeProfileLoader } from '../../fakes/profile-loader.ts'
import { armorProfile, fault, key, Node, type Spec } from './node.ts'

describe('a profile on a node', () => {
  let node: Node
  beforeEach(() => {
    node = new Node()
  })
  afterEach(() => node.simulation.stop())

  it('is loaded by each enforcer that the policy names, and acknowledged with its generation', async () => {
    node.apply({ generation: 3 })
    await node.is({ uid: 'u1', generation: 3, state: 'loaded', enforcers: ['AppArmor', 'Seccomp'] })
    expect(node.appArmor.texts.get('varmor-demo-web')).to.equal('rules')
    expect(node.seccomp.texts.get('varmor-demo-web')).to.equal('rules')
    expect(node.bpf.texts.size).to.equal(0)
  })

  it('with the same content is acknowledged, but not loaded again', async () => {
    node.apply()
    await node.is({ generation: 1 })
    node.apply({ generation: 2 })
    await node.is({ generation: 2, state: 'loaded' })
    expect(node.appArmor.count('load')).to.equal(1)
  })

  it('is replaced when it changes', async () => {
    node.apply()
    await node.simulation.settle()
    node.apply({ generation: 2, text: 'others' })
    await node.is({ generation: 2, state: 'loaded' })
    expect(node.appArmor.texts.get('varmor-demo-web')).to.equal('others')
  })

  it('is unloaded from an enforcer that the policy no longer names', async () => {
    node.apply({ enforcer: 'AppArmorBPF' })
    await node.is({ enforcers: ['AppArmor', 'BPF'] })
    node.apply({ enforcer: 'AppArmor', generation: 2 })
    await node.is({ generation: 2, enforcers: ['AppArmor'], state: 'loaded' })
    expect(node.bpf.texts.size).to.equal(0)
  })

  it('is unloaded and acknowledged with the end of its policy, and forgotten when the object is gone', async () => {
    node.apply()
    await node.simulation.settle()
    node.apply({ generation: 2, leaving: true })
    await node.is({ uid: 'u1', generation: 2, state: 'unloaded', enforcers: [] })
    expect(node.fakes.map(({ texts }) => texts.size)).to.deep.equal([0, 0, 0])
    node.remove()
    await node.simulation.settle()
    expect(node.standings.size).to.equal(0)
  })

  it('that pods still use allows everything after the end of its policy, and the policy need not wait', async () => {
    node.apply()
    await node.simulation.settle()
    node.used.add('varmor-demo-web')
    node.apply({ generation: 2, leaving: true })
    await node.is({ uid: 'u1', generation: 2, state: 'unloaded', enforcers: [] })
    for (const { texts } of [node.appArmor, node.seccomp]) expect(texts.get('varmor-demo-web')).to.equal(allowed)
    expect(node.bpf.texts.size).to.equal(0)
    expect(await node.watch.check(), 'nothing has drifted').to.deep.equal([])
    node.remove()
    await node.simulation.settle()
    expect(node.standings.size).to.equal(0)
    expect(node.appArmor.count('load')).to.equal(2)
    expect(node.appArmor.texts.get('varmor-demo-web')).to.equal(allowed)
    node.apply({ uid: 'u2', generation: 1 })
    await node.is({ uid: 'u2', state: 'loaded' })
    expect(node.appArmor.texts.get('varmor-demo-web'), 'a new policy of the name').to.equal('rules')
  })

  it('is unloaded when its object is gone, even if the agent missed the deletion', async () => {
    node.apply()
    await node.simulation.settle()
    node.remove()
    await node.simulation.settle()
    expect(node.appArmor.texts.size).to.equal(0)
  })

  for (const [what, back, text] of [
    ['its policy', () => node.apply({ uid: 'u2' }), 'rules'],
    ['a pod that names it', () => void node.used.add('varmor-demo-web'), allowed],
  ] as const)
    it(`stays if ${what} returns during the unload`, async () => {
      node.apply()
      await node.simulation.settle()
      const { unload } = node.appArmor
      node.appArmor.unload = async (name, needed) => {
        back()
        await unload.call(node.appArmor, name, needed)
      }
      node.remove()
      await node.simulation.runFor(10_000)
      expect(node.appArmor.count('unload')).to.equal(1)
      expect(node.appArmor.texts.get('varmor-demo-web')).to.equal(text)
    })

  it('that cannot be unloaded yet is retried until it is unloaded', async () => {
    node.apply()
    await node.simulation.settle()
    node.appArmor.unloadFaults = Array.from({ length: 5 }, () => fault('KERNEL_REFUSED', 'busy'))
    node.apply({ generation: 2, leaving: true })
    await node.is({ state: 'failed', message: 'AppArmor: load the profile: busy', passing: true })
    await node.simulation.runFor(120_000)
    await node.is({ state: 'unloaded' })
  })

  describe('that an enforcer cannot load', () => {
    it('is loaded by the other enforcers, and says which enforcer is absent and why', async () => {
      node = new Node(1, { BPF: 'BPF is not among the security modules' })
      node.apply({ enforcer: 'AppArmorBPFSeccomp' })
      await node.is({
        state: 'failed',
        enforcers: ['AppArmor', 'Seccomp'],
        absent: ['BPF'],
        message: 'BPF is absent: BPF is not among the security modules; loaded by AppArmor, Seccomp',
        passing: false,
      })
    })

    it('is loaded by the other enforcers while AppArmor waits for the parser', async () => {
      const waiting: unknown[] = []
      node.appArmor.load = (...asked) => new Promise(() => waiting.push(asked))
      node.apply({ enforcer: 'AppArmorBPFSeccomp' })
      await node.simulation.settle()
      expect(waiting).to.deep.equal([['varmor-demo-web', 'rules', 'demo']])
      expect(node.fakes.map((fake) => fake.texts.size)).to.deep.equal([0, 1, 1])
    })

    it('has all reasons in one message', async () => {
      node = new Node(1, { AppArmor: 'no AppArmor', Seccomp: 'no filters' })
      node.apply()
      await node.is({ state: 'failed', enforcers: [] })
      expect(node.standings.get(key)?.message).to.equal(
        'AppArmor is absent: no AppArmor; Seccomp is absent: no filters',
      )
    })

    it('says so when the object has no content for an enforcer that it names', async () => {
      const object = armorProfile()
      delete object.spec.profile.seccomp
      for (const one of node.wanted.set(key, object)) node.family.of(one).tell({ type: 'changed' })
      await node.is({
        state: 'failed',
        enforcers: ['AppArmor'],
        message: 'Seccomp: the ArmorProfile has no profile for this enforcer; loaded by AppArmor',
      })
    })

    it('is retried with growing backoff when the reason may pass', async () => {
      node.seccomp.faults = Array.from({ length: 6 }, () => fault('IO', 'no space'))
      node.apply()
      await node.is({ state: 'failed', passing: true, enforcers: ['AppArmor'] })
      await node.simulation.runFor(1_000)
      expect(node.seccomp.count('load')).to.be.within(2, 3)
      await node.simulation.runFor(60_000)
      await node.is({ state: 'loaded', enforcers: ['AppArmor', 'Seccomp'] })
      expect(node.seccomp.count('load')).to.equal(7)
      expect(node.appArmor.count('load')).to.equal(1)
    })

    it('is retried at once with new content, but with refused content only after some minutes', async () => {
      node.appArmor.faults = [fault('PROFILE_REJECTED', 'syntax error')]
      node.apply()
      await node.is({ state: 'failed', passing: false, enforcers: ['Seccomp'] })
      node.apply({ generation: 2 })
      await node.is({ state: 'failed', generation: 2 })
      // The intermediate checks must not delay the last attempt.
      node.watch.start()
      await node.simulation.runFor(200_000)
      expect(node.appArmor.count('load')).to.equal(1)
      await node.simulation.runFor(600_000)
      await node.is({ state: 'loaded' })
      node.appArmor.faults = [fault('PROFILE_REJECTED', 'syntax error')]
      node.apply({ generation: 3, text: 'bad' })
      await node.is({ state: 'failed' })
      node.apply({ generation: 4, text: 'good' })
      await node.is({ state: 'loaded', generation: 4 })
      node.watch.stop()
    })

    it('does not stop the repair of other enforcers', async () => {
      node.appArmor.faults = [fault('PROFILE_REJECTED')]
      node.apply()
      await node.simulation.settle()
      node.seccomp.texts.clear()
      await node.watch.check()
      await node.is({ state: 'failed', enforcers: ['Seccomp'] })
      expect(node.seccomp.texts.size).to.equal(1)
      expect(node.appArmor.count('load')).to.equal(1)
    })
  })

  describe('whose name another policy also has', () => {
    const first = { namespace: 'a', name: 'varmor-a-b-c', uid: 'u1', text: 'first', created: '2026-01-01T00:00:00Z' }
    const second = {
      namespace: 'a-b',
      name: 'varmor-a-b-c',
      uid: 'u2',
      text: 'second',
      created: '2026-01-02T00:00:00Z',
    }

    for (const [order, specs] of [
      ['first', [first, second]],
      ['last', [second, first]],
    ] as const)
      it(`is the older policy’s, learnt ${order}, until this policy is deleted`, async () => {
        for (const spec of specs) {
          node.apply(spec)
          await node.simulation.settle()
        }
        await node.is({ state: 'loaded' }, 'a/varmor-a-b-c')
        await node.is({ state: 'failed', enforcers: [] }, 'a-b/varmor-a-b-c')
        expect(node.standings.get('a-b/varmor-a-b-c')?.message).to.include('ArmorProfile a/varmor-a-b-c')
        expect(node.appArmor.texts.get('varmor-a-b-c')).to.equal('first')
        node.apply({ ...first, leaving: true })
        await node.is({ state: 'unloaded' }, 'a/varmor-a-b-c')
        await node.is({ state: 'loaded' }, 'a-b/varmor-a-b-c')
        expect(node.appArmor.texts.get('varmor-a-b-c')).to.equal('second')
      })
  })

  describe('that was lost behind the agent’s back', () => {
    it('is loaded again by the periodic check, without a report to the manager', async () => {
      node.watch.start()
      node.apply()
      await node.simulation.settle()
      node.appArmor.texts.clear()
      node.seccomp.damaged.add('varmor-demo-web')
      await node.simulation.runFor(90_000)
      node.watch.stop()
      expect(node.appArmor.texts.get('varmor-demo-web')).to.equal('rules')
      expect(node.seccomp.damaged.size).to.equal(0)
      await node.is({ state: 'loaded' })
    })

    it('is found by one listing for each enforcer of all profiles, and wakes only its own actor', async () => {
      for (let i = 0; i < 300; i++) node.apply({ name: `varmor-demo-p${i}` })
      await node.simulation.settle()
      expect(node.fakes.map((fake) => fake.count('list'))).to.deep.equal([1, 1, 1])
      node.appArmor.texts.delete('varmor-demo-p7')
      expect(await node.watch.check()).to.deep.equal(['demo/varmor-demo-p7'])
      await node.simulation.settle()
      expect(node.fakes.map((fake) => fake.count('list'))).to.deep.equal([2, 2, 2])
      expect(node.appArmor.texts.size).to.equal(300)
      expect(node.appArmor.count('load')).to.equal(301)
    })

    it('is not confused with changes by actors during the listing', async () => {
      const slow = new FakeProfileLoader('Seccomp')
      const listings = new EnforcerListings({ AppArmor: node.appArmor, BPF: node.bpf, Seccomp: slow })
      for (const name of ['varmor-a', 'varmor-b']) await slow.load(name, 'old')
      await listings.refresh()
      const { list } = slow
      slow.list = async () => {
        const before = await list.call(slow)
        await listings.load('Seccomp', 'varmor-a', { content: 'new', digest: 'digest of new' }, 'a')
        await listings.unload('Seccomp', 'varmor-b', async () => false)
        return before
      }
      await listings.refresh()
      expect([...(await listings.listing('Seccomp'))]).to.deep.equal([['varmor-a', 'digest of new']])
    })

    it('is not missed because another listing was already running', async () => {
      const seccomp = new FakeProfileLoader('Seccomp')
      const listings = new EnforcerListings({ AppArmor: node.appArmor, BPF: node.bpf, Seccomp: seccomp })
      await seccomp.load('varmor-a', 'old')
      let open = (): void => undefined
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      const { list } = seccomp
      seccomp.list = async () => {
        const before = await list.call(seccomp)
        await gate
        return before
      }
      const underWay = listings.refresh()
      await seccomp.unload('varmor-a')
      const looks = [listings.refresh(), listings.refresh()]
      open()
      await Promise.all([underWay, ...looks])
      expect([...(await listings.listing('Seccomp'))]).to.deep.equal([])
      expect(seccomp.count('list')).to.equal(2)
    })

    it('is not missed because one enforcer cannot be listed', async () => {
      node.apply()
      await node.simulation.settle()
      node.appArmor.listFaults = [fault('IO', 'EACCES')]
      node.seccomp.texts.clear()
      await node.watch.check()
      await node.simulation.settle()
      expect(node.errors).to.have.length(1)
      expect(node.seccomp.texts.size).to.equal(1)
    })
  })

  it('waits for the first listing when that fails', async () => {
    node.appArmor.listFaults = [fault('IO', 'EACCES')]
    node.apply()
    await node.is({ state: 'failed', passing: true })
    await node.simulation.runFor(5_000)
    await node.is({ state: 'loaded' })
  })

  it('is loaded among 1,000 profiles in bounded parallelism', async () => {
    for (const fake of node.fakes) fake.pause = () => new Promise((done) => void node.simulation.clock.after(10, done))
    for (let i = 0; i < 1_000; i++) node.apply({ name: `varmor-demo-p${i}` })
    await node.simulation.runFor(10_000)
    expect(node.appArmor.texts.size).to.equal(1_000)
    expect(node.seccomp.texts.size).to.equal(1_000)
    expect([...node.standings.values()].filter(({ state }) => state === 'loaded')).to.have.length(1_000)
    expect(node.appArmor.maxAtOnce).to.be.within(2, 64)
  })

  it('keeps no timer once it is loaded, and converges from the actual state when it wakes', async () => {
    node.apply()
    await node.simulation.runFor(600_000)
    expect(node.simulation.system.stats().families['loaded-profile']).to.deep.include({ passivated: 0 })
    expect(node.simulation.clock.timers).to.equal(0)
    node.apply({ generation: 2 })
    await node.is({ generation: 2, state: 'loaded' })
    expect(node.appArmor.count('load')).to.equal(1)
  })

  it('converges after a bug in an enforcer, and reports the bug to the manager', async () => {
    const { load } = node.appArmor
    let bugs = 3
    node.appArmor.load = async (name, content) => {
      if (bugs-- > 0) throw new TypeError('a bug')
      return load.call(node.appArmor, name, content)
    }
    node.apply()
    await node.is({ state: 'failed', passing: true })
    expect(node.standings.get(key)?.message).to.match(/the agent failed .*: TypeError: a bug/)
    await node.simulation.runFor(30_000)
    await node.is({ state: 'loaded', generation: 1 })
  })

  it('finally equals the newest object, whatever the node and the kernel do meanwhile', async () => {
    type Step = {
      kind: 'apply' | 'leave' | 'too-costly' | 'remove' | 'lose' | 'damage' | 'fail' | 'bug' | 'wait' | 'check'
      who: number
      of: number
      text: string
      carries: boolean
    }
    const step: fc.Arbitrary<Step> = fc.record({
      kind: fc.constantFrom(
        'apply',
        'apply',
        'leave',
        'too-costly',
        'remove',
        'lose',
        'damage',
        'fail',
        'bug',
        'wait',
        'check',
      ),
      who: fc.nat(2),
      of: fc.nat(2),
      text: fc.constantFrom('a', 'b', 'c'),
      carries: fc.boolean(),
    })
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), async (steps, seed) => {
      const world = new Node(seed)
      world.watch.start()
      const last = new Map<string, Spec>()
      let generation = 0
      for (const { kind, who, of, text, carries } of steps) {
        const name = `varmor-demo-p${who}`
        const loader = world.fakes[of]!
        const enforcer = ['AppArmor', 'AppArmorSeccomp', 'BPF'][of]!
        const spec = { name, text, generation: ++generation, enforcer, ...(carries && { carries: text }) }
        if (kind === 'apply' || (kind === 'leave' && last.has(name))) {
          last.set(name, { ...spec, leaving: kind === 'leave' })
          world.apply(last.get(name))
        } else if (kind === 'remove') {
          last.delete(name)
          world.remove(`demo/${name}`)
        } else if (kind === 'lose') loader.texts.delete(name)
        else if (kind === 'damage') loader.damaged.add(name)
        else if (kind === 'fail') loader.faults.push(fault(who === 0 ? 'PROFILE_REJECTED' : 'IO'))
        else if (kind === 'bug') loader.faults.push(new TypeError('a bug') as unknown as EnforcerError)
        else if (kind === 'too-costly') world.compilation.failures.push(fault(carries ? 'BAD_CONTENT' : 'IO'))
        else if (kind === 'check') await world.watch.check()
        else await world.simulation.runFor(who * 700)
      }
      for (const fake of world.fakes) fake.faults = []
      world.compilation.failures = []
      await world.simulation.runFor(1_800_000)
      for (let who = 0; who <= 2; who++) {
        const name = `varmor-demo-p${who}`
        const spec = last.get(name)
        const held = world.fakes
          .filter(({ texts, damaged }) => texts.has(name) && !damaged.has(name))
          .map((f) => f.enforcer)
        const wanted = world.wanted.get(`demo/${name}`)
        expect(held).to.deep.equal(wanted === undefined || wanted.leaving ? [] : [...wanted.contents!.keys()])
        const standing = world.standings.get(`demo/${name}`)
        if (spec === undefined) expect(standing).to.equal(undefined)
        else
          expect(standing).to.deep.include({ generation: spec.generation, state: spec.leaving ? 'unloaded' : 'loaded' })
      }
      world.watch.stop()
      await world.simulation.stop()
    })
    await fc.assert(property, { numRuns: 100 })
  })
})
