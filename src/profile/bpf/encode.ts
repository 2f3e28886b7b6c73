import { type FieldValue, pack, type Struct } from '../../base/c-struct.ts'
import {
  type Automaton,
  type BpfProfile,
  type MountRule,
  type MountRules,
  mountOperations,
  type PatternSets,
  type SocketRule,
  type Verdict,
} from './bpf-profile.ts'
import { encodeEgress, ownRanges } from './encode-egress.ts'
import {
  automaton,
  MOUNT_SET_BYTES,
  mountRule,
  mounts,
  pathSets,
  profile as profileStruct,
  socketRule,
  tableMaps,
} from './layout.ts'
import { MAX_FSTYPE_BYTES, MAX_MOUNT_RULES, MAX_SOCKET_RULES, MAX_TABLE_BYTES } from './limits.ts'
import { type MapWrite, UnfitProfile } from './map-write.ts'
import { egressNumber, mountsIndex, type ProfilePlace, profileKey, tableReference, wordBytes } from './places.ts'
import { ALLOW, AUDIT, DENY } from './port-set.ts'

/** Allows everything and reports nothing. It replaces the profile of running containers whose policy was deleted. */
export const emptyProfile: Readonly<BpfProfile> = {
  mode: 'enforce',
  files: { rules: [], any: 0 },
  sockets: [],
  bpf: [],
  blockDevices: 0,
}

/**
 * The writes to the maps of the BPF programs for a profile. The last write, to varmor_profiles, replaces the old
 * profile in one step: the maps then already contain all data that the new profile refers to.
 * @throws {UnfitProfile} if the profile exceeds a bound
 */
export function encodeProfile(profile: BpfProfile, place: ProfilePlace): MapWrite[] {
  const writes: MapWrite[] = []
  const files = putTable(writes, 'rules about files', tableOf(profile.files.automaton), place)
  if (profile.mounts !== undefined) putMounts(writes, profile.mounts, place)
  const egress = profile.egress === undefined ? 0 : egressNumber(place.slot, place.half)
  if (profile.egress !== undefined) for (const write of encodeEgress(profile.egress.table, egress)) writes.push(write)
  const value = profileBytes(profile, place.id, automatonBytes(profile.files.automaton, files), {
    egress,
    mounts: profile.mounts === undefined ? 0 : mountsIndex(place.slot),
  })
  writes.push({ map: 'varmor_profiles', key: profileKey(place.slot), value, inner: profileStruct.size })
  return writes
}

/**
 * The writes that replace only the egress rules of a loaded profile. A profile has two egress numbers: the new rules
 * get the unused number, and the last write makes the profile use this number.
 */
export function encodeEgressAlone(profile: BpfProfile, place: ProfilePlace): MapWrite[] {
  const own = new Set(['varmor_v4', 'varmor_v6', 'varmor_ports', 'varmor_profiles'])
  return encodeProfile(profile, place).filter(({ map }) => own.has(map))
}

/** Identifies a profile without its egress table: equal texts mean that only the table differs. */
export function withoutEgressTable(profile: BpfProfile): string {
  const { egress, ...rest } = profile
  return JSON.stringify([rest, egress === undefined ? null : [egress.destinations, egress.references]])
}

const noEgress = { v4: [], v6: [], portSets: [] }

const bitsOf = ({ deny, audit }: Verdict = { deny: false, audit: false }): number =>
  (deny ? DENY : 0) | (audit ? AUDIT : 0)

function profileBytes(
  profile: BpfProfile,
  id: number,
  files: Uint8Array,
  places: { egress: number; mounts: number },
): Uint8Array<ArrayBuffer> {
  const { capabilities, ptrace, bpf, sockets } = profile
  const command = (name: string): number => bitsOf(bpf.find((one) => one.command === name))
  checkCount('socket rules', sockets.length, MAX_SOCKET_RULES)
  return pack(profileStruct, {
    id,
    mode: profile.mode === 'complain' ? 1 : 0,
    any: profile.files.any,
    block_devices: profile.blockDevices,
    files,
    capability_deny: capabilities?.denyMask ?? [0, 0],
    capability_audit: capabilities?.auditMask ?? [0, 0],
    ptrace_deny_all: ptrace?.denyAll ?? 0,
    ptrace_deny_outside: ptrace?.denyOutside ?? 0,
    ptrace_audit_all: ptrace?.auditAll ?? 0,
    ptrace_audit_outside: ptrace?.auditOutside ?? 0,
    userns: bitsOf(profile.userns),
    userfaultfd: bitsOf(profile.userfaultfd),
    bpf_prog_load: command('prog_load'),
    bpf_map_create: command('map_create'),
    lists: profile.unlisted === undefined ? 0 : 1,
    ...places,
    own: ownRanges(profile.egress?.table ?? noEgress),
    socket_rules: sockets.length,
    sockets: packAll(socketRule, sockets.map(socketFields)),
  })
}

function checkCount(kind: string, count: number, max: number): void {
  if (count > max)
    throw new UnfitProfile(`${count} ${kind} do not fit: a profile has room for ${max}; merge or remove rules`)
}

const socketFields = (rule: SocketRule) => ({
  domains: rule.domainMask,
  protocols: rule.protocolMask,
  types: rule.typeMask,
  verdict: bitsOf(rule),
})

/** Structs, one after another. */
function packAll<Name extends string>(
  of: Struct<Name>,
  all: readonly Readonly<Record<Exclude<Name, 'reserved'>, FieldValue>>[],
): Uint8Array {
  const bytes = new Uint8Array(of.size * all.length)
  for (const [i, values] of all.entries()) bytes.set(pack(of, values), of.size * i)
  return bytes
}

const tableOf = (one: Automaton | undefined): Uint8Array => Buffer.from(one?.table ?? '', 'base64')

const automatonBytes = (one: Automaton | undefined, table: number): Uint8Array =>
  pack(automaton, { table, start: one?.start ?? 0, cells: one?.cells ?? 0 })

/** Adds the write of a table to the map for its size. @returns the reference to the table; 0 for an empty table */
function putTable(writes: MapWrite[], kind: string, value: Uint8Array, place: ProfilePlace): number {
  if (value.length === 0) return 0
  const size = tableMaps.findIndex(({ bytes }) => value.length <= bytes)
  if (size < 0) {
    const problem = `the ${kind} take ${value.length} bytes, and a table has room for ${MAX_TABLE_BYTES}`
    throw new UnfitProfile(`${problem}; use fewer patterns, or patterns with fewer **`)
  }
  const { map, bytes } = tableMaps[size]!
  const { index, isNew } = place.placeTable(map, value)
  if (isNew) writes.push({ map, key: wordBytes(index), value, inner: bytes })
  return tableReference(size, index)
}

function putMounts(writes: MapWrite[], rules: MountRules, place: ProfilePlace): void {
  checkCount('mount rules', rules.rules.length, MAX_MOUNT_RULES)
  const sources = putPathSets(writes, 'sources', rules.sources, place)
  const targets = putPathSets(writes, 'targets', rules.targets, place)
  const value = pack(mounts, {
    count: rules.rules.length,
    sources,
    targets,
    rules: packAll(mountRule, rules.rules.map(mountFields)),
  })
  writes.push({ map: 'varmor_mount_rules', key: wordBytes(mountsIndex(place.slot)), value, inner: mounts.size })
}

/** Returns a struct varmor_path_sets. */
function putPathSets(
  writes: MapWrite[],
  side: 'sources' | 'targets',
  { always, automaton: one, sets }: PatternSets,
  place: ProfilePlace,
): Uint8Array {
  // A set is not read if no automaton gives its number.
  const setBytes = one === undefined ? [] : sets.map(ruleSet)
  const automatonAt = putTable(writes, `${side} of mount rules`, tableOf(one), place)
  const setsAt = putTable(writes, `sets of ${side} of mount rules`, Buffer.concat(setBytes), place)
  return pack(pathSets, {
    always: ruleSet(always),
    automaton: automatonBytes(one, automatonAt),
    sets: setsAt,
  })
}

/** A set of mount rules as bits. */
function ruleSet(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(MOUNT_SET_BYTES)
  for (const number of numbers) {
    if (number >= MAX_MOUNT_RULES)
      throw new UnfitProfile(`a set of mount rules has number ${number} of ${MAX_MOUNT_RULES}`)
    bytes[number >> 3]! |= 1 << (number & 7)
  }
  return bytes
}

function mountFields({ operations, set, clear, fstype = '', allow, ...verdict }: MountRule) {
  const type = Buffer.from(fstype)
  if (type.length > MAX_FSTYPE_BYTES) {
    const problem = `a mount rule has the type ${JSON.stringify(fstype)} of ${type.length} bytes`
    throw new UnfitProfile(`${problem}: the kernel compares ${MAX_FSTYPE_BYTES} bytes; write * for any type`)
  }
  const bits = operations.reduce((mask, name) => mask | mountOperations[name], 0)
  return { operations: bits, set, clear, verdict: allow ? ALLOW : bitsOf(verdict), fstype: type }
}
