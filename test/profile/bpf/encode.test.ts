import { expect } from 'chai'
import fc from 'fast-check'
import {
  type BpfProfile,
  CARRY,
  fileFlags,
  type MountRule,
  type SocketRule,
} from '../../../src/profile/bpf/bpf-profile.ts'
import { emptyProfile, encodeProfile } from '../../../src/profile/bpf/encode.ts'
import { mapSizes, tableMaps } from '../../../src/profile/bpf/layout.ts'
import { type MapWrite, UnfitProfile } from '../../../src/profile/bpf/map-write.ts'
import { egressNumber, type ProfilePlace, placesOfProfile } from '../../../src/profile/bpf/places.ts'
import { walk } from '../../../src/profile/bpf/table.ts'
import { anyPlace, anyProfile } from './arbitrary-profile.ts'
import { privileged, profileOf } from './compiled.ts'
import { countedTables } from './counted-tables.ts'
import { decoded, expectedOf, mapsAfter } from './decoded.ts'

const place: ProfilePlace = { slot: 3, id: 42, placeTable: countedTables() }

const written = (profile: BpfProfile, at: Omit<ProfilePlace, 'placeTable'> = place) =>
  decoded(mapsAfter(encodeProfile(profile, { ...place, ...at })), at.slot)

/** Names of maps in the order of their first write. */
const order = (writes: readonly MapWrite[]): string[] => [...new Set(writes.map(({ map }) => map))]

const placeOf = ({ map, key }: Pick<MapWrite, 'map' | 'key'>): string => `${map} ${Buffer.from(key).toString('hex')}`

const audited = { auditViolations: true }

/** Policies, by the part of a profile that they fill. */
const policies: Record<string, BpfProfile> = {
  'nothing at all': profileOf({ mode: 'AlwaysAllow' }),
  'what is recorded': profileOf({ mode: 'BehaviorModeling' }),
  'the rules of a runtime': profileOf({ mode: 'RuntimeDefault' }),
  files: privileged({ bpfRawRules: { files: [{ pattern: '/deny/**', permissions: ['read', 'write'] }] } }),
  capabilities: privileged({ ...audited, hardeningRules: ['disable-cap-net-raw', 'disallow-create-user-ns'] }),
  'programs and disks': privileged({ hardeningRules: ['disallow-load-all-bpf-prog', 'disallow-debug-disk-device'] }),
  tracing: privileged({ ...audited, bpfRawRules: { ptrace: { strictMode: false, permissions: ['trace', 'read'] } } }),
  mounts: privileged({
    bpfRawRules: {
      mounts: [
        { sourcePattern: '**', fstype: 'proc', flags: ['all'] },
        { sourcePattern: '/free/m', fstype: '*', flags: ['ro'] },
      ],
    },
  }),
  sockets: privileged({ bpfRawRules: { network: { sockets: [{ protocols: ['icmp'] }, { domains: ['netlink'] }] } } }),
  'where packets go': privileged({
    bpfRawRules: {
      network: {
        egress: {
          toDestinations: [
            { ip: '127.0.0.1', ports: [{ port: 8080 }, { port: 9000, endPort: 9010 }] },
            { cidr: '10.1.0.0/16' },
            { cidr: 'fd00::/8', ports: [{ port: 443 }] },
          ],
        },
      },
    },
  }),
}

const automaton = (bytes: number) => ({
  ...{ states: 1, classes: 1, start: 1, cells: 2, bytes },
  table: Buffer.alloc(bytes, 7).toString('base64'),
})

const socket: SocketRule = { deny: true, audit: false, domainMask: [1, 0], typeMask: 0, protocolMask: [0, 0] }
const mount: MountRule = { deny: true, audit: false, operations: ['new'], set: 1, clear: 0 }
const none = { always: [], sets: [[]] }
const withMounts = (rules: MountRule[], more: object = {}): BpfProfile => ({
  ...emptyProfile,
  mounts: { rules, sources: { ...none, ...more }, targets: none },
})
const withTable = (table: NonNullable<BpfProfile['egress']>['table']): BpfProfile => ({
  ...emptyProfile,
  egress: { destinations: [], references: [], table },
})
const times = <T>(count: number, one: T): T[] => new Array<T>(count).fill(one)

describe('a profile in the maps of the kernel', () => {
  for (const [what, profile] of Object.entries(policies))
    it(`says what the policy says about ${what}`, () => {
      expect(written(profile)).to.deep.equal(expectedOf(profile, place.id))
    })

  it('says what any profile says, wherever it stands', () => {
    fc.assert(
      fc.property(anyProfile, anyPlace, (profile, at) => {
        expect(written(profile, at)).to.deep.equal(expectedOf(profile, at.id))
      }),
    )
  })

  it('has the automaton that marks paths', () => {
    const { files } = written(policies['files']!)
    const bytes = new Uint8Array(Buffer.from(files.table, 'base64'))
    const marks = (path: string) => walk({ start: files.start, cellCount: files.cells, bytes }, Buffer.from(path))
    expect(marks('/deny/a') & 0xff).to.equal(fileFlags.read | fileFlags.write | fileFlags.append | CARRY)
    expect(marks('/free')).to.equal(0)
  })

  it('lets all through and reports it while a workload is recorded', () => {
    expect(written(policies['what is recorded']!).mode).to.equal(1)
    expect(written(policies['files']!).mode).to.equal(0)
  })

  it('allows all where it takes the place of one that is gone', () => {
    expect(written(emptyProfile)).to.deep.equal(written(policies['nothing at all']!))
    expect(encodeProfile(emptyProfile, place)).to.have.length(1)
  })

  it('is written before its slot shows it', () => {
    const profile = {
      ...policies['files']!,
      mounts: policies['mounts']!.mounts!,
      egress: policies['where packets go']!.egress!,
    }
    const writes = encodeProfile(profile, place)
    const last = ['varmor_mount_rules', 'varmor_v4', 'varmor_v6', 'varmor_ports', 'varmor_profiles']
    expect(order(writes)).to.deep.equal(['varmor_small_tables', ...last])
    expect(writes.filter(({ map }) => map === 'varmor_profiles')).to.have.length(1)
  })

  it('does not touch what is in force in other slots', () => {
    fc.assert(
      fc.property(anyProfile, anyProfile, anyPlace, anyPlace, (one, other, at, elsewhere) => {
        fc.pre(at.slot !== elsewhere.slot)
        const placeTable = countedTables()
        const [before, after] = [
          encodeProfile(one, { ...at, placeTable }),
          encodeProfile(other, { ...elsewhere, placeTable }),
        ]
        const shown = after.pop()!
        const places = new Set(before.map(placeOf))
        expect(after.filter((write) => places.has(placeOf(write)))).to.deep.equal([])
        const maps = mapsAfter(after, mapsAfter(before))
        expect(decoded(maps, at.slot)).to.deep.equal(expectedOf(one, at.id))
        mapsAfter([shown], maps)
        expect(decoded(maps, elsewhere.slot)).to.deep.equal(expectedOf(other, elsewhere.id))
      }),
      { numRuns: 50 },
    )
  })

  it('is gone when its places, its tables and the entries of its number are removed', () => {
    fc.assert(
      fc.property(anyProfile, anyPlace, (profile, at) => {
        const removed = new Set(placesOfProfile(at.slot).map(placeOf))
        const number = Buffer.from(Uint32Array.of(egressNumber(at.slot)).buffer)
        const left = encodeProfile(profile, { ...at, placeTable: countedTables() }).filter((write) => {
          const egress = { varmor_v4: 4, varmor_v6: 4, varmor_ports: 0 }[write.map]
          if (egress === undefined) return !write.map.endsWith('_tables') && !removed.has(placeOf(write))
          return !number.equals(write.key.subarray(egress, egress + 4))
        })
        expect(left).to.deep.equal([])
      }),
    )
  })

  it('has its tables where it is told to, and writes those alone that are not there', () => {
    fc.assert(
      fc.property(anyProfile, anyPlace, fc.boolean(), (profile, at, isNew) => {
        const tables = new Map<string, number>()
        const placeTable = (map: string, bytes: Uint8Array) => {
          const text = `${map} ${Buffer.from(bytes).toString('base64')}`
          const known = tables.get(text)
          tables.set(text, known ?? 7_000 + tables.size)
          return { index: tables.get(text)!, isNew: known === undefined && isNew }
        }
        const writes = encodeProfile(profile, { ...at, placeTable })
        const written = writes.filter(({ map }) => map.endsWith('_tables'))
        expect(written).to.have.length(isNew ? tables.size : 0)
        if (isNew) expect(decoded(mapsAfter(writes), at.slot)).to.deep.equal(expectedOf(profile, at.id))
      }),
      { numRuns: 50 },
    )
  })

  it('has no place in slots that are none', () => {
    for (const slot of [0, -1, 1.5, 16_384]) {
      expect(() => encodeProfile(emptyProfile, { ...place, slot }).map(placeOf)).to.throw(RangeError, 'slot')
      expect(() => placesOfProfile(slot)).to.throw(RangeError, 'not from 1 to 16383')
      expect(() => egressNumber(slot)).to.throw(RangeError, 'slot')
    }
  })

  for (const [bytes, map] of [
    [1, 'varmor_small_tables'],
    [16 << 10, 'varmor_small_tables'],
    [(16 << 10) + 1, 'varmor_medium_tables'],
    [64 << 10, 'varmor_medium_tables'],
    [(64 << 10) + 1, 'varmor_large_tables'],
    [512 << 10, 'varmor_large_tables'],
    [(512 << 10) + 1, 'varmor_huge_tables'],
    [4 << 20, 'varmor_huge_tables'],
  ] as const)
    it(`has a table of ${bytes} bytes in ${map}`, () => {
      const [table] = encodeProfile(
        { ...emptyProfile, files: { rules: [], any: 0, automaton: automaton(bytes) } },
        place,
      )
      expect(table).to.include({ map, inner: tableMaps.find((one) => one.map === map)!.bytes })
      expect(table!.value.length).to.equal(bytes)
    })

  it('has the largest that all bounds allow', () => {
    const prefixes = (family: string) =>
      Array.from({ length: 65_536 }, (_, i): [string, number] => [family.replace('N', (i + 0x1000).toString(16)), 0])
    const v4 = Array.from({ length: 65_536 }, (_, i): [string, number] => [`10.1.${i >> 8}.${i & 255}/32`, 0])
    const profile = {
      ...withMounts(times(1024, { ...mount, fstype: 'f'.repeat(15) }), {
        sets: times(32_768, [1023]),
        automaton: automaton(4 << 20),
      }),
      ...{ sockets: times(512, socket), files: { rules: [], any: 0, automaton: automaton(4 << 20) } },
      egress: withTable({ v4, v6: prefixes('fd00::N/128').slice(0, 0xf000), portSets: [times(16_384, [1, 2, 3])] })
        .egress!,
    }
    const writes = encodeProfile(profile, { ...place, slot: 1023 })
    for (const { map, value } of writes) {
      const sizes = mapSizes[map]!
      expect(value.length).to.be.at.most('inner' in sizes ? sizes.inner : sizes.value)
    }
  })

  for (const [what, profile, ...words] of [
    [
      'socket rules',
      { ...emptyProfile, sockets: times(513, socket) },
      '513 socket rules',
      '512',
      'merge or remove rules',
    ],
    ['mount rules', withMounts(times(1025, mount)), '1025 mount rules', '1024', 'merge or remove rules'],
    ['the type of a mount', withMounts([{ ...mount, fstype: 'f'.repeat(16) }]), 'fff', '16 bytes', '15', 'write *'],
    ['a type in other letters', withMounts([{ ...mount, fstype: 'é'.repeat(8) }]), '16 bytes', '15'],
    [
      'an automaton',
      { ...emptyProfile, files: { rules: [], any: 0, automaton: automaton((4 << 20) + 4) } },
      ...['rules about files', '4194308 bytes', '4194304', 'fewer patterns'],
    ],
    [
      'sets of mount rules',
      withMounts([mount], { sets: times(32_769, [0]), automaton: automaton(512) }),
      ...['sets of sources of mount rules', '4194432 bytes', '4194304'],
    ],
    ['the number of a mount rule', withMounts([mount], { always: [1024] }), 'number 1024 of 1024'],
    [
      'prefixes',
      withTable({ v4: times(65_537, ['10.0.0.0/8', 0]), v6: [], portSets: [[]] }),
      ...['65537 prefixes of IPv4', '65536', 'wider'],
    ],
    ['ranges', withTable({ v4: [], v6: [], portSets: [times(16_385, [1, 2, 3])] }), '16385 ranges of ports', '16384'],
    ['a prefix that is none', withTable({ v4: [['::/0', 0]], v6: [], portSets: [[]] }), 'not a prefix of IPv4'],
    ['a set that is none', withTable({ v4: [['10.0.0.0/8', 1]], v6: [], portSets: [[]] }), 'number 1 of 1 sets'],
  ] as [string, BpfProfile, ...string[]][])
    it(`is refused where ${what} would not fit, in words that say what to do`, () => {
      expect(() => encodeProfile(profile, place))
        .to.throw(UnfitProfile)
        .with.property('message')
        .that.satisfies((message: string) => words.every((word) => message.includes(word)))
    })
})
