import { expect } from 'chai'
import { numberIn } from '../../../src/base/c-struct.ts'
import { container, settings, word, wordIn } from '../../../src/enforcer/bpf/layout.ts'
import type { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { thrownBy } from '../loader-contract.ts'
import { enforcerWorld, idOf, web } from './enforcer-world.ts'
import { containers } from './fake-kernel.ts'

describe('containers of the BPF enforcer', () => {
  const world = enforcerWorld()
  const { open, otherBuild, inForce, stateOf } = world

  it('binds what runs already, and says how many tasks that were', async () => {
    const enforcer = await open()
    stateOf(enforcer).tasks.push({ pid: 1, cgroup: idOf('a'), bound: 0 }, { pid: 2, cgroup: idOf('x'), bound: 0 })
    await enforcer.load(web, 'one')
    await enforcer.add({ id: idOf('a'), profile: web, mntNsID: 7 })
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('a'), 1]]))
    expect(await enforcer.find()).to.deep.equal(new Map())
    expect(stateOf(enforcer).tasks.map(({ bound }) => bound > 0)).to.deep.equal([true, false])
  })

  it('takes no container whose id is not one that a cgroup has in its name', async () => {
    const enforcer = await open()
    for (const id of ['', 'web', `${idOf('a')}0`, idOf('a').slice(1), `../${idOf('a').slice(3)}`]) {
      const error = await thrownBy(enforcer.add({ id, profile: web }))
      expect(error, id).to.deep.include({ code: 'BAD_NAME' })
      expect(enforcer.numberOf(id)).to.equal(undefined)
    }
  })

  it('keeps a container that is added while a list of all others waits for its turn', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('gone'), profile: web })
    const settled = Promise.all([enforcer.load(web, 'one'), enforcer.settle([{ id: idOf('a'), profile: web }])])
    await enforcer.add({ id: idOf('new'), profile: web })
    await settled
    expect([inForce(enforcer, 'a'), inForce(enforcer, 'new')]).to.deep.equal(['one', 'one'])
    expect(enforcer.numberOf(idOf('gone'))).to.equal(undefined)
  })

  for (const [what, end] of [
    ['its end', (enforcer: BpfEnforcer) => enforcer.remove(idOf('a'))],
    ['a list without it', (enforcer: BpfEnforcer) => enforcer.settle([])],
  ] as const)
    it(`knows a container that is started again while ${what} waits for its turn, as another one`, async () => {
      const enforcer = await open()
      await enforcer.add({ id: idOf('a'), profile: web, mntNsID: 5, addresses: ['10.0.0.1'] })
      const first = enforcer.numberOf(idOf('a'))!
      const { tasks, maps } = stateOf(enforcer)
      tasks.push({ pid: 1, cgroup: idOf('a'), bound: first })
      const turns = [enforcer.load(web, 'one'), end(enforcer)]
      await enforcer.add({ id: idOf('a'), profile: web, mntNsID: 6 })
      await Promise.all(turns)
      tasks.push({ pid: 2, cgroup: idOf('a'), bound: 0 })
      expect([...(await enforcer.find()).keys()]).to.deep.equal([idOf('a')])
      const second = enforcer.numberOf(idOf('a'))!
      expect(tasks.map(({ bound }) => bound)).to.deep.equal([first, second])
      expect(second).to.not.equal(first)
      expect(inForce(enforcer, 'a')).to.equal('one')
      expect(
        wordIn(maps.get('varmor_containers')!.get(Buffer.from(word(second)).toString('hex'))!, container.at.mnt_ns),
      ).to.equal(6)
      expect([...maps.get('varmor_v6')!.keys()].map((key) => wordIn(Buffer.from(key, 'hex'), 0))).to.deep.equal([first])
      tasks.length = 0
      await enforcer.find()
      for (let i = 2; i < containers; i++) await enforcer.add({ id: idOf(`c${i}`), profile: web })
    })

  it('keeps a task that outlives its container in the profile, and its number until it ends', async () => {
    const enforcer = await open()
    await enforcer.load(web, 'one')
    await enforcer.add({ id: idOf('a'), profile: web })
    const number = enforcer.numberOf(idOf('a'))!
    stateOf(enforcer).tasks.push({ pid: 1, cgroup: '', bound: number })
    await enforcer.remove(idOf('a'))
    for (const again of [enforcer, await open()]) {
      await again.find()
      for (let i = 0; i < 3; i++) await again.add({ id: idOf(`b${i}`), profile: web })
      for (let i = 0; i < 3; i++) expect(again.numberOf(idOf(`b${i}`))).to.not.equal(number)
      expect(world.kernel.inForce(again.folder, number)).to.equal('one')
      for (let i = 0; i < 3; i++) await again.remove(idOf(`b${i}`))
    }
    await enforcer.load(web, 'two')
    expect(world.kernel.inForce(enforcer.folder, number)).to.equal('two')
  })

  it('uses the numbers of containers again that have ended with all their tasks', async () => {
    const enforcer = await open()
    for (let i = 0; i < 5 * containers; i++) {
      await enforcer.add({ id: idOf(`c${i}`), profile: web })
      await enforcer.remove(idOf(`c${i}`))
      await enforcer.find()
    }
    for (let i = 1; i < containers; i++) await enforcer.add({ id: idOf(`d${i}`), profile: web })
    const error = await thrownBy(enforcer.add({ id: idOf('more'), profile: web }))
    expect(error).to.include({ code: 'KERNEL_REFUSED', retryable: true })
    expect(error.reason).to.contain(`all ${containers - 1} places`)
  })

  const turn = async (enforcer: BpfEnforcer, name: string): Promise<number> => {
    await enforcer.add({ id: idOf(name), profile: web })
    const number = enforcer.numberOf(idOf(name))!
    await enforcer.remove(idOf(name))
    await enforcer.find()
    return number
  }

  it('gives all other numbers before it gives that of an ended container again, over restarts and when they have gone round', async () => {
    const given: number[] = []
    for (let i = 0; i < 4 * (containers - 1); i++) {
      // Each agent assigns three numbers, and ends.
      const enforcer = await open()
      for (let j = 0; j < 3; j++) given.push(await turn(enforcer, `c${i} ${j}`))
    }
    for (let i = containers - 1; i < given.length; i++)
      expect(given.slice(i - containers + 2, i), `${i}`).to.not.include(given[i])
  })

  it('gives numbers that another agent does not give at the same time', async () => {
    const [old, next] = [await open(), await open()]
    const numbers: number[] = []
    for (let i = 0; i < 5; i++) numbers.push(await turn(old, `a${i}`), await turn(next, `b${i}`))
    expect(new Set(numbers).size).to.equal(10)
  })

  it('says from when on a number is the container’s, as far as it gave it', async () => {
    let now = 100
    const enforcer = await open({ uptime: () => now })
    await enforcer.add({ id: idOf('a'), profile: web })
    now = 200
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.add({ id: idOf('b'), profile: '' })
    await enforcer.add({ id: idOf('b'), profile: web })
    expect([enforcer.numberedAt(idOf('a')), enforcer.numberedAt(idOf('b'))]).to.deep.equal([100, 200])
    const next = await open()
    await next.add({ id: idOf('a'), profile: web })
    expect(next.numberedAt(idOf('a'))).to.equal(undefined)
  })

  it('lets go on what was stopped until its container is known, and does not call it late', async () => {
    const gone: number[] = []
    const enforcer = await open({ strictStart: 1, goOn: (pid: number) => void gone.push(pid) })
    await enforcer.load(web, 'one')
    const { tasks } = stateOf(enforcer)
    tasks.push(
      { pid: 5, cgroup: idOf('a'), bound: 0, stopped: true },
      { pid: 6, cgroup: idOf('b'), bound: 0, stopped: true },
    )
    tasks.push({ pid: 7, cgroup: idOf('c'), bound: 0 }, { pid: 8, cgroup: idOf('unknown'), bound: 0, stopped: true })
    // A signal to pid 0 would reach the agent's own process group.
    tasks.push({ pid: 0, cgroup: idOf('a'), bound: 0, stopped: true })
    for (const name of ['a', 'c']) await enforcer.add({ id: idOf(name), profile: web })
    await enforcer.add({ id: idOf('b'), profile: '' })
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('c'), 1]]))
    expect([...new Set(gone)]).to.deep.equal([5, 6])
    expect(tasks.map(({ bound }) => bound > 0)).to.deep.equal([true, false, true, false, true])
  })

  const arrivals: {
    when: string
    strict: 0 | 1
    give(enforcer: BpfEnforcer): Promise<unknown>
    late: number
    now?: string
  }[] = [
    { when: 'its profile comes', strict: 0, give: (enforcer) => enforcer.load(web, 'one'), late: 2, now: 'one' },
    { when: 'its profile comes', strict: 1, give: (enforcer) => enforcer.load(web, 'one'), late: 1, now: 'one' },
    { when: 'no policy wants its profile', strict: 0, give: (enforcer) => enforcer.expect(new Set()), late: 0 },
    { when: 'no policy wants its profile', strict: 1, give: (enforcer) => enforcer.expect(new Set()), late: 0 },
    { when: 'its profile is refused', strict: 1, give: (enforcer) => enforcer.refuse(web), late: 0 },
  ]
  for (const { when, strict, give, late, now } of arrivals)
    it(`has a container that came before its profile ${strict ? 'stopped' : 'wait'} until ${when}, and says what ran free until then`, async () => {
      let arrived = 0
      const gone: number[] = []
      const enforcer = await open({
        strictStart: strict,
        onArrived: () => arrived++,
        goOn: (pid: number) => gone.push(pid),
      })
      const { tasks } = stateOf(enforcer)
      await enforcer.settle([])
      await enforcer.add({ id: idOf('a'), profile: web })
      expect(enforcer.numberOf(idOf('a')) === undefined, 'the kernel knows it').to.equal(strict === 1)
      tasks.push(
        { pid: 5, cgroup: idOf('a'), bound: 0 },
        { pid: 6, cgroup: idOf('a'), bound: 0, stopped: strict === 1 },
      )
      expect(await enforcer.find(), 'they run free still').to.deep.equal(new Map())
      let isReady = false
      const ready = enforcer.loaded(web, idOf('a')).then((waited) => {
        isReady = waited
      })
      await enforcer.load('varmor-demo-b', 'two')
      expect([isReady, arrived, gone]).to.deep.equal([false, 0, []])
      await give(enforcer)
      await ready
      expect([isReady, arrived]).to.deep.equal([true, strict === 0 && now === undefined ? 0 : 1])
      expect(await enforcer.find()).to.deep.equal(new Map(late === 0 ? [] : [[idOf('a'), late]]))
      expect(inForce(enforcer, 'a')).to.equal(now)
      expect(tasks.map(({ bound }) => bound)).to.deep.equal([
        enforcer.numberOf(idOf('a')),
        enforcer.numberOf(idOf('a')),
      ])
      expect([...new Set(gone)]).to.deep.equal(strict === 1 ? [6] : [])
      if (now === undefined) {
        await enforcer.load(web, 'one')
        expect([...(await enforcer.find()).keys()], 'it comes after all').to.deep.equal([idOf('a')])
      }
      expect(await enforcer.loaded(web, idOf('a'))).to.equal(false)
      expect(await enforcer.find()).to.deep.equal(new Map())
    })

  it('has nothing stopped when the agent ends in order: the next one, of another build, would not find it', async () => {
    const gone: number[] = []
    const enforcer = await open({ strictStart: 1, goOn: (pid: number) => gone.push(pid) })
    const { tasks } = stateOf(enforcer)
    await enforcer.settle([])
    const [early, last] = ['early', 'last'].map((name) => ({ id: idOf(name), profile: web }))
    await enforcer.add(early!)
    tasks.push(...[early, last].map((one, i) => ({ pid: 5 + i, cgroup: one!.id, bound: 0, stopped: true })))
    const ready = enforcer.loaded(web, idOf('early'))
    const relaxed = enforcer.relax()
    await enforcer.add(last!)
    await relaxed
    expect([...new Set(gone)]).to.deep.equal([5, 6])
    expect(await ready, 'what waited before its first program').to.equal(true)
    expect(tasks.map(({ bound }) => bound)).to.deep.equal([early, last].map((one) => enforcer.numberOf(one!.id)))
    expect([inForce(enforcer, 'early'), inForce(enforcer, 'last')]).to.deep.equal([undefined, undefined])
  })

  it('calls a container late that was not added before its start, even if all its tasks are bound', async () => {
    const enforcer = await open()
    await enforcer.load(web, 'one')
    await enforcer.start({ id: idOf('a'), profile: web })
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('a'), 0]]))
    await enforcer.start({ id: idOf('a'), profile: web })
    await enforcer.add({ id: idOf('b'), profile: web })
    await enforcer.start({ id: idOf('b'), profile: web })
    await enforcer.start({ id: idOf('c'), profile: '' })
    expect(await enforcer.find(), 'known, or in no profile').to.deep.equal(new Map())
    stateOf(enforcer).tasks.push({ pid: 5, cgroup: idOf('d'), bound: 0 })
    await enforcer.start({ id: idOf('d'), profile: web })
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('d'), 1]]))
    expect(await enforcer.find(), 'once').to.deep.equal(new Map())
  })

  it('calls a container late that has ended before anybody looked', async () => {
    const enforcer = await open()
    await enforcer.load(web, 'one')
    await enforcer.start({ id: idOf('a'), profile: web })
    await enforcer.remove(idOf('a'))
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('a'), 0]]))
    expect(await enforcer.find()).to.deep.equal(new Map())
  })

  it('says what it has bound though there are always new tasks', async () => {
    const enforcer = await open()
    await enforcer.load(web, 'one')
    await enforcer.add({ id: idOf('a'), profile: web })
    let looks = 0
    world.kernel.onStep = (step) => {
      if (step === 'find tasks') stateOf(enforcer).tasks.push({ pid: ++looks, cgroup: idOf('a'), bound: 0 })
    }
    expect((await thrownBy(enforcer.find())).reason).to.contain('still have new tasks')
    world.kernel.onStep = () => undefined
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('a'), looks]]))
  })

  it('waits for no profile of a container that has ended', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    const ready = enforcer.loaded(web, idOf('a'))
    await enforcer.remove(idOf('a'))
    expect(await ready).to.equal(true)
  })

  it('calls a container that came before its profile late when that is there', async () => {
    const enforcer = await open()
    await enforcer.start({ id: idOf('a'), profile: web })
    stateOf(enforcer).tasks.push({ pid: 5, cgroup: idOf('a'), bound: enforcer.numberOf(idOf('a'))! })
    expect(await enforcer.find()).to.deep.equal(new Map())
    await enforcer.load(web, 'one')
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('a'), 1]]))
  })

  it('calls no container late that another build has in its profile', async () => {
    const before = await open()
    await before.add({ id: idOf('a'), profile: web })
    await before.load(web, 'one')
    const now = await otherBuild()
    await now.start({ id: idOf('a'), profile: web })
    stateOf(now).tasks.push({ pid: 5, cgroup: idOf('a'), bound: 0 })
    await now.load(web, 'one')
    expect(await now.find()).to.deep.equal(new Map())
    expect(await now.find()).to.deep.equal(new Map())
  })

  for (const strictStart of [0, 1])
    it(`calls no container late that starts when its profile is there, before that is said${strictStart ? ', and was not known' : ''}`, async () => {
      const enforcer = await open({ strictStart })
      await enforcer.add({ id: idOf('b'), profile: web })
      await enforcer.load(web, 'one')
      // The caller that waited for the container adds it.
      await enforcer.add({ id: idOf('b'), profile: web })
      stateOf(enforcer).tasks.push({ pid: 6, cgroup: idOf('b'), bound: enforcer.numberOf(idOf('b'))! })
      expect(await enforcer.find()).to.deep.equal(new Map())
    })

  describe('has what starts in an unknown container stopped', () => {
    const strict = (enforcer: BpfEnforcer, folder = enforcer.folder): number =>
      numberIn(settings, world.kernel.get(world.kernel.open(folder), 'varmor_settings', word(0))!, 'strict_start')
    const known = async (enforcer: BpfEnforcer): Promise<BpfEnforcer> => {
      await enforcer.settle([])
      return enforcer
    }
    const rows: { when: string; make: () => Promise<BpfEnforcer>; is: 0 | 1 }[] = [
      { when: 'not before all containers are known, its own among them', make: () => open({ strictStart: 1 }), is: 0 },
      { when: 'once they are', make: async () => known(await open({ strictStart: 1 })), is: 1 },
      { when: 'not where starts are not strict', make: async () => known(await open()), is: 0 },
      {
        when: 'not after its end in order, whatever is listed meanwhile',
        make: async () => {
          const enforcer = await known(await open({ strictStart: 1 }))
          await enforcer.relax()
          return known(enforcer)
        },
        is: 0,
      },
      {
        when: 'not by what a killed one has left, until containers are known again',
        make: async () => {
          await known(await open({ strictStart: 1 }))
          return open({ strictStart: 1 })
        },
        is: 0,
      },
      {
        when: 'also when programs had to be loaded again',
        make: async () => {
          const enforcer = await known(await open({ strictStart: 1 }))
          stateOf(enforcer).links--
          await enforcer.load(web, 'x')
          return enforcer
        },
        is: 1,
      },
    ]
    for (const { when, make, is } of rows)
      it(when, async () => {
        const enforcer = await make()
        expect(strict(enforcer)).to.equal(is)
        expect(enforcer.inForce).to.equal(enforcer.folder)
      })

    it('not by programs of another build, which learn of no container that comes', async () => {
      const before = await known(await open({ strictStart: 1 }))
      const after = await open({ strictStart: 1, ringBytes: 8192 })
      expect(after.beside).to.deep.equal([before.folder])
      expect(strict(after, before.folder)).to.equal(0)
    })
  })

  it('binds a container that needed no profile, when it does', async () => {
    const enforcer = await open({ strictStart: 1 })
    const { tasks } = stateOf(enforcer)
    await enforcer.load(web, 'one')
    tasks.push({ pid: 5, cgroup: idOf('a'), bound: 0 })
    await enforcer.add({ id: idOf('a'), profile: '' })
    expect(await enforcer.find()).to.deep.equal(new Map())
    expect(enforcer.numberOf(idOf('a'))).to.equal(undefined)
    await enforcer.add({ id: idOf('a'), profile: web })
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('a'), 1]]))
    expect(tasks[0]?.bound).to.equal(enforcer.numberOf(idOf('a')))
  })
})
