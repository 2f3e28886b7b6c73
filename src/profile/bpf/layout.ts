import { struct } from '../../base/c-struct.ts'
import { AUDIT_SHIFT, CARRY, fileFlags, mountOperations } from './bpf-profile.ts'
import {
  CLASSES_BYTES,
  CONTAINERS,
  MAX_CONTAINERS,
  MAX_FSTYPE_BYTES,
  MAX_MOUNT_RULES,
  MAX_PROFILES,
  MAX_SOCKET_RULES,
  MAX_TABLE_BYTES,
  PROFILES,
} from './limits.ts'
import { ALLOW, AUDIT, DENY, egressProtocols } from './port-set.ts'

/**
 * The maps of the BPF programs as the agent writes them: one table, from which encode.ts takes its offsets and
 * native/bpf/varmor_profile.h is generated (`npm run generate`), so that the two cannot part.
 *
 * A profile has a slot, its index in varmor_profiles, and from that come the places of all that it refers to
 * (places.ts). What takes its place goes to another slot, so that what stands in force is never written to.
 */

/**
 * Entries of varmor_v4 and varmor_v6 with this bit are the addresses of a container's pod, and the rest is the
 * container's number.
 */
export const OWN = 1 << 30
/** Tables of a profile: of files, and for sources and targets of mounts an automaton and its sets. */
export const TABLES_OF_PROFILE = 5

const KIBIBYTE = 1024
const WORD_BITS = 64
const MOUNT_WORDS = MAX_MOUNT_RULES / WORD_BITS
/** Bytes of a set of mount rules. */
export const MOUNT_SET_BYTES = MAX_MOUNT_RULES / 8

/** A reference to a table has the number of its size in its highest bits. */
export const TABLE_SIZE_SHIFT = 30
/** By the number of their size: maps of maps whose inner maps have one value of so many bytes. */
export const tableMaps = [
  { map: 'varmor_small_tables', bytes: 16 * KIBIBYTE },
  { map: 'varmor_medium_tables', bytes: 64 * KIBIBYTE },
  { map: 'varmor_large_tables', bytes: 512 * KIBIBYTE },
  { map: 'varmor_huge_tables', bytes: MAX_TABLE_BYTES },
] as const

/**
 * What the kernel allocates for an array with one value of so many bytes, at the most (bpf_map_area_alloc, with pages
 * of 4 KiB): up to 32 KiB a power of two, then whole pages. A KiB is for its own description.
 */
export function bytesOfArray(value: number): number {
  const bytes = value + KIBIBYTE
  return bytes <= 32 * KIBIBYTE ? 2 ** Math.ceil(Math.log2(bytes)) : 4 * KIBIBYTE * Math.ceil(bytes / (4 * KIBIBYTE))
}

const upper = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, number]) => [name.toUpperCase(), number]))

const { way, ...accesses } = fileFlags

/** What C defines, by group: `VARMOR_` and, where the group has one, its own word come before each name. */
export const constants: readonly { what: string; word?: string; values: Readonly<Record<string, number>> }[] = [
  { what: 'What is done with a match (src/profile/bpf/port-set.ts).', values: { DENY, AUDIT, ALLOW } },
  {
    what: 'Accesses to a path; VARMOR_FILE_AUDIT bits above, the same for what is reported (src/profile/bpf/bpf-profile.ts).',
    word: 'FILE',
    values: { ...upper({ ...accesses, way }), CARRY, AUDIT: AUDIT_SHIFT },
  },
  {
    what: "Tables of automata lie in maps of four sizes; a reference has the size's number in its highest bits.",
    word: 'TABLE',
    values: {
      SMALL: tableMaps[0].bytes,
      MEDIUM: tableMaps[1].bytes,
      LARGE: tableMaps[2].bytes,
      HUGE: tableMaps[3].bytes,
      SIZE_SHIFT: TABLE_SIZE_SHIFT,
      CLASSES: CLASSES_BYTES,
    },
  },
  {
    what: 'Slots of profiles and numbers of containers, by default and at most; the first of each is not used. And the tables of each profile.',
    values: { PROFILES, MAX_PROFILES, CONTAINERS, MAX_CONTAINERS, TABLES_OF_PROFILE },
  },
  {
    what: 'In place of the number of egress rules, with the number of a container: the addresses of its pod.',
    values: { OWN },
  },
  {
    what: 'The most rules of a kind, and the words of a set of mount rules.',
    values: { SOCKET_RULES: MAX_SOCKET_RULES, MOUNT_RULES: MAX_MOUNT_RULES, MOUNT_WORDS },
  },
  {
    what: 'Ways to change the mount table (src/profile/bpf/bpf-profile.ts).',
    word: 'MOUNT',
    values: upper(mountOperations),
  },
  {
    what: 'Protocols of a port (src/profile/bpf/port-set.ts).',
    values: upper(Object.fromEntries(egressProtocols.map((name, number) => [name, number]))),
  },
]

export const automaton = struct('varmor_automaton', 'Where an automaton lies, and how it is walked.', [
  { name: 'table', type: 'u32', what: 'reference to the table; zero for none, as the first of each map is not used' },
  { name: 'start', type: 'u32', what: 'state in which the walk begins' },
  { name: 'cells', type: 'u32', what: 'number of cells; what they lead to lies behind them' },
  { name: 'reserved', type: 'u32' },
])

export const socketRule = struct(
  'varmor_socket_rule',
  'A set that is 0 matches all. A rule with protocols names IPv4 or IPv6, whose numbers they are.',
  [
    { name: 'domains', type: 'u64', what: 'by AF_ number' },
    { name: 'protocols', type: 'u64', what: 'by IPPROTO_ number' },
    { name: 'types', type: 'u32', what: 'by SOCK_ number' },
    { name: 'verdict', type: 'u32', what: 'VARMOR_DENY, VARMOR_AUDIT' },
  ],
)

export const v4Key = struct(
  'varmor_v4_key',
  'Where packets go: the longest prefix names ranges of ports. Entries are of `egress`, the number of one profile.',
  [
    { name: 'bits', type: 'u32', what: 'of what follows: 32 and the length of the prefix' },
    { name: 'egress', type: 'u32' },
    { name: 'address', type: 'u8', count: 4, what: 'network byte order' },
  ],
)

export const v6Key = struct('varmor_v6_key', 'The same for IPv6.', [
  { name: 'bits', type: 'u32' },
  { name: 'egress', type: 'u32' },
  { name: 'address', type: 'u8', count: 16 },
])

export const portRanges = struct('varmor_port_ranges', 'Ranges that lie one behind the other in varmor_ports.', [
  { name: 'first', type: 'u32', what: 'index of the first' },
  { name: 'count', type: 'u32' },
])

export const portKey = struct('varmor_port_key', 'The place of a range.', [
  { name: 'egress', type: 'u32' },
  { name: 'index', type: 'u32' },
])

export const portRange = struct(
  'varmor_port_range',
  'Ports, with VARMOR_TCP, VARMOR_UDP or VARMOR_OTHER in the upper half. Ranges ascend.',
  [
    { name: 'first', type: 'u32' },
    { name: 'last', type: 'u32' },
    { name: 'verdict', type: 'u32' },
    { name: 'reserved', type: 'u32' },
  ],
)

export const mountRule = struct(
  'varmor_mount_rule',
  'Matches where one flag of `set` is given or one of `clear` is not; one with VARMOR_ALLOW where all of `set` and none of `clear` are.',
  [
    { name: 'operations', type: 'u32', what: 'VARMOR_MOUNT_' },
    { name: 'set', type: 'u32' },
    { name: 'clear', type: 'u32' },
    { name: 'verdict', type: 'u32' },
    { name: 'fstype', type: 'char', count: MAX_FSTYPE_BYTES + 1, what: 'empty for any' },
  ],
)

export const pathSets = struct(
  'varmor_path_sets',
  'Which rules mean a path: those that mean any, and those of the set whose number the automaton gives.',
  [
    { name: 'always', type: 'u64', count: MOUNT_WORDS },
    { name: 'automaton', type: automaton },
    { name: 'sets', type: 'u32', what: 'reference to the table of sets, of VARMOR_MOUNT_WORDS words each' },
    { name: 'reserved', type: 'u32' },
  ],
)

export const mounts = struct('varmor_mounts', 'Rules about mounting.', [
  { name: 'count', type: 'u32' },
  { name: 'reserved', type: 'u32' },
  { name: 'sources', type: pathSets },
  { name: 'targets', type: pathSets },
  { name: 'rules', type: mountRule, count: MAX_MOUNT_RULES },
])

export const profile = struct('varmor_profile', 'All that a profile says, or where it lies.', [
  { name: 'id', type: 'u32', what: 'what events call it' },
  { name: 'mode', type: 'u32', what: 'is 1 where everything is let through and reported' },
  { name: 'any', type: 'u32', what: 'flags of a path that cannot be rebuilt' },
  { name: 'block_devices', type: 'u32', what: 'flags of every block device' },
  { name: 'files', type: automaton },
  { name: 'capability_deny', type: 'u64', what: 'by CAP_ number' },
  { name: 'capability_audit', type: 'u64' },
  { name: 'ptrace_deny_all', type: 'u32', what: 'accesses as src/profile/bpf/bpf-profile.ts numbers them' },
  { name: 'ptrace_deny_outside', type: 'u32' },
  { name: 'ptrace_audit_all', type: 'u32' },
  { name: 'ptrace_audit_outside', type: 'u32' },
  { name: 'userns', type: 'u32', what: 'verdict' },
  { name: 'bpf_prog_load', type: 'u32', what: 'verdict' },
  { name: 'bpf_map_create', type: 'u32', what: 'verdict' },
  { name: 'egress', type: 'u32', what: 'number of its entries; zero where there are none' },
  { name: 'socket_rules', type: 'u32', what: 'number of them' },
  { name: 'mounts', type: 'u32', what: 'index in varmor_mount_rules; zero where there are none' },
  { name: 'lists', type: 'u32', what: 'is 1 where it lists what is allowed: the tables have all but that' },
  { name: 'userfaultfd', type: 'u32', what: 'verdict' },
  { name: 'own', type: portRanges, what: "of rules about the addresses of the container's own pod" },
  { name: 'sockets', type: socketRule, count: MAX_SOCKET_RULES },
])

/** In the order in which C needs them. */
export const structs = [
  ...[automaton, socketRule, v4Key, v6Key, portRanges, portKey, portRange, mountRule, pathSets, mounts, profile],
] as const

/**
 * Bytes of keys and values of the maps that the agent writes; `inner` is the one value of each map in a map of maps.
 */
export const mapSizes: Readonly<Record<string, { key: number; value: number } | { key: number; inner: number }>> = {
  varmor_profiles: { key: 4, inner: profile.size },
  varmor_mount_rules: { key: 4, inner: mounts.size },
  ...Object.fromEntries(tableMaps.map(({ map, bytes }) => [map, { key: 4, inner: bytes }])),
  varmor_v4: { key: v4Key.size, value: portRanges.size },
  varmor_v6: { key: v6Key.size, value: portRanges.size },
  varmor_ports: { key: portKey.size, value: portRange.size },
}
