import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { container, word, wordIn } from '../../../src/enforcer/bpf/layout.ts'
import type { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { enforcerWorld, idOf, web } from './enforcer-world.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('tasks that another build has bound', () => {
  const world = enforcerWorld()
  const { open, otherBuild, inForce, stateOf } = world
  const containersOf = (enforcer: BpfEnforcer) => stateOf(enforcer).maps.get('varmor_containers')!

  /** The tasks that programs of later builds find, still unbound. */
  function found(tasks: readonly { pid: number; cgroup: string }[]): void {
    const load = world.kernel.load.bind(world.kernel)
    world.kernel.load = async (options) => {
      const loaded = await load(options)
      if (!loaded.reused) world.kernel.folders.get(options.folder)!.tasks = tasks.map((task) => ({ ...task, bound: 0 }))
      return loaded
    }
  }

  it('are in the profile that their container gets only after the list of all containers', async () => {
    const before = await open()
    await before.load(web, 'one')
    await before.add({ id: idOf('a'), profile: web })
    stateOf(before).tasks = [{ pid: 10, cgroup: idOf('a'), bound: before.numberOf(idOf('a'))! }]
    found([{ pid: 10, cgroup: idOf('a') }])
    const now = await otherBuild()
    await now.load(web, 'one')
    await now.settle([])
    await now.expect(new Set([web]))
    await now.add({ id: idOf('a'), profile: web })
    await now.find()
    const number = stateOf(now).tasks[0]!.bound
    expect([number, world.kernel.inForce(now.folder, number)]).to.deep.equal([now.numberOf(idOf('a')), 'one'])
  })

  it('stay in their profile if the container ended while no agent ran', async () => {
    const before = await open()
    await before.load(web, 'one')
    await before.add({ id: idOf('a'), profile: web })
    const a = before.numberOf(idOf('a'))!
    stateOf(before).tasks = [{ pid: 10, cgroup: 'moved', bound: a }]
    found([{ pid: 10, cgroup: 'moved' }])
    const now = await otherBuild()
    await now.load(web, 'two')
    await now.settle([])
    await now.expect(new Set([web]))
    expect(now.beside).to.deep.equal([])
    expect(stateOf(now).tasks[0]!.bound).to.equal(a)
    expect(world.kernel.inForce(now.folder, a)).to.equal('two')
  })

  it('stay in their profile if the container ends before the other build is gone', async () => {
    const before = await open()
    await before.load(web, 'one')
    await before.add({ id: idOf('a'), profile: web })
    const a = before.numberOf(idOf('a'))!
    stateOf(before).tasks = [{ pid: 10, cgroup: 'moved', bound: a }]
    found([{ pid: 10, cgroup: 'moved' }])
    const now = await otherBuild()
    await now.load(web, 'two')
    await now.settle([{ id: idOf('a'), profile: web }])
    await now.remove(idOf('a'))
    await now.expect(new Set([web]))
    expect(now.beside).to.deep.equal([])
    expect(world.kernel.inForce(now.folder, a)).to.equal('two')
  })

  // The order of the folders depends on digests of the builds.
  for (const order of [0, 1, 2, 3, 4, 5])
    it(`stay in the profile that the first of three builds enforces (order ${order})`, async () => {
      const build = (text: string): Promise<BpfEnforcer> => {
        writeFileSync(join(world.folder, 'object'), `${text} ${order}`)
        return open()
      }
      const first = await build('first')
      await first.load(web, 'one')
      for (const name of ['a', 'ended']) await first.add({ id: idOf(name), profile: web })
      const [a, ended] = ['a', 'ended'].map((name) => first.numberOf(idOf(name))!)
      const facts = Buffer.alloc(container.size, 7)
      facts.writeUInt32LE(wordIn(containersOf(first).get(hex(word(ended!)))!, container.at.profile))
      for (const number of [a!, ended!]) containersOf(first).set(hex(word(number)), Buffer.from(facts))
      const tasks = [10, 12].map((pid) => ({ pid, cgroup: 'moved' }))
      stateOf(first).tasks = tasks.map((task, i) => ({ ...task, bound: [a, ended][i]! }))
      await first.remove(idOf('ended'))
      await first.find()
      found(tasks)
      // The second build is replaced before it knows the wanted profiles.
      const second = await build('second')
      await second.settle([{ id: idOf('a'), profile: web }])
      const third = await build('third')
      await third.load(web, 'two')
      await third.settle([{ id: idOf('a'), profile: web }])
      await third.expect(new Set([web]))
      expect(third.beside).to.deep.equal([])
      expect(stateOf(third).tasks.map(({ bound }) => bound)).to.deep.equal([a, ended])
      expect(inForce(third, 'a')).to.equal('two')
      expect(world.kernel.inForce(third.folder, ended!)).to.equal('two')
    })

  it('stay in their container if two agents at once give one number twice', async () => {
    const before = await open()
    await before.load(web, 'one')
    const now = await otherBuild()
    await now.load(web, 'one')
    await now.load('varmor-demo-other', 'weak')
    // The old agent still runs.
    await before.add({ id: idOf('x'), profile: web })
    stateOf(before).tasks = [{ pid: 10, cgroup: idOf('x'), bound: before.numberOf(idOf('x'))! }]
    stateOf(now).tasks = [{ pid: 10, cgroup: idOf('x'), bound: 0 }]
    await now.add({ id: idOf('y'), profile: 'varmor-demo-other' })
    await now.settle([
      { id: idOf('x'), profile: web },
      { id: idOf('y'), profile: 'varmor-demo-other' },
    ])
    expect(stateOf(now).tasks[0]!.bound).to.equal(now.numberOf(idOf('x')))
  })

  it('are bound by their cgroup alone if another process has detached programs of that build', async () => {
    const before = await open()
    await before.load(web, 'one')
    await before.add({ id: idOf('a'), profile: web })
    stateOf(before).tasks = [{ pid: 10, cgroup: 'moved', bound: before.numberOf(idOf('a'))! }]
    stateOf(before).links -= 1
    found([{ pid: 10, cgroup: 'moved' }])
    const now = await otherBuild()
    expect(stateOf(now).tasks[0]!.bound).to.equal(0)
  })
})
