import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { container, word, wordIn } from '../../../src/enforcer/bpf/layout.ts'
import type { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { thrownBy } from '../loader-contract.ts'
import { enforcerWorld, idOf, web } from './enforcer-world.ts'
import { containers, fakeEncoder, slots } from './fake-kernel.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('programs of several builds', () => {
  const world = enforcerWorld()
  const { open, otherBuild, inForce, stateOf } = world
  const containersOf = (enforcer: BpfEnforcer) => stateOf(enforcer).maps.get('varmor_containers')!

  it('has programs of another build in force until the new ones hold all that those held', async () => {
    const before = await open()
    await before.add({ id: idOf('a'), profile: web })
    await before.load(web, 'one')
    await before.load('varmor-demo-gone', 'x')
    const now = await otherBuild()
    expect(now.folder).to.not.equal(before.folder)
    expect(readdirSync(join(world.folder, 'root'))).to.have.length(2)
    await now.settle([{ id: idOf('a'), profile: web }])
    await now.expect(new Set([web]))
    expect(world.kernel.inForce(before.folder, 1)).to.equal('one')
    await now.load(web, 'one')
    expect([...world.kernel.folders.keys()]).to.deep.equal([now.folder])
    expect(inForce(now, 'a')).to.equal('one')
  })

  it('is in the place of another build at once, so that no violation has two records', async () => {
    const before = await open()
    for (const name of ['a', 'b']) await before.add({ id: idOf(name), profile: web })
    await before.load(web, 'one')
    const now = await otherBuild()
    expect(now.beside).to.deep.equal([before.folder])
    await now.load(web, 'one')
    // The container starts while both builds are loaded, so only the new programs know it.
    await now.add({ id: idOf('new'), profile: web })
    stateOf(now).tasks = ['a', 'b', 'new'].map((name, i) => ({ pid: 10 + i, cgroup: idOf(name), bound: 0 }))
    const late = await now.settle(['a', 'b', 'new'].map((name) => ({ id: idOf(name), profile: web })))
    expect(late, 'ran without a profile').to.deep.equal(new Map([[idOf('new'), 1]]))
    expect(['a', 'b', 'new'].map((name) => inForce(now, name))).to.deep.equal([undefined, undefined, 'one'])
    world.kernel.onStep = (step) => {
      if (step === 'drop') expect(['a', 'b'].map((name) => inForce(now, name))).to.deep.equal(['one', 'one'])
    }
    await now.expect(new Set([web]))
    expect([...world.kernel.folders.keys()]).to.deep.equal([now.folder])
    expect(now.beside).to.deep.equal([])
  })

  it('calls containers and profiles as another build did, whose records are still read', async () => {
    const before = await open()
    for (const name of ['gone', 'a', 'b']) await before.add({ id: idOf(name), profile: web })
    await before.load('varmor-demo-gone', 'x')
    await before.load(web, 'one')
    const now = await otherBuild()
    await now.load('varmor-demo-new', 'x')
    await now.load(web, 'one')
    for (const name of ['new', 'b', 'a']) await now.add({ id: idOf(name), profile: web })
    for (const name of ['a', 'b']) expect(now.numberOf(idOf(name))).to.equal(before.numberOf(idOf(name)))
    expect(now.idOf(web)).to.equal(before.idOf(web))
    const inUse = ['gone', 'a', 'b'].map((name) => before.numberOf(idOf(name)))
    expect(inUse).not.to.include(now.numberOf(idOf('new')))
    expect([before.idOf(web), before.idOf('varmor-demo-gone')]).not.to.include(now.idOf('varmor-demo-new'))
    // When the agent learns that a container ended, it gives the container's number to other containers.
    await now.settle(['a', 'b', 'new'].map((name) => ({ id: idOf(name), profile: web })))
    const others = Array.from({ length: containers - 4 }, (_, i) => `c${i}`)
    for (const name of others) await now.add({ id: idOf(name), profile: web })
    expect(new Set(['a', 'b', 'new', ...others].map((name) => now.numberOf(idOf(name)))).size).to.equal(containers - 1)
  })

  it('binds tasks that the other build has bound, wherever they are now', async () => {
    const before = await open()
    await before.load(web, 'one')
    for (const name of ['a', 'ended']) await before.add({ id: idOf(name), profile: web })
    const [a, ended] = ['a', 'ended'].map((name) => before.numberOf(idOf(name))!)
    const facts = Buffer.from(Array.from({ length: container.size }, (_, i) => (i < 4 ? 0 : i)))
    facts.writeUInt32LE(wordIn(containersOf(before).get(hex(word(a!)))!, container.at.profile))
    for (const number of [a!, ended!]) containersOf(before).set(hex(word(number)), Buffer.from(facts))
    stateOf(before).tasks = [
      { pid: 10, cgroup: idOf('a'), bound: a! },
      { pid: 11, cgroup: 'moved', bound: a! },
      { pid: 12, cgroup: 'moved', bound: ended! },
    ]
    await before.remove(idOf('ended'))
    await before.find()
    // The new programs know the tasks only once they have seen them.
    const load = world.kernel.load.bind(world.kernel)
    world.kernel.load = async (options) => {
      const loaded = await load(options)
      if (!loaded.reused)
        world.kernel.folders.get(options.folder)!.tasks = [10, 11, 12].map((pid) => ({
          pid,
          cgroup: 'moved',
          bound: 0,
        }))
      return loaded
    }
    const now = await otherBuild()
    expect(stateOf(now).tasks.map(({ bound }) => bound)).to.deep.equal([a, a, ended])
    await now.load(web, 'two')
    await now.settle([{ id: idOf('a'), profile: web }])
    expect(world.kernel.inForce(now.folder, ended!)).to.equal(undefined)
    await now.expect(new Set([web]))
    for (const number of [a!, ended!]) {
      expect(world.kernel.inForce(now.folder, number)).to.equal('two')
      expect(
        containersOf(now)
          .get(hex(word(number)))!
          .subarray(4),
      ).to.deep.equal(facts.subarray(4))
    }
    expect(stateOf(now).follows).to.equal(undefined)
    // Nothing is left of them once they have ended.
    stateOf(now).tasks = []
    await now.find()
    expect(world.kernel.inForce(now.folder, ended!)).to.equal(undefined)
  })

  it('gives no number again that another build has given, whose last records may be unread', async () => {
    const before = await open()
    await before.add({ id: idOf('gone'), profile: web })
    await before.load('varmor-demo-gone', 'x')
    const gone = [before.numberOf(idOf('gone')), before.idOf('varmor-demo-gone')]
    await before.remove(idOf('gone'))
    await before.find()
    await before.unload('varmor-demo-gone')
    const now = await otherBuild()
    await now.add({ id: idOf('a'), profile: web })
    await now.load(web, 'one')
    expect(now.numberOf(idOf('a'))).to.equal(gone[0]! + 1)
    expect(now.idOf(web)).to.equal(gone[1]! + 1)
  })

  it('leaves to another build what it cannot load, and takes over the rest', async () => {
    const before = await open()
    await before.add({ id: idOf('a'), profile: web })
    await before.add({ id: idOf('b'), profile: 'varmor-demo-b' })
    await before.load(web, 'one')
    await before.load('varmor-demo-b', 'two')
    const now = await otherBuild()
    await now.expect(new Set([web, 'varmor-demo-b']))
    await now.settle([
      { id: idOf('a'), profile: web },
      { id: idOf('b'), profile: 'varmor-demo-b' },
    ])
    await now.load(web, 'three')
    world.kernel.onStep = (step) => {
      if (step === 'write varmor_v4') throw Object.assign(new Error('no'), { step, errno: 28, log: '' })
    }
    await thrownBy(now.load('varmor-demo-b', 'two'))
    expect([inForce(now, 'a'), inForce(now, 'b')]).to.deep.equal(['three', undefined])
    expect(world.kernel.inForce(before.folder, 2)).to.equal('two')
    world.kernel.onStep = () => undefined
    await now.load('varmor-demo-b', 'two')
    expect(inForce(now, 'b')).to.equal('two')
    expect([...world.kernel.folders.keys()]).to.deep.equal([now.folder])
  })

  for (const [what, give, keeps] of [
    ['is wanted no longer', (now: BpfEnforcer) => now.expect(new Set([web])), false],
    ['cannot be compiled', (now: BpfEnforcer) => now.refuse('varmor-demo-b'), true],
  ] as const)
    it(`does not wait for a profile of another build that ${what}`, async () => {
      const before = await open()
      await before.add({ id: idOf('a'), profile: web })
      for (const name of [web, 'varmor-demo-b']) await before.load(name, 'one')
      const now = await otherBuild()
      await now.expect(new Set([web, 'varmor-demo-b']))
      await now.settle([{ id: idOf('a'), profile: web }])
      await now.load(web, 'stricter')
      expect(inForce(now, 'a')).to.equal(undefined)
      await give(now)
      expect(inForce(now, 'a')).to.equal('stricter')
      expect(world.kernel.folders.has(before.folder)).to.equal(keeps)
    })

  it('says which option gives more room, and with it goes on with all that it held', async () => {
    const before = await open()
    const names = Array.from({ length: containers - 1 }, (_, i) => `c${i}`)
    for (const name of names) await before.add({ id: idOf(name), profile: web })
    for (let i = 0; i < slots - 3; i++) await before.load(`varmor-demo-${i}`, `${i}`)
    await before.load(web, 'one')
    const reasonOf = async (work: Promise<unknown>) => (await thrownBy(work)).reason
    expect(await reasonOf(before.add({ id: idOf('more'), profile: web }))).to.match(/15 places .* --bpf-containers/)
    expect(await reasonOf(before.load('varmor-demo-more', 'x'))).to.match(/6 places .* --bpf-profiles/)
    // One slot is reserved for a profile that replaces another.
    await before.load(web, 'two')
    await before.load(web, 'one')

    const now = await open({
      encoder: { ...fakeEncoder, slots: 2 * slots, tables: 2 * slots, containers: 2 * containers },
    })
    await now.load(web, 'one')
    await now.settle([...names, 'more'].map((name) => ({ id: idOf(name), profile: web })))
    expect(world.kernel.inForce(before.folder, 1)).to.equal('one')
    await now.expect(new Set([web]))
    expect([...names, 'more'].map((name) => inForce(now, name))).to.deep.equal(Array(containers).fill('one'))
    expect([...world.kernel.folders.keys()]).to.deep.equal([now.folder])
  })

  it('loads detached programs again, with all containers, and says so', async () => {
    let reopened = 0
    const enforcer = await open({ onReopened: () => reopened++ })
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one')
    await enforcer.load('varmor-demo-b', 'two')
    const first = enforcer.folder
    stateOf(enforcer).links--
    expect(await enforcer.list()).to.deep.equal(
      new Map([
        [web, ''],
        ['varmor-demo-b', ''],
      ]),
    )
    await enforcer.load(web, 'one')
    expect(reopened).to.equal(1)
    expect(enforcer.folder).to.not.equal(first)
    expect(inForce(enforcer, 'a')).to.equal('one')
    // The old build stays in force until all profiles are loaded again.
    expect(world.kernel.folders.has(first)).to.equal(true)
    await enforcer.load('varmor-demo-b', 'two')
    expect([...world.kernel.folders.keys()]).to.deep.equal([enforcer.folder])
  })
})
