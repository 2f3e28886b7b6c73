import { expect } from 'chai'
import fc from 'fast-check'
import { container, containerId, profileRecord, settings, word, wordIn } from '../../../src/enforcer/bpf/layout.ts'
import type { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { thrownBy } from '../loader-contract.ts'
import { enforcerWorld, idOf, web } from './enforcer-world.ts'
import { containers, type FakeTask } from './fake-kernel.ts'

type Maps = Map<string, Map<string, Uint8Array>>

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const keyOf = (name: string): string => hex(Buffer.from(idOf(name)))
const ids = (maps: Maps) => maps.get('varmor_ids')!
const records = (maps: Maps) => maps.get('varmor_records')!

/** All values of a map have the same size. */
function resize(maps: Maps, map: string, size: number): void {
  for (const [key, value] of maps.get(map)!) {
    const resized = new Uint8Array(size)
    resized.set(value.subarray(0, size))
    maps.get(map)!.set(key, resized)
  }
}

function setInRecords(maps: Maps, at: number, value: Uint8Array): void {
  for (const [key, record] of records(maps))
    records(maps).set(key, Buffer.concat([record.subarray(0, at), value, record.subarray(at + value.length)]))
}

const damages: { what: string; says: RegExp; make(maps: Maps): void }[] = [
  {
    what: 'a number of a container that has no place',
    says: /varmor_ids.*has number 16, and there are 16/,
    make: (maps) => ids(maps).set(keyOf('a'), word(containers)),
  },
  {
    what: 'the highest number that there is',
    says: /varmor_ids.*has number 4294967295, and there are 16/,
    make: (maps) => ids(maps).set(keyOf('a'), word(0xffff_ffff)),
  },
  {
    what: 'one number for two containers',
    says: /varmor_ids.*as another one has/,
    make: (maps) => ids(maps).set(keyOf('b'), ids(maps).get(keyOf('a'))!),
  },
  {
    what: 'a key that is no id',
    says: /varmor_ids.*not the id of a container/,
    make: (maps) => ids(maps).set('ff'.repeat(64), word(5)),
  },
  ...[0, 3, 5, 8].map((size) => ({
    what: `ids with a value of ${size} bytes`,
    says: /varmor_ids: .*\d+ bytes in place of a multiple of 68/,
    make: (maps: Maps) => resize(maps, 'varmor_ids', size),
  })),
  ...[0, 7, container.size + 8].map((size) => ({
    what: `containers of ${size} bytes`,
    says: new RegExp(`varmor_containers: .*it holds ${size} bytes in place of ${container.size}`),
    make: (maps: Maps) => resize(maps, 'varmor_containers', size),
  })),
  ...[0, settings.size - 1, settings.size + 1].map((size) => ({
    what: `settings of ${size} bytes`,
    says: new RegExp(`varmor_settings: .*it holds ${size} bytes in place of ${settings.size}`),
    make: (maps: Maps) => resize(maps, 'varmor_settings', size),
  })),
  ...[1, profileRecord.size - 1].map((size) => ({
    what: `records of ${size} bytes`,
    says: new RegExp(`varmor_records: .*it holds ${size} bytes in place of ${profileRecord.size}`),
    make: (maps: Maps) => resize(maps, 'varmor_records', size),
  })),
  {
    what: 'addresses of another size',
    says: /varmor_v4: .*bytes in place of a multiple of 12/,
    make: (maps) => resize(maps, 'varmor_v4', 5),
  },
  {
    what: 'a record that counts no further',
    says: /varmor_records: .*slot \d+ has no record/,
    make: (maps) => setInRecords(maps, profileRecord.at.serial, word(0xffff_ffff)),
  },
  {
    what: 'a record with a name that is no profile’s',
    says: /varmor_records: .*slot \d+ has no record/,
    make: (maps) => setInRecords(maps, profileRecord.at.name, Buffer.from('/etc')),
  },
  {
    what: 'a record with a table that has no place',
    says: /varmor_records: .*slot \d+ has no record/,
    make: (maps) => setInRecords(maps, profileRecord.at.tables, word(0xffff_ffff)),
  },
]

describe('maps that a new agent takes over, whatever is in them,', () => {
  const world = enforcerWorld()
  const { open, inForce, stateOf } = world

  const predecessor = async (): Promise<BpfEnforcer> => {
    const enforcer = await open()
    await enforcer.load(web, 'one@1234')
    for (const name of ['a', 'b']) await enforcer.add({ id: idOf(name), profile: web, addresses: ['10.0.0.1'] })
    return enforcer
  }

  const wanted = ['a', 'b', 'c'].map((name) => ({ id: idOf(name), profile: web, mntNsID: 7, addresses: ['10.0.0.2'] }))

  /** Runs an agent, and checks that its containers have the profile, each with its own valid number. */
  const live = async (enforcer: BpfEnforcer): Promise<void> => {
    const tasks: FakeTask[] = wanted.map(({ id }, i) => ({ pid: 10 + i, cgroup: id, bound: 0 }))
    stateOf(enforcer).tasks.push(...tasks)
    await enforcer.settle(wanted)
    await enforcer.load(web, 'two@1234')
    await enforcer.expect(new Set([web]))
    await enforcer.find()
    await enforcer.settle(wanted)
    const numbers = wanted.map(({ id }) => enforcer.numberOf(id) ?? 0)
    expect(new Set(numbers).size).to.equal(3)
    for (const number of numbers) expect(number).to.be.within(1, containers - 1)
    expect(tasks.map(({ bound }) => bound)).to.deep.equal(numbers)
    for (const name of ['a', 'b', 'c']) expect(inForce(enforcer, name)).to.equal('two@1234')
    expect(enforcer.inForce).to.equal(enforcer.folder)
    expect(enforcer.beside).to.deep.equal([])
    expect([...(await enforcer.list()).keys()]).to.include(web)
  }

  for (const { what, says, make } of damages)
    it(`are not gone on with where they hold ${what}: others are filled beside`, async () => {
      const before = await predecessor()
      make(stateOf(before).maps)
      const said: string[] = []
      const enforcer = await open({
        onDamaged: ({ reason, context }: EnforcerError) => said.push(`${context['map']}: ${reason}`),
      })
      expect(said).to.have.length(1)
      expect(said[0]).to.match(says)
      expect(enforcer.folder).to.not.equal(before.folder)
      expect(enforcer.beside, 'in force until the others hold all').to.deep.equal([before.folder])
      await live(enforcer)
    })

  it('hold on to containers whose numbers have places, until the others are filled', async () => {
    const before = await predecessor()
    ids(stateOf(before).maps).set(keyOf('a'), word(containers))
    const enforcer = await open()
    const added = wanted.slice(0, 2)
    await enforcer.settle(added)
    await enforcer.load(web, 'two')
    expect(inForce(enforcer, 'a'), 'no other container has it').to.equal('two')
    expect(inForce(enforcer, 'b'), 'it would have two records').to.equal(undefined)
    expect(enforcer.numberOf(idOf('b'))).to.equal(before.numberOf(idOf('b')))
    await enforcer.expect(new Set([web]))
    expect([inForce(enforcer, 'a'), inForce(enforcer, 'b')]).to.deep.equal(['two', 'two'])
  })

  it('count as changed while the agent runs, and are loaded again', async () => {
    const enforcer = await predecessor()
    const { folder } = enforcer
    resize(stateOf(enforcer).maps, 'varmor_settings', 3)
    expect(enforcer.inForce).to.equal(undefined)
    expect(await enforcer.list()).to.deep.equal(new Map([[web, '']]))
    await enforcer.load(web, 'three')
    expect(enforcer.folder).to.not.equal(folder)
    expect(enforcer.inForce).to.equal(enforcer.folder)
    expect([inForce(enforcer, 'a'), inForce(enforcer, 'b')]).to.deep.equal(['three', 'three'])
  })

  it('give an error in place of a part of a record', async () => {
    const enforcer = await predecessor()
    const { kernel } = world
    kernel.findTasks = () => Promise.resolve(new Uint8Array(17))
    expect(await thrownBy(enforcer.find())).to.include({ code: 'KERNEL_REFUSED' })
    expect((await thrownBy(enforcer.find())).reason).to.contain('17 bytes in place of a multiple of 16')
    kernel.listProfiles = () => Promise.resolve(new Uint8Array(9))
    expect((await thrownBy(enforcer.list())).reason).to.contain('9 bytes in place of a multiple of 8')
    kernel.get = () => new Uint8Array(12)
    expect(() => enforcer.counters()).to.throw(EnforcerError)
  })

  it('give numbers to profiles though the last one was the highest', async () => {
    const before = await predecessor()
    const last = Buffer.alloc(container.size, 0xff)
    stateOf(before)
      .maps.get('varmor_containers')!
      .set(hex(word(0)), last)
    const enforcer = await open()
    await enforcer.load('varmor-demo-other', 'x')
    await enforcer.load('varmor-demo-more', 'y')
    const numbers = [web, 'varmor-demo-other', 'varmor-demo-more'].map((name) => enforcer.idOf(name))
    expect(new Set(numbers).size).to.equal(3)
    for (const number of numbers) expect(number).to.be.within(1, 0xffff_ffff)
    await live(enforcer)
  })

  it('leave each container of the node in its profile', async () => {
    const number = fc.oneof(
      fc.nat({ max: containers + 2 }),
      fc.constantFrom(0x7fff_ffff, 0xffff_ffff),
      fc.nat({ max: 0xffff_ffff }),
    )
    const shapes = fc.oneof(
      fc.record({
        map: fc.constantFrom(
          'varmor_ids',
          'varmor_containers',
          'varmor_records',
          'varmor_settings',
          'varmor_v4',
          'varmor_v6',
        ),
        size: fc.nat({ max: 200 }),
      }),
      fc.record({
        id: fc.oneof(
          fc.constantFrom(keyOf('a'), keyOf('b'), keyOf('x')),
          fc.uint8Array({ minLength: containerId.size, maxLength: containerId.size }).map(hex),
        ),
        number,
      }),
      fc.record({ slot: fc.nat({ max: 3 }), at: fc.nat({ max: profileRecord.size - 4 }), number }),
      fc.record({ last: fc.uint8Array({ minLength: container.size, maxLength: container.size }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(shapes, { minLength: 1, maxLength: 4 }), async (changes) => {
        for (const folder of world.kernel.folders.keys()) await world.kernel.drop(folder)
        const before = await predecessor()
        const { maps } = stateOf(before)
        for (const change of changes) {
          if ('map' in change) resize(maps, change.map, change.size)
          else if ('id' in change)
            ids(maps).set(change.id, Buffer.concat([word(change.number)], ids(maps).get(keyOf('a'))!.length))
          else if ('last' in change) {
            const all = maps.get('varmor_containers')!
            if (all.get(hex(word(0)))!.length === container.size) all.set(hex(word(0)), change.last)
          } else {
            const record = records(maps).get(hex(word(change.slot))) ?? new Uint8Array(profileRecord.size)
            if (record.length === profileRecord.size) {
              const value = Buffer.from(record)
              value.set(word(change.number), change.at)
              records(maps).set(hex(word(change.slot)), value)
            }
          }
        }
        const enforcer = await open()
        await live(enforcer)
        const places = [...ids(stateOf(enforcer).maps).values()].map((value) => wordIn(value))
        for (const place of places) expect(place).to.be.below(containers)
      }),
      { numRuns: 200 },
    )
  })
})
