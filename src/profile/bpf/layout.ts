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
 * The layout of the maps that the agent writes. encode.ts uses it, and native/bpf/varmor_profile.h is generated from
 * it. A new version of a profile gets a new slot (index in varmor_profiles), so a profile in force is never
 * overwritten.
 */

/**
 * A bit of `egress` in the keys of varmor_v4 and varmor_v6. If it is set, the entry is an address of a container's pod,
 * and the other bits are the number of the container.
 */
export const OWN = 1 << 30
/** Tables of a profile: the automaton of files, and for the sources and targets of mounts an automaton and its sets. */
export const TABLES_OF_PROFILE = 5

const KIBIBYTE = 1024
const WORD_BITS = 64
const MOUNT_WORDS = MAX_MOUNT_RULES / WORD_BITS
/** Bytes of a set of mount rules. */
export const MOUNT_SET_BYTES = MAX_MOUNT_RULES / 8

/** The highest bits of a reference to a table: the index of its size in `tableMaps`. */
export const TABLE_SIZE_SHIFT = 30
/** Maps of maps, by the index of their size; each inner map has one value of `bytes`. */
export const tableMaps = [
  { map: 'varmor_small_tables', bytes: 16 * KIBIBYTE },
  { map: 'varmor_medium_tables', bytes: 64 * KIBIBYTE },
  { map: 'varmor_large_tables', bytes: 512 * KIBIBYTE },
  { map: 'varmor_huge_tables', bytes: MAX_TABLE_BYTES },
] as const

/**
 * Maximum bytes that the kernel allocates for an array with one value of `value` bytes (bpf_map_area_alloc, pages of 4
 * KiB): a power of two up to 32 KiB, then whole pages. One KiB is for the map's own description.
 */
export function bytesOfArray(value: number): number {
  const bytes = value + KIBIBYTE
  return bytes <= 32 * KIBIBYTE ? 2 ** Math.ceil(Math.log2(bytes)) : 4 * KIBIBYTE * Math.ceil(bytes / (4 * KIBIBYTE))
}

const upper = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, number]) => [name.toUpperCase(), number]))

const { way, ...accesses } = fileFlags

/**
 * The constants of the C header, by group. Each name gets the prefix `VARMOR_`, then the group's word if it has one.
 */
export const constants: readonly { what: string; word?: string; values: Readonly<Record<string, number>> }[] = [
  { what: 'Verdict of a rule that matches (src/profile/bpf/port-set.ts).', values: { DENY, AUDIT, ALLOW } },
  {
    what: 'Refused accesses to a path. Shifted left by VARMOR_FILE_AUDIT, the same bits are reported accesses (src/profile/bpf/bpf-profile.ts).',
    word: 'FILE',
    values: { ...upper({ ...accesses, way }), CARRY, AUDIT: AUDIT_SHIFT },
  },
  {
    what: "Tables of automata are in maps of four sizes; the highest bits of a reference hold the size's number.",
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
    what: 'Default and maximum number of profile slots and of container numbers (0 is unused), and number of tables of a profile.',
    values: { PROFILES, MAX_PROFILES, CONTAINERS, MAX_CONTAINERS, TABLES_OF_PROFILE },
  },
  {
    what: "Added to a container's number, this gives the `egress` of the entries for its pod's addresses.",
    values: { OWN },
  },
  {
    what: 'Maximum number of socket rules and of mount rules, and number of 64-bit words in a set of mount rules.',
    values: { SOCKET_RULES: MAX_SOCKET_RULES, MOUNT_RULES: MAX_MOUNT_RULES, MOUNT_WORDS },
  },
  {
    what: 'Operations on mounts (src/profile/bpf/bpf-profile.ts).',
    word: 'MOUNT',
    values: upper(mountOperations),
  },
  {
    what: 'Protocols that have ports (src/profile/bpf/port-set.ts).',
    values: upper(Object.fromEntries(egressProtocols.map((name, number) => [name, number]))),
  },
]

export const automaton = struct('varmor_automaton', 'The place of an automaton, and its first state.', [
  { name: 'table', type: 'u32', what: 'reference to the table; 0: none, because index 0 of each map is unused' },
  { name: 'start', type: 'u32', what: 'first state of a walk' },
  { name: 'cells', type: 'u32', what: 'number of cells; the marks follow the cells' },
  { name: 'reserved', type: 'u32' },
])

export const socketRule = struct(
  'varmor_socket_rule',
  'An empty set matches every value. A rule with protocols also has the domains IPv4 or IPv6.',
  [
    { name: 'domains', type: 'u64', what: 'bits by AF_ number' },
    { name: 'protocols', type: 'u64', what: 'bits by IPPROTO_ number' },
    { name: 'types', type: 'u32', what: 'bits by SOCK_ number' },
    { name: 'verdict', type: 'u32', what: 'VARMOR_DENY, VARMOR_AUDIT' },
  ],
)

export const v4Key = struct(
  'varmor_v4_key',
  'Key for the destination of packets. The entry with the longest prefix has the ranges of ports.',
  [
    { name: 'bits', type: 'u32', what: 'number of significant bits: 32 and the prefix length' },
    { name: 'egress', type: 'u32', what: "number of a profile's egress rules, or VARMOR_OWN and a container number" },
    { name: 'address', type: 'u8', count: 4, what: 'network byte order' },
  ],
)

export const v6Key = struct('varmor_v6_key', 'The same key for IPv6.', [
  { name: 'bits', type: 'u32' },
  { name: 'egress', type: 'u32' },
  { name: 'address', type: 'u8', count: 16 },
])

export const portRanges = struct('varmor_port_ranges', 'Consecutive ranges in varmor_ports.', [
  { name: 'first', type: 'u32', what: 'index of the first range' },
  { name: 'count', type: 'u32' },
])

export const portKey = struct('varmor_port_key', 'Key of a range in varmor_ports.', [
  { name: 'egress', type: 'u32' },
  { name: 'index', type: 'u32' },
])

export const portRange = struct(
  'varmor_port_range',
  'A range of ports; the upper 16 bits are VARMOR_TCP, VARMOR_UDP or VARMOR_OTHER. Ranges ascend.',
  [
    { name: 'first', type: 'u32' },
    { name: 'last', type: 'u32' },
    { name: 'verdict', type: 'u32' },
    { name: 'reserved', type: 'u32' },
  ],
)

export const mountRule = struct(
  'varmor_mount_rule',
  'A deny rule matches if the mount has a flag of `set` or lacks a flag of `clear`. A rule with VARMOR_ALLOW matches if the mount has all flags of `set` and lacks all flags of `clear`.',
  [
    { name: 'operations', type: 'u32', what: 'VARMOR_MOUNT_' },
    { name: 'set', type: 'u32' },
    { name: 'clear', type: 'u32' },
    { name: 'verdict', type: 'u32' },
    { name: 'fstype', type: 'char', count: MAX_FSTYPE_BYTES + 1, what: 'empty: any type' },
  ],
)

export const pathSets = struct(
  'varmor_path_sets',
  'Mount rules that match a path: the rules for any path, and the set of rules whose number the automaton gives.',
  [
    { name: 'always', type: 'u64', count: MOUNT_WORDS },
    { name: 'automaton', type: automaton },
    { name: 'sets', type: 'u32', what: 'reference to the table of sets; each set has VARMOR_MOUNT_WORDS words' },
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

export const profile = struct('varmor_profile', 'A profile: its rules, or the places of its rules.', [
  { name: 'id', type: 'u32', what: 'id of the profile in events' },
  { name: 'mode', type: 'u32', what: '1: every access is allowed and reported' },
  { name: 'any', type: 'u32', what: 'marks of a file whose path is unknown' },
  { name: 'block_devices', type: 'u32', what: 'marks of every block device' },
  { name: 'files', type: automaton },
  { name: 'capability_deny', type: 'u64', what: 'bits by CAP_ number' },
  { name: 'capability_audit', type: 'u64' },
  { name: 'ptrace_deny_all', type: 'u32', what: 'access bits of ptraceAccess in src/profile/bpf/bpf-profile.ts' },
  { name: 'ptrace_deny_outside', type: 'u32' },
  { name: 'ptrace_audit_all', type: 'u32' },
  { name: 'ptrace_audit_outside', type: 'u32' },
  { name: 'userns', type: 'u32', what: 'verdict' },
  { name: 'bpf_prog_load', type: 'u32', what: 'verdict' },
  { name: 'bpf_map_create', type: 'u32', what: 'verdict' },
  {
    name: 'egress',
    type: 'u32',
    what: '`egress` of its entries; 0: no rules about addresses',
  },
  { name: 'socket_rules', type: 'u32', what: 'number of `sockets`' },
  { name: 'mounts', type: 'u32', what: 'index in varmor_mount_rules; 0: no rules' },
  { name: 'lists', type: 'u32', what: '1: the profile lists allowed files; its table marks all other paths' },
  { name: 'userfaultfd', type: 'u32', what: 'verdict' },
  { name: 'own', type: portRanges, what: "ranges of the rules about the own pod's addresses" },
  { name: 'sockets', type: socketRule, count: MAX_SOCKET_RULES },
])

/** All structs, in the order in which C must declare them. */
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
