import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { numberIn } from '../../../src/base/c-struct.ts'
import { container, settings, word, wordIn } from '../../../src/enforcer/bpf/layout.ts'
import type { ProfileEncoder } from '../../../src/enforcer/bpf/profile-encoder.ts'
import type { Claim } from '../../../src/enforcer/bpf/shares.ts'
import { kernelError } from '../../../src/enforcer/bpf/state.ts'
import { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { contentDigest } from '../../../src/enforcer/ports.ts'
import { loaderContract, thrownBy } from '../loader-contract.ts'
import { addressRoom, containers, FakeKernel, fakeEncoder, slots } from './fake-kernel.ts'

const web = 'varmor-demo-web'
const idOf = (name: string): string => createHash('sha256').update(name).digest('hex')

class Killed extends Error {}

describe('the BPF enforcer', () => {
  let folder: string
  let kernel: FakeKernel
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-bpf-'))
    kernel = new FakeKernel()
    writeFileSync(join(folder, 'object'), 'programs')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const open = (more: object = {}): Promise<BpfEnforcer> =>
    BpfEnforcer.open({
      ...{ addon: kernel, encoder: fakeEncoder, root: join(folder, 'root'), object: join(folder, 'object') },
      ...{ ringBytes: 4096, hostMntNs: 1, strictStart: 0 },
      ...more,
    })
  const inForce = (enforcer: BpfEnforcer, id: string): string | undefined =>
    kernel.inForce(enforcer.folder, enforcer.numberOf(idOf(id)) ?? 0)
  const stateOf = (enforcer: BpfEnforcer) => kernel.folders.get(enforcer.folder)!

  describe('as every loader', () => {
    const more = { ...fakeEncoder, slots: 64, tables: 64 }
    loaderContract(async () => {
      const enforcer = await open({ encoder: more })
      const slotOf = (name: string) =>
        Array.from({ length: more.slots }, (_, slot) => slot).find((slot) =>
          Buffer.from(kernel.get(kernel.open(enforcer.folder), 'varmor_records', word(slot))!).includes(`${name}\0`),
        )!
      const profiles = () => stateOf(enforcer).maps.get('varmor_profiles')!
      const keyOf = (name: string) => Buffer.from(word(slotOf(name))).toString('hex')
      await enforcer.add({ id: idOf('c'), profile: web })
      return {
        loader: enforcer,
        content: (_name, number) => `rules ${number}`,
        lose: (name) => profiles().delete(keyOf(name)),
        damage: (name) => profiles().set(keyOf(name), word(999)),
        inForce: (name) => {
          const number = enforcer.numberOf(idOf(name)) ?? enforcer.numberOf(idOf('c'))!
          if (name !== web)
            kernel.swap(kernel.open(enforcer.folder), 'varmor_containers', number * 8, -1, slotOf(name) ?? 0)
          return kernel.inForce(enforcer.folder, number)
        },
      }
    })
  })

  it('has a container run in its profile, whichever of the two comes first', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    expect(inForce(enforcer, 'a')).to.equal(undefined)
    await enforcer.load(web, 'one')
    await enforcer.add({ id: idOf('b'), profile: web })
    expect([inForce(enforcer, 'a'), inForce(enforcer, 'b')]).to.deep.equal(['one', 'one'])
    await enforcer.unload(web)
    expect([inForce(enforcer, 'a'), inForce(enforcer, 'b')]).to.deep.equal([undefined, undefined])
    expect(kernel.filled).to.equal(0)
  })

  it('says where programs are in force, as long as nobody has detached one', async () => {
    const enforcer = await open()
    expect(enforcer.inForce).to.equal(enforcer.folder)
    stateOf(enforcer).links--
    expect(enforcer.inForce).to.equal(undefined)
  })

  it('has programs hold records back beyond a rate, or no longer, though they are in force already', async () => {
    const rateOf = (enforcer: BpfEnforcer) =>
      new BigUint64Array(Uint8Array.from(stateOf(enforcer).maps.get('varmor_rate')!.get('00000000')!).buffer)
    const first = await open({ recordsRate: { rate: 0.001, burst: 999_999 } })
    expect([...rateOf(first)]).to.deep.equal([10n ** 12n, 999_999n * 10n ** 12n])
    const next = await open({ recordsRate: { rate: 1_000, burst: 5 } })
    expect(next.folder).to.equal(first.folder)
    expect([...rateOf(next)]).to.deep.equal([10n ** 6n, 5n * 10n ** 6n])
    expect([...rateOf(await open())]).to.deep.equal([0n, 0n])
  })

  it('replaces a profile at once: at each step a container has the old or the new one', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'rules 0')
    const seen = new Set<string | undefined>()
    for (let i = 1; i <= 3 * slots; i++) {
      kernel.onStep = () => seen.add(inForce(enforcer, 'a'))
      await enforcer.load(web, `rules ${i}`)
      kernel.onStep = () => undefined
      expect([...seen].every((one) => one === `rules ${i - 1}` || one === `rules ${i}`)).to.equal(true)
      expect(inForce(enforcer, 'a')).to.equal(`rules ${i}`)
      seen.clear()
    }
    expect(kernel.filled).to.equal(3)
  })

  it('has other addresses at once, and writes nothing else for them', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one@a')
    const steps: string[] = []
    const seen = new Set<string | undefined>()
    kernel.onStep = (step) => {
      steps.push(step)
      seen.add(inForce(enforcer, 'a'))
    }
    await enforcer.load(web, 'one@b')
    await enforcer.load(web, 'one@c')
    kernel.onStep = () => undefined
    expect([...seen]).to.deep.equal(['one@a', 'one@b', 'one@c'])
    const written = new Set(steps.filter((step) => /^(write|swap)/.test(step)))
    expect([...written]).to.deep.equal(['write varmor_records', 'write varmor_v4', 'write varmor_profiles'])
    expect([inForce(enforcer, 'a'), kernel.filled]).to.deep.equal(['one@c', 3])
    expect(await enforcer.list()).to.deep.equal(new Map([[web, contentDigest('one@c')]]))
  })

  it('keeps the addresses in force when the kernel refuses others', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one@a')
    for (const refused of ['varmor_v4', 'varmor_profiles']) {
      kernel.onStep = (step) => {
        if (step === `write ${refused}`) throw Object.assign(new Error('no'), { step, errno: 28 })
      }
      expect(await thrownBy(enforcer.load(web, 'one@b'))).to.be.instanceOf(EnforcerError)
      kernel.onStep = () => undefined
      expect([inForce(enforcer, 'a'), kernel.filled]).to.deep.equal(['one@a', 3])
      expect(await enforcer.list()).to.deep.equal(new Map([[web, contentDigest('one@a')]]))
    }
    await enforcer.load(web, 'one@b')
    expect([inForce(enforcer, 'a'), kernel.filled]).to.deep.equal(['one@b', 3])
  })

  it('goes on after a kill at any step: what is in force stays, and all is as wanted in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ load: fc.constantFrom('one', 'one@a', 'one@b', 'two', 'two@a', ''), kill: fc.nat(40) }), {
          maxLength: 6,
        }),
        async (runs) => {
          kernel = new FakeKernel()
          rmSync(join(folder, 'root'), { recursive: true, force: true })
          /** What may be in force: the last that was loaded to its end, and what was begun since. */
          let possible: (string | undefined)[] = [undefined]
          const first = await open()
          await first.add({ id: idOf('a'), profile: web })
          const number = first.numberOf(idOf('a'))!
          for (const { load, kill } of runs) {
            let left = kill
            kernel.onStep = () => {
              if (left-- === 0) throw new Killed()
            }
            const wanted = load === '' ? undefined : load
            possible.push(wanted)
            try {
              const enforcer = await open()
              await enforcer.add({ id: idOf('a'), profile: web })
              await (wanted === undefined ? enforcer.unload(web) : enforcer.load(web, wanted))
              possible = [wanted]
            } catch (error) {
              if (!(error instanceof Killed)) throw error
            }
            kernel.onStep = () => undefined
            expect(possible).to.include(kernel.inForce(first.folder, number))
          }
          const last = await open()
          await last.add({ id: idOf('a'), profile: web })
          await last.load(web, 'last')
          expect(inForce(last, 'a')).to.equal('last')
          expect(kernel.filled).to.equal(3)
          expect(await last.list()).to.deep.equal(new Map([[web, contentDigest('last')]]))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('binds what runs already, and says how many tasks that were', async () => {
    const enforcer = await open()
    stateOf(enforcer).tasks.push({ pid: 1, cgroup: idOf('a'), bound: 0 }, { pid: 2, cgroup: idOf('x'), bound: 0 })
    await enforcer.load(web, 'one')
    await enforcer.add({ id: idOf('a'), profile: web, mntNsID: 7 })
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('a'), 1]]))
    expect(await enforcer.find()).to.deep.equal(new Map())
    expect(stateOf(enforcer).tasks.map(({ bound }) => bound > 0)).to.deep.equal([true, false])
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

  it("keeps the addresses of a container's pod, one that stays at each step, until its number is another's", async () => {
    const entries = (): string[] =>
      [...(kernel.folders.get(enforcer.folder)!.maps.get('varmor_v6') ?? new Map()).keys()].map((key) => {
        const bytes = Buffer.from(key, 'hex')
        return `${bytes.readUInt32LE(0)} ${bytes.subarray(4)}`
      })
    let enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web, addresses: ['10.0.0.1', '10.0.0.2'] })
    const number = enforcer.numberOf(idOf('a'))!
    const of = (...addresses: string[]) => addresses.map((address) => `${number} ${address}`)
    expect(entries()).to.have.members(of('10.0.0.1', '10.0.0.2'))
    kernel.onStep = () => expect(entries()).to.include(of('10.0.0.2')[0])
    await enforcer.add({ id: idOf('a'), profile: web, addresses: ['10.0.0.2', '10.0.0.3'] })
    await enforcer.add({ id: idOf('a'), profile: web })
    kernel.onStep = () => undefined
    expect(entries(), 'they stay when nobody says others').to.have.members(of('10.0.0.2', '10.0.0.3'))
    enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web, addresses: ['10.0.0.3'] })
    expect(entries(), 'what another agent wrote is known').to.deep.equal(of('10.0.0.3'))
    await enforcer.remove(idOf('a'))
    expect(entries(), 'a task may live on').to.deep.equal(of('10.0.0.3'))
    await enforcer.find()
    expect(entries()).to.deep.equal([])
  })

  it('leaves the kernel alone for a content that is none', async () => {
    const refusing = { ...fakeEncoder, read: () => expect.fail('no rules') }
    const enforcer = await open({ encoder: refusing })
    const steps: string[] = []
    kernel.onStep = (step) => void steps.push(step)
    expect((await enforcer.load(web, 'x').catch((error: Error) => error))?.message).to.equal('no rules')
    expect(steps.filter((step) => step.startsWith('write'))).to.deep.equal([])
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
      expect(kernel.inForce(again.folder, number)).to.equal('one')
      for (let i = 0; i < 3; i++) await again.remove(idOf(`b${i}`))
    }
    await enforcer.load(web, 'two')
    expect(kernel.inForce(enforcer.folder, number)).to.equal('two')
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
    expect(error.reason).to.contain(`all ${containers - 1} numbers`)
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
    for (const name of ['a', 'c']) await enforcer.add({ id: idOf(name), profile: web })
    await enforcer.add({ id: idOf('b'), profile: '' })
    expect(await enforcer.find()).to.deep.equal(new Map([[idOf('c'), 1]]))
    expect([...new Set(gone)]).to.deep.equal([5, 6])
    expect(tasks.map(({ bound }) => bound > 0)).to.deep.equal([true, false, true, false])
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
    { when: 'nobody wants its profile', strict: 0, give: (enforcer) => enforcer.expect(new Set()), late: 0 },
    { when: 'nobody wants its profile', strict: 1, give: (enforcer) => enforcer.expect(new Set()), late: 0 },
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
      const ready = enforcer.loaded(web).then((waited) => {
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
      expect(await enforcer.loaded(web)).to.equal(false)
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
    const ready = enforcer.loaded(web)
    const relaxed = enforcer.relax()
    await enforcer.add(last!)
    await relaxed
    expect([...new Set(gone)]).to.deep.equal([5, 6])
    expect(await ready, 'what waited before its first program').to.equal(true)
    expect(tasks.map(({ bound }) => bound)).to.deep.equal([early, last].map((one) => enforcer.numberOf(one!.id)))
    expect([inForce(enforcer, 'early'), inForce(enforcer, 'last')]).to.deep.equal([undefined, undefined])
  })

  it('calls a container late that nobody had added before it started, though no task of it is left outside', async () => {
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
    writeFileSync(join(folder, 'object'), 'other programs')
    const now = await open()
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
      // As who waited for it does.
      await enforcer.add({ id: idOf('b'), profile: web })
      stateOf(enforcer).tasks.push({ pid: 6, cgroup: idOf('b'), bound: enforcer.numberOf(idOf('b'))! })
      expect(await enforcer.find()).to.deep.equal(new Map())
    })

  describe('has what starts in an unknown container stopped', () => {
    const strict = (enforcer: BpfEnforcer, folder = enforcer.folder): number =>
      numberIn(settings, kernel.get(kernel.open(folder), 'varmor_settings', word(0))!, 'strict_start')
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
        when: 'also when programs had to be loaded anew',
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

  it('says when there is no place for a profile, and has one again when another is unloaded', async () => {
    const enforcer = await open()
    for (let i = 1; i < slots - 1; i++) await enforcer.load(`varmor-demo-p${i}`, 'x')
    expect((await thrownBy(enforcer.load(web, 'x'))).reason).to.contain(`all ${slots - 2} places`)
    await enforcer.unload('varmor-demo-p3')
    await enforcer.load(web, 'x')
    expect((await enforcer.list()).size).to.equal(slots - 2)
  })

  describe('of a node with tenants', () => {
    // Of 8 places, 2 are for cluster policies, and 3 of the others for each namespace.
    const eight = { ...fakeEncoder, slots: 10, tables: 10 }
    const claims = new Map<string, Claim>()
    beforeEach(() => claims.clear())

    const openShared = (): Promise<BpfEnforcer> => open({ encoder: eight, claims: () => claims })
    const want = (namespace: string, name: string): string => {
      const profile = `varmor-${namespace || 'cluster'}-${name}`
      claims.set(profile, { namespace, since: String(claims.size).padStart(4, '0') })
      return profile
    }
    const names = async (enforcer: BpfEnforcer): Promise<string[]> => [...(await enforcer.list()).keys()].sort()

    it('lets one namespace have no more than its share of the places, whatever is wanted there', async () => {
      const enforcer = await openShared()
      const victim = want('demo', 'web')
      await enforcer.load(victim, 'x')
      const many = Array.from({ length: 20 }, (_, i) => want('evil', `${i}`.padStart(2, '0')))
      for (const name of many.slice(0, 3)) await enforcer.load(name, 'x')
      for (const name of many.slice(3)) {
        const error = await thrownBy(enforcer.load(name, 'x'))
        expect(error).to.include({ code: 'KERNEL_REFUSED', retryable: true })
        expect(error.reason).to.match(/namespace evil has its share .*8 places.*3.* older .*remove .*--bpfProfiles/)
      }
      for (const name of ['1', '2', '3']) await enforcer.load(want('', name), 'x')
      await enforcer.load(many[0]!, 'changed')
      await enforcer.load(want('demo', 'more'), 'x')
      expect(await names(enforcer)).to.include.members([victim, ...many.slice(0, 3), 'varmor-cluster-3'])

      await enforcer.unload(many[1]!)
      claims.delete(many[1]!)
      expect((await thrownBy(enforcer.load(many[19]!, 'x'))).reason).to.contain('older')
      await enforcer.load(many[3]!, 'x')
    })

    it('keeps places for cluster policies, whoever has the others', async () => {
      const enforcer = await openShared()
      for (const namespace of ['a', 'b'])
        for (const name of ['1', '2', '3']) await enforcer.load(want(namespace, name), 'x')
      expect((await thrownBy(enforcer.load(want('c', '1'), 'x'))).reason).to.match(/have the 6 of 8 places/)
      for (const name of ['1', '2']) await enforcer.load(want('', name), 'x')
      expect((await thrownBy(enforcer.load(want('', '3'), 'x'))).reason).to.match(/all 8 places/)
    })

    it('has the oldest profiles of a namespace after a reboot, in whatever order they are loaded', async () => {
      const many = Array.from({ length: 9 }, (_, i) => want('evil', `${i}`))
      const demo = want('demo', 'web')
      const order = fc.shuffledSubarray([demo, ...many], { minLength: 10 })
      await fc.assert(
        fc.asyncProperty(order, async (names) => {
          kernel = new FakeKernel()
          rmSync(join(folder, 'root'), { recursive: true, force: true })
          const enforcer = await openShared()
          await enforcer.expect(new Set(names))
          for (const name of names) await enforcer.load(name, 'x').catch(() => undefined)
          expect(new Set((await enforcer.list()).keys())).to.deep.equal(new Set([demo, ...many.slice(0, 3)]))
        }),
        { numRuns: 20 },
      )
    })

    it('counts what was loaded before its start for all, until it is known whose it is', async () => {
      const first = await openShared()
      for (const name of ['1', '2', '3']) await first.load(want('evil', name), 'x')
      const before = new Map(claims)
      claims.clear()
      const next = await openShared()
      const other = want('demo', 'web')
      // Of this many it may be that a namespace has its share.
      for (const name of ['a', 'b']) want('demo', name)
      expect(await thrownBy(next.load(other, 'x'))).to.include({ retryable: true })
      for (const [name, claim] of before) claims.set(name, claim)
      await next.expect(new Set(claims.keys()))
      await next.load(other, 'x')
      expect((await thrownBy(next.load(want('evil', '4'), 'x'))).reason).to.contain('namespace evil')
    })

    it('lets one namespace have no more than its share of addresses and ports, and another its own, whatever the first does', async () => {
      // Of 80, 20 are for cluster policies, and 30 of the others for each namespace.
      const large: ProfileEncoder = {
        ...{ ...fakeEncoder, slots: 64, tables: 64 },
        rooms: [addressRoom(80)],
        read: (content) => ({ ...fakeEncoder.read(content), entries: [Number(content.split('@')[1] ?? 0)] }),
      }
      const evil = fc.record({ name: fc.nat(9), entries: fc.option(fc.nat(20)), rest: fc.constantFrom('x', 'y') })
      let refused = 0
      await fc.assert(
        fc.asyncProperty(fc.array(evil, { maxLength: 20 }), fc.integer({ min: 1, max: 30 }), async (steps, own) => {
          kernel = new FakeKernel()
          rmSync(join(folder, 'root'), { recursive: true, force: true })
          const enforcer = await open({ encoder: large, claims: () => claims })
          for (let i = 0; i < 10; i++) claims.set(`varmor-evil-${i}`, { namespace: 'evil', since: `${i}` })
          const held = new Map<string, number>()
          const sum = (): number => [...held.values()].reduce((all, one) => all + one, 0)
          for (const { name: i, entries, rest } of steps) {
            const name = `varmor-evil-${i}`
            if (entries === null) {
              await enforcer.unload(name)
              held.delete(name)
              continue
            }
            const before = held.get(name) ?? 0
            const fits = entries <= before || sum() - before + entries <= 30
            const error = await enforcer.load(name, `${rest}@${entries}`).then(
              () => undefined,
              (one: EnforcerError) => one,
            )
            if (fits) held.set(name, entries)
            else {
              refused++
              expect(error?.reason).to.match(/room for 30 addresses of the policies of the namespace evil/)
              expect(error?.retryable).to.equal(true)
            }
            expect(error === undefined).to.equal(fits)
          }
          for (const [namespace, amount] of [
            ['demo', own],
            ['', 20],
          ] as const)
            await enforcer.load(want(namespace, 'web'), `x@${amount}`)
        }),
        { numRuns: 50 },
      )
      expect(refused).to.be.above(0)
    })

    it('counts addresses and ports of what was loaded before its start', async () => {
      const encoder = { ...eight, rooms: [addressRoom(5)] }
      const first = await open({ encoder, claims: () => claims })
      for (const name of ['1', '2']) await first.load(want('evil', name), 'x')
      const next = await open({ encoder, claims: () => claims })
      await next.load('varmor-evil-1', 'changed')
      expect((await thrownBy(next.load(want('evil', '3'), 'x'))).reason).to.match(/room for 2 addresses .*evil/)
      await next.load(want('demo', 'web'), 'x')
      await next.unload('varmor-evil-2')
      await next.load('varmor-evil-3', 'x')
    })

    // A profile takes 1, and a table 10. Of 80, 20 are for cluster policies, and 30 of the others for each namespace.
    const ofMemory: ProfileEncoder = {
      ...{ ...fakeEncoder, slots: 64, tables: 16 },
      rooms: [{ what: 'KiB', all: 80, remedy: 'give --more', ofProfile: () => 1, ofTable: () => 10 }],
    }
    const openSmall = (): Promise<BpfEnforcer> => open({ encoder: ofMemory, claims: () => claims })

    it('lets one namespace have no more than its share of memory, in which a table counts once, and another its own', async () => {
      const step = fc.record({ name: fc.nat(9), rest: fc.option(fc.constantFrom('p', 'q', 'r', 's')) })
      let refused = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          kernel = new FakeKernel()
          rmSync(join(folder, 'root'), { recursive: true, force: true })
          const enforcer = await openSmall()
          for (let i = 0; i < 10; i++) claims.set(`varmor-evil-${i}`, { namespace: 'evil', since: `${i}` })
          let held = new Map<string, string>()
          const sumOf = (all: typeof held): number => all.size + 10 * new Set(all.values()).size
          for (const { name: i, rest } of steps) {
            const name = `varmor-evil-${i}`
            if (rest === null) {
              await enforcer.unload(name)
              held.delete(name)
              continue
            }
            const then = new Map([...held, [name, rest]])
            if (sumOf(then) <= 30) {
              await enforcer.load(name, rest)
              held = then
              continue
            }
            refused++
            const error = await thrownBy(enforcer.load(name, rest))
            expect(error).to.include({ code: 'KERNEL_REFUSED', retryable: true })
            expect(error.reason).to.match(/room for 30 KiB of .* namespace evil, and with the 11 of .* give --more/)
          }
          for (const name of ['1', '2']) await enforcer.load(want('demo', name), `of demo ${name}`)
          for (const name of ['1', '2']) await enforcer.load(want('', name), `of all ${name}`)
        }),
        { numRuns: 50 },
      )
      expect(refused).to.be.above(0)
    })

    it('counts memory that was taken before its start, and has refused profiles take nothing', async () => {
      const first = await openSmall()
      for (const [name, rest] of ['p', 'q'].entries()) await first.load(want('evil', `${name}`), rest)
      const filled = kernel.filled
      for (const enforcer of [first, await openSmall()]) {
        const third = want('evil', 'third')
        for (let i = 0; i < 2 * ofMemory.tables; i++)
          expect((await thrownBy(enforcer.load(third, `r${i}`))).reason).to.match(/namespace evil/)
        expect(kernel.filled).to.equal(filled)
        // What takes no more than what it replaces has room.
        await enforcer.load('varmor-evil-0', 's')
        await enforcer.load(want('demo', 'web'), 'r')
        await enforcer.unload('varmor-demo-web')
      }
    })

    it('lets profiles that share a table have tables of their own only where there is room for these', async () => {
      const enforcer = await openSmall()
      for (const name of ['1', '2', '3']) await enforcer.load(want('evil', name), 'p')
      await enforcer.load('varmor-evil-1', 'q')
      expect((await thrownBy(enforcer.load('varmor-evil-2', 'r'))).reason).to.match(/room for 30 KiB .* evil/)
      expect(await enforcer.list()).to.include.all.keys('varmor-evil-2')
    })

    it('counts for its namespace what runs on without its policy', async () => {
      const enforcer = await openShared()
      for (const name of ['1', '2', '3']) await enforcer.load(want('evil', name), 'x')
      await enforcer.expect(new Set(claims.keys()))
      for (const name of [...claims.keys()]) await enforcer.free(name)
      claims.clear()
      for (const name of ['a', 'b']) want('demo', name)
      expect((await thrownBy(enforcer.load(want('evil', '4'), 'x'))).reason).to.contain('namespace evil')
      await enforcer.load('varmor-demo-a', 'x')
    })
  })

  it('has loaded a profile though what it replaces cannot be removed yet, and says so with the next one if it still cannot', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one')
    kernel.onStep = (step) => {
      if (step === 'remove from varmor_v4') throw Object.assign(new Error('no'), { step, errno: 12, log: '' })
    }
    await enforcer.load(web, 'two')
    expect(inForce(enforcer, 'a')).to.equal('two')
    expect((await thrownBy(enforcer.load(web, 'three'))).reason).to.contain('ENOMEM')
    expect(inForce(enforcer, 'a')).to.equal('two')
    kernel.onStep = () => undefined
    await enforcer.load(web, 'three')
    expect(inForce(enforcer, 'a')).to.equal('three')
    expect(kernel.filled).to.equal(3)
  })

  it('has one table for profiles of equal rules, which goes with the last of them, also after a restart', async () => {
    const first = await open()
    for (const name of ['a', 'b']) await first.load(`varmor-demo-${name}`, `equal@${name}`)
    await first.load(web, 'other@c')
    const tables = () => stateOf(first).maps.get('varmor_small_tables')!
    expect(tables().size).to.equal(2)
    await first.unload('varmor-demo-a')
    expect(tables().size).to.equal(2)

    const second = await open()
    await second.add({ id: idOf('b'), profile: 'varmor-demo-b' })
    expect(inForce(second, 'b')).to.equal('equal@b')
    // Nobody reads what another agent has written, so it is written once more.
    await second.load('varmor-demo-d', 'equal@d')
    expect(tables().size).to.equal(3)
    await second.unload('varmor-demo-b')
    await second.unload(web)
    expect(tables().size).to.equal(1)
    await second.load('varmor-demo-e', 'equal@e')
    expect(tables().size).to.equal(1)
    for (const name of ['d', 'e']) await second.unload(`varmor-demo-${name}`)
    expect(kernel.filled).to.equal(0)
  })

  it('keeps what is in force when the kernel refuses what would take its place', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one')
    kernel.onStep = (step) => {
      if (step === 'write varmor_v4')
        throw Object.assign(new Error('no'), { step: 'write varmor_v4', errno: 28, log: '' })
    }
    const error = await thrownBy(enforcer.load(web, 'two'))
    expect(error).to.be.instanceOf(EnforcerError).and.include({ code: 'KERNEL_REFUSED' })
    expect(error.reason).to.contain('ENOSPC')
    kernel.onStep = () => undefined
    expect(inForce(enforcer, 'a')).to.equal('one')
    expect(kernel.filled).to.equal(3)
  })

  it('has programs of another build in force until the new ones hold all that those held', async () => {
    const before = await open()
    await before.add({ id: idOf('a'), profile: web })
    await before.load(web, 'one')
    await before.load('varmor-demo-gone', 'x')
    writeFileSync(join(folder, 'object'), 'other programs')
    const now = await open()
    expect(now.folder).to.not.equal(before.folder)
    expect(readdirSync(join(folder, 'root'))).to.have.length(2)
    await now.settle([{ id: idOf('a'), profile: web }])
    await now.expect(new Set([web]))
    expect(kernel.inForce(before.folder, 1)).to.equal('one')
    await now.load(web, 'one')
    expect([...kernel.folders.keys()]).to.deep.equal([now.folder])
    expect(inForce(now, 'a')).to.equal('one')
  })

  const otherBuild = (): Promise<BpfEnforcer> => {
    writeFileSync(join(folder, 'object'), 'other programs')
    return open()
  }

  it('is in the place of another build at once, so that no violation has two records', async () => {
    const before = await open()
    for (const name of ['a', 'b']) await before.add({ id: idOf(name), profile: web })
    await before.load(web, 'one')
    const now = await otherBuild()
    expect(now.beside).to.deep.equal([before.folder])
    await now.load(web, 'one')
    // It comes while both are there, so that only the new programs know it.
    await now.add({ id: idOf('new'), profile: web })
    stateOf(now).tasks = ['a', 'b', 'new'].map((name, i) => ({ pid: 10 + i, cgroup: idOf(name), bound: 0 }))
    const late = await now.settle(['a', 'b', 'new'].map((name) => ({ id: idOf(name), profile: web })))
    expect(late, 'ran without a profile').to.deep.equal(new Map([[idOf('new'), 1]]))
    expect(['a', 'b', 'new'].map((name) => inForce(now, name))).to.deep.equal([undefined, undefined, 'one'])
    kernel.onStep = (step) => {
      if (step === 'drop') expect(['a', 'b'].map((name) => inForce(now, name))).to.deep.equal(['one', 'one'])
    }
    await now.expect(new Set([web]))
    expect([...kernel.folders.keys()]).to.deep.equal([now.folder])
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
    // What ended while no agent ran leaves its number to others, once that is known.
    await now.settle(['a', 'b', 'new'].map((name) => ({ id: idOf(name), profile: web })))
    const others = Array.from({ length: containers - 4 }, (_, i) => `c${i}`)
    for (const name of others) await now.add({ id: idOf(name), profile: web })
    expect(new Set(['a', 'b', 'new', ...others].map((name) => now.numberOf(idOf(name)))).size).to.equal(containers - 1)
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
    kernel.onStep = (step) => {
      if (step === 'write varmor_v4') throw Object.assign(new Error('no'), { step, errno: 28, log: '' })
    }
    await thrownBy(now.load('varmor-demo-b', 'two'))
    expect([inForce(now, 'a'), inForce(now, 'b')]).to.deep.equal(['three', undefined])
    expect(kernel.inForce(before.folder, 2)).to.equal('two')
    kernel.onStep = () => undefined
    await now.load('varmor-demo-b', 'two')
    expect(inForce(now, 'b')).to.equal('two')
    expect([...kernel.folders.keys()]).to.deep.equal([now.folder])
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
      expect(kernel.folders.has(before.folder)).to.equal(keeps)
    })

  it('says which option gives more room, and with it goes on with all that it held', async () => {
    const before = await open()
    const names = Array.from({ length: containers - 1 }, (_, i) => `c${i}`)
    for (const name of names) await before.add({ id: idOf(name), profile: web })
    for (let i = 0; i < slots - 3; i++) await before.load(`varmor-demo-${i}`, `${i}`)
    await before.load(web, 'one')
    const reasonOf = async (work: Promise<unknown>) => (await thrownBy(work)).reason
    expect(await reasonOf(before.add({ id: idOf('more'), profile: web }))).to.match(/15 numbers .* --bpfContainers/)
    expect(await reasonOf(before.load('varmor-demo-more', 'x'))).to.match(/6 places .* --bpfProfiles/)
    // One place is kept for what replaces another.
    await before.load(web, 'two')
    await before.load(web, 'one')

    const now = await open({
      encoder: { ...fakeEncoder, slots: 2 * slots, tables: 2 * slots, containers: 2 * containers },
    })
    await now.load(web, 'one')
    await now.settle([...names, 'more'].map((name) => ({ id: idOf(name), profile: web })))
    expect(kernel.inForce(before.folder, 1)).to.equal('one')
    await now.expect(new Set([web]))
    expect([...names, 'more'].map((name) => inForce(now, name))).to.deep.equal(Array(containers).fill('one'))
    expect([...kernel.folders.keys()]).to.deep.equal([now.folder])
  })

  it('loads programs anew that somebody has detached, with all containers, and says so', async () => {
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
    // What is left of the old ones holds until all is back.
    expect(kernel.folders.has(first)).to.equal(true)
    await enforcer.load('varmor-demo-b', 'two')
    expect([...kernel.folders.keys()]).to.deep.equal([enforcer.folder])
  })

  it('goes with all that it holds when it is asked to', async () => {
    const enforcer = await open()
    await enforcer.load(web, 'one')
    await enforcer.end()
    expect(kernel.folders.size).to.equal(0)
    expect(existsSync(dirname(enforcer.folder))).to.equal(false)
  })

  it('says which hooks the kernel lacks, and why programs cannot be loaded', async () => {
    expect((await open()).absent).to.deep.equal(['lsm/new_hook'])
    const log = `${'x\n'.repeat(100)}last line of the verifier\n`
    kernel.onStep = () => {
      throw Object.assign(new Error('Permission denied'), { step: 'load the programs', errno: 13, log })
    }
    const { reason } = await thrownBy(open())
    expect(reason).to.contain('EACCES').and.to.contain('last line of the verifier')
    expect(reason.length).to.be.below(400)
    kernel.onStep = (step) => {
      throw Object.assign(new Error('Operation not permitted'), { step, errno: 1 })
    }
    expect((await thrownBy(open())).reason).to.contain('EPERM; the agent needs the capabilities BPF and PERFMON')
    expect((await thrownBy(open({ object: join(folder, 'none') }))).reason).to.contain('npm run build:bpf')
  })

  it('names the limit of locked memory where that may be why the kernel says no', () => {
    const refused = Object.assign(new Error('Operation not permitted'), { step: 'load the programs', errno: 1 })
    for (const kernel of ['5.10.0-33-amd64', '4.18.0', '5.11.0', '6.1.0-9-amd64', '6.12.117+deb12-cloud-amd64']) {
      const { reason } = kernelError('load the BPF programs', refused, kernel)
      const named = ['5.10.0-33-amd64', '4.18.0'].includes(kernel)
      expect(reason.includes(`Linux ${kernel}`), reason).to.equal(named)
      expect(reason.includes('LimitMEMLOCK=infinity'), reason).to.equal(named)
      expect(reason).to.contain('a kernel that is not locked down')
    }
  })
})
