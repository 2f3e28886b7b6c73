import { numberIn, pack, struct } from '../../base/c-struct.ts'

/**
 * What the agent keeps in the maps for itself and for the programs; the maps' own part of native/bpf/varmor_profile.h.
 */

export const container = struct('varmor_container', 'A container, by its number.', [
  { name: 'profile', type: 'u32', what: 'its slot; zero for none' },
  { name: 'mnt_ns', type: 'u32', what: 'inode number of the mount namespace of its first process' },
  { name: 'ns', type: 'u64', what: 'address of that namespace; zero where no program has seen it' },
  { name: 'ns_id', type: 'u64', what: 'a number that no other mount namespace ever has' },
  { name: 'cgroup', type: 'u64', what: 'number of the cgroup of its first process; zero where no program has seen it' },
])

/**
 * Entry 0 of varmor_containers is no container's: it holds the numbers that were given last, for agents that come
 * after.
 */
export const lastNumbers = { container: container.at.mnt_ns, profile: container.at.profile } as const

export const task = struct('varmor_task', 'Which container a task is of.', [
  { name: 'container', type: 'u32', what: 'its number' },
  { name: 'stopped', type: 'u32', what: 'is 1 where it was stopped as its container was not known' },
])

export const containerId = struct(
  'varmor_container_id',
  'Key of varmor_ids; the value is the number of the container.',
  [{ name: 'hex', type: 'u8', count: 64, what: 'the id, in lower case' }],
)

/** Most tables that a profile refers to. */
export const MAX_TABLES = 8

export const profileRecord = struct('varmor_profile_record', "The agent's own memory of a profile, by its slot.", [
  { name: 'id', type: 'u32', what: 'what events call it' },
  { name: 'map', type: 'u32', what: "the kernel's id of its map in varmor_profiles" },
  { name: 'serial', type: 'u32', what: 'counts up: of two of a name, the later one holds' },
  { name: 'digest', type: 'u8', count: 32, what: 'SHA-256 of what it was made of' },
  { name: 'name', type: 'u8', count: 64, what: 'padded with NUL' },
  {
    name: 'tables',
    type: 'u32',
    count: MAX_TABLES,
    what: 'to which it refers: number of the map in the highest two bits, and index',
  },
])

export const settings = struct('varmor_settings', 'What holds for the whole node.', [
  { name: 'host_mnt_ns', type: 'u32', what: 'inode number of the mount namespace of the host' },
  { name: 'strict_start', type: 'u32', what: 'is 1 where what starts in a container that is not known is stopped' },
  { name: 'links', type: 'u32', what: 'programs that were attached' },
  {
    name: 'root_level',
    type: 'u32',
    what: "depth of the node's own cgroup, which is in a container where the node is one",
  },
])

export const found = struct(
  'varmor_found',
  'What the agent reads of each task that is of a container, or waits to be.',
  [
    { name: 'container', type: 'u32', what: 'its number' },
    { name: 'pid', type: 'u32', what: 'of the task, as the agent sees it' },
    { name: 'bound', type: 'u32', what: 'is 1 where the task was bound just now' },
    { name: 'stopped', type: 'u32', what: 'is 1 where it was stopped until its container is known, which it is now' },
  ],
)

export const shownSlot = struct('varmor_slot', 'A slot that has a profile.', [
  { name: 'slot', type: 'u32' },
  { name: 'map', type: 'u32', what: "the kernel's id of its map in varmor_profiles" },
])

export const noted = struct(
  'varmor_noted',
  "Of the programs' counters, what was said to be lost, for the agent that comes after. It is mapped into the agent's memory.",
  [
    { name: 'ring_full', type: 'u64' },
    { name: 'no_scratch', type: 'u64' },
  ],
)

export const rate = struct(
  'varmor_rate',
  'How many records a container may make of each kind; zeros for as many as it likes.',
  [
    { name: 'interval', type: 'u64', what: 'nanoseconds until there is another token' },
    { name: 'room', type: 'u64', what: 'nanoseconds until an empty bucket is full' },
  ],
)

export const change = struct('varmor_change', 'What became of a process, for the fork tree.', [
  { name: 'when', type: 'u64', what: 'bpf_ktime_get_ns()' },
  { name: 'what', type: 'u32', what: 'VARMOR_CHANGE_' },
  { name: 'pid', type: 'u32', what: 'of the process, in the initial pid namespace' },
  { name: 'parent', type: 'u32', what: 'who forked it, likewise' },
  { name: 'reserved', type: 'u32' },
])

/** Begins as every change does. */
export const placed = struct('varmor_placed', 'In which container a process runs that was not forked there.', [
  ...change.fields,
  { name: 'id', type: 'u8', count: 64, what: 'of the container, in hexadecimal' },
])

/** Kinds of changes. */
export const changes = {
  what: 'What becomes of processes.',
  word: 'CHANGE',
  values: { FORKED: 1, ENDED: 2, THREAD_ENDED: 3, PLACED: 4 },
} as const

export const stateStructs = [
  ...[container, task, containerId, profileRecord, settings, found, shownSlot, noted, rate, change, placed],
] as const

/** How many records a container may make of each kind. */
export interface RecordsRate {
  /** A second, above 0. */
  rate: number
  /** At once, from 1 on. */
  burst: number
}

/** @param given left out: as many as it likes */
export function packRate(given: RecordsRate | undefined): Uint8Array {
  const interval = given === undefined ? 0n : BigInt(Math.max(1, Math.round(1e9 / given.rate)))
  const halves = (number: bigint): [number, number] => [Number(number & 0xffff_ffffn), Number(number >> 32n)]
  return pack(rate, { interval: halves(interval), room: halves(interval * BigInt(given?.burst ?? 0)) })
}

/** Key or value of one number. */
export function word(number: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, number, true)
  return bytes
}

export const wordIn = (bytes: Uint8Array, at = 0): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true)

/** What stands in a slot. */
export interface ProfileRecord {
  id: number
  map: number
  serial: number
  /** In hex. */
  digest: string
  name: string
  /** References to its tables; no reference is 0. */
  tables: readonly number[]
}

export function packRecord({ digest, name, tables, ...numbers }: ProfileRecord): Uint8Array {
  const references = new Uint8Array(4 * MAX_TABLES)
  for (const [i, reference] of tables.entries()) references.set(word(reference), 4 * i)
  return pack(profileRecord, {
    ...numbers,
    digest: Buffer.from(digest, 'hex'),
    name: Buffer.from(name),
    tables: references,
  })
}

/** Undefined for an empty one. */
export function unpackRecord(bytes: Uint8Array): ProfileRecord | undefined {
  const text = (name: 'digest' | 'name', encoding: 'hex' | 'utf8', size: number): string =>
    Buffer.from(bytes.subarray(profileRecord.at[name], profileRecord.at[name] + size)).toString(encoding)
  const name = text('name', 'utf8', 64).replace(/\0.*$/s, '')
  if (name === '') return undefined
  const number = (field: 'id' | 'map' | 'serial'): number => numberIn(profileRecord, bytes, field)
  const tables = Array.from({ length: MAX_TABLES }, (_, i) => wordIn(bytes, profileRecord.at.tables + 4 * i))
  return {
    ...{ id: number('id'), map: number('map'), serial: number('serial'), digest: text('digest', 'hex', 32), name },
    tables: tables.filter((reference) => reference !== 0),
  }
}
