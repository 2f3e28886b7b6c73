import { bytesIn, numberIn, type Struct } from '../../../src/base/c-struct.ts'
import type { Automaton, BpfProfile, PatternSets, Verdict } from '../../../src/profile/bpf/bpf-profile.ts'
import { mountOperations } from '../../../src/profile/bpf/bpf-profile.ts'
import { formatBlock } from '../../../src/profile/bpf/ip-address.ts'
import * as layout from '../../../src/profile/bpf/layout.ts'
import type { MapWrite } from '../../../src/profile/bpf/map-write.ts'
import type { PortSet } from '../../../src/profile/bpf/port-set.ts'

// Decodes the values of maps into a profile, as the BPF programs read them.

/** The maps by name. Their keys are bytes in hex. */
export type Maps = Map<string, Map<string, Uint8Array>>

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The content of the maps after the writes. Checks each write against the sizes of its map. */
export function mapsAfter(writes: readonly MapWrite[], maps: Maps = new Map()): Maps {
  for (const { map, key, value, inner } of writes) {
    const sizes = layout.mapSizes[map]!
    const whole = 'inner' in sizes ? sizes.inner : sizes.value
    if (key.length !== sizes.key || inner !== ('inner' in sizes ? sizes.inner : undefined))
      throw new Error(`${map} has not keys of ${key.length} bytes, or inner maps of ${inner}`)
    if (value.length > whole || (inner === undefined && value.length < whole))
      throw new Error(`${map} has not values of ${value.length} bytes`)
    const entries = maps.get(map) ?? new Map<string, Uint8Array>()
    maps.set(map, entries.set(hex(key), value))
  }
  return maps
}

const bitsOf = ({ deny, audit }: Verdict): number => (deny ? 1 : 0) + (audit ? 2 : 0)
const indexKey = (index: number): string => Buffer.from(Uint32Array.of(index).buffer).toString('hex')

/** The elements of an array of structs. */
const elements = (of: Struct, bytes: Uint8Array, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => bytes.subarray(of.size * i, of.size * (i + 1)))

const bits = (bytes: Uint8Array): number[] =>
  [...bytes].flatMap((byte, i) => [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * i + bit))

const wide = (bytes: Uint8Array): [number, number] => {
  const view = Buffer.from(bytes)
  return [view.readUInt32LE(0), view.readUInt32LE(4)]
}

/** The table that a reference names; an empty table for 0. */
function tableAt(maps: Maps, reference: number): Uint8Array {
  if (reference === 0) return new Uint8Array()
  const { map } = layout.tableMaps[reference >>> layout.TABLE_SIZE_SHIFT]!
  return maps.get(map)!.get(indexKey(reference % 2 ** layout.TABLE_SIZE_SHIFT))!
}

function automatonAt(maps: Maps, bytes: Uint8Array) {
  const number = (name: 'table' | 'start' | 'cells') => numberIn(layout.automaton, bytes, name)
  const table = tableAt(maps, number('table'))
  return { start: number('start'), cells: number('cells'), table: Buffer.from(table).toString('base64') }
}

function setsAt(maps: Maps, bytes: Uint8Array) {
  const sets = tableAt(maps, numberIn(layout.pathSets, bytes, 'sets'))
  const count = sets.length / layout.MOUNT_SET_BYTES
  return {
    always: bits(bytesIn(layout.pathSets, bytes, 'always')),
    automaton: automatonAt(maps, bytesIn(layout.pathSets, bytes, 'automaton')),
    sets: Array.from({ length: count }, (_, i) =>
      bits(sets.subarray(layout.MOUNT_SET_BYTES * i, layout.MOUNT_SET_BYTES * (i + 1))),
    ),
  }
}

function mountsAt(maps: Maps, index: number) {
  if (index === 0) return undefined
  const bytes = maps.get('varmor_mount_rules')!.get(indexKey(index))!
  const rules = elements(
    layout.mountRule,
    bytesIn(layout.mounts, bytes, 'rules'),
    numberIn(layout.mounts, bytes, 'count'),
  )
  return {
    rules: rules.map((rule) => ({
      ...Object.fromEntries(
        (['operations', 'set', 'clear', 'verdict'] as const).map((name) => [
          name,
          numberIn(layout.mountRule, rule, name),
        ]),
      ),
      fstype: Buffer.from(bytesIn(layout.mountRule, rule, 'fstype'))
        .toString()
        .replace(/\0+$/, ''),
    })),
    sources: setsAt(maps, bytesIn(layout.mounts, bytes, 'sources')),
    targets: setsAt(maps, bytesIn(layout.mounts, bytes, 'targets')),
  }
}

/** Prefixes of a family with the ranges of their ports. */
function prefixesAt(maps: Maps, family: 4 | 6, egress: number) {
  const key = family === 4 ? layout.v4Key : layout.v6Key
  const entries = [...(maps.get(`varmor_v${family}`) ?? [])].map(
    ([at, value]) => [Buffer.from(at, 'hex'), value] as const,
  )
  return entries
    .filter(([at]) => numberIn(key, at, 'egress') === egress)
    .map(([at, value]) => {
      const address = BigInt(`0x${hex(bytesIn(key, at, 'address'))}`)
      const first = numberIn(layout.portRanges, value, 'first')
      const indices = Array.from({ length: numberIn(layout.portRanges, value, 'count') }, (_, i) => first + i)
      const length = numberIn(key, at, 'bits') - 32
      return [formatBlock({ family, value: address, length }), indices.map((i) => rangeAt(maps, egress, i))]
    })
}

function ownAt(maps: Maps, ranges: Uint8Array, egress: number): number[][] {
  const first = numberIn(layout.portRanges, ranges, 'first')
  const count = numberIn(layout.portRanges, ranges, 'count')
  return Array.from({ length: count }, (_, i) => rangeAt(maps, egress, first + i))
}

function rangeAt(maps: Maps, egress: number, index: number): number[] {
  const range = maps.get('varmor_ports')!.get(indexKey(egress) + indexKey(index))!
  return (['first', 'last', 'verdict'] as const).map((name) => numberIn(layout.portRange, range, name))
}

/** Sorts entries, because entries of maps have no order. */
const inOrder = <T>(entries: T[]): T[] => entries.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

/** The profile in a slot as the programs read it. */
export function decoded(maps: Maps, slot: number) {
  const bytes = maps.get('varmor_profiles')!.get(indexKey(slot))!
  type Name = keyof typeof layout.profile.at
  const number = (name: Name) => numberIn(layout.profile, bytes, name)
  const part = (name: Name) => bytesIn(layout.profile, bytes, name)
  const sockets = elements(layout.socketRule, part('sockets'), number('socket_rules'))
  const egress = number('egress')
  return {
    id: number('id'),
    mode: number('mode'),
    any: number('any'),
    blockDevices: number('block_devices'),
    files: automatonAt(maps, part('files')),
    capabilities: [wide(part('capability_deny')), wide(part('capability_audit'))],
    ptrace: (['ptrace_deny_all', 'ptrace_deny_outside', 'ptrace_audit_all', 'ptrace_audit_outside'] as const).map(
      number,
    ),
    userns: number('userns'),
    bpf: [number('bpf_prog_load'), number('bpf_map_create')],
    sockets: sockets.map((rule) => ({
      domains: wide(bytesIn(layout.socketRule, rule, 'domains')),
      protocols: wide(bytesIn(layout.socketRule, rule, 'protocols')),
      types: numberIn(layout.socketRule, rule, 'types'),
      verdict: numberIn(layout.socketRule, rule, 'verdict'),
    })),
    mounts: mountsAt(maps, number('mounts')),
    egress:
      egress === 0
        ? undefined
        : {
            v4: inOrder(prefixesAt(maps, 4, egress)),
            v6: inOrder(prefixesAt(maps, 6, egress)),
            own: ownAt(maps, part('own'), egress),
          },
  }
}

const noAutomaton = { start: 0, cells: 0, table: '' }
const walked = ({ start, cells, table }: Pick<Automaton, 'start' | 'cells' | 'table'> = noAutomaton) => ({
  start,
  cells,
  table,
})

const ofSets = ({ always, sets, automaton }: PatternSets) => ({
  always: always.toSorted((a, b) => a - b),
  automaton: walked(automaton),
  sets: automaton === undefined ? [] : sets.map((set) => set.toSorted((a, b) => a - b)),
})

/** The expected result of `decoded`, from the profile itself. */
export function expectedOf(profile: BpfProfile, id: number): ReturnType<typeof decoded> {
  const { files, capabilities, ptrace, mounts, egress } = profile
  const no: Verdict = { deny: false, audit: false }
  const prefixes = (all: [string, number][], sets: PortSet[]) =>
    inOrder(all.map(([prefix, set]) => [prefix, sets[set]!.map((range) => [...range])]))
  return {
    id,
    mode: profile.mode === 'complain' ? 1 : 0,
    any: files.any,
    blockDevices: profile.blockDevices,
    files: walked(files.automaton),
    capabilities: [capabilities?.denyMask ?? [0, 0], capabilities?.auditMask ?? [0, 0]],
    ptrace: [ptrace?.denyAll, ptrace?.denyOutside, ptrace?.auditAll, ptrace?.auditOutside].map((mask = 0) => mask),
    userns: bitsOf(profile.userns ?? no),
    bpf: ['prog_load', 'map_create'].map((name) => bitsOf(profile.bpf.find(({ command }) => command === name) ?? no)),
    sockets: profile.sockets.map(({ domainMask, protocolMask, typeMask, ...verdict }) => ({
      domains: domainMask,
      protocols: protocolMask,
      types: typeMask,
      verdict: bitsOf(verdict),
    })),
    mounts: mounts && {
      rules: mounts.rules.map(({ operations, set, clear, fstype = '', ...verdict }) => ({
        operations: operations.reduce((mask, name) => mask | mountOperations[name], 0),
        ...{ set, clear, verdict: bitsOf(verdict), fstype },
      })),
      sources: ofSets(mounts.sources),
      targets: ofSets(mounts.targets),
    },
    egress: egress && {
      v4: prefixes(egress.table.v4, egress.table.portSets),
      v6: prefixes(egress.table.v6, egress.table.portSets),
      own: (egress.table.portSets[egress.table.own ?? -1] ?? []).map((range) => [...range]),
    },
  }
}
