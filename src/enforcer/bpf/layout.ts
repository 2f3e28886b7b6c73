import { numberIn, pack, struct } from '../../base/c-struct.ts'

/**
 * The maps that hold the state of the node instead of a profile: their part of native/bpf/varmor_profile.h.
 */

export const container = struct('varmor_container', 'A container; the key is its number.', [
  { name: 'profile', type: 'u32', what: 'slot of its profile; 0: no profile' },
  { name: 'mnt_ns', type: 'u32', what: "inode number of its first process's mount namespace" },
  { name: 'ns', type: 'u64', what: 'address of this namespace; 0: no program has seen it' },
  { name: 'ns_id', type: 'u64', what: 'id of this namespace, never reused' },
  { name: 'cgroup', type: 'u64', what: "id of its first process's cgroup; 0: no program has seen it" },
])

/**
 * Entry 0 of varmor_containers is not a container: it holds the last numbers that were assigned, for the next agent.
 */
export const lastNumbers = { container: container.at.mnt_ns, profile: container.at.profile } as const

export const task = struct('varmor_task', 'The container that a task belongs to.', [
  { name: 'container', type: 'u32', what: 'number of the container' },
  { name: 'stopped', type: 'u32', what: '1: the task was stopped because its container was unknown' },
])

export const containerId = struct('varmor_container_id', "Key of varmor_ids; the value is the container's number.", [
  { name: 'hex', type: 'u8', count: 64, what: 'the id in lower case' },
])

/** Maximum tables of one profile. */
export const MAX_TABLES = 8

export const profileRecord = struct(
  'varmor_profile_record',
  "The agent's record of a loaded profile; the key is its slot.",
  [
    { name: 'id', type: 'u32', what: 'id of the profile in events' },
    { name: 'map', type: 'u32', what: "kernel id of the profile's map in varmor_profiles" },
    { name: 'serial', type: 'u32', what: 'ascends; of two records with the same name, the higher serial is valid' },
    { name: 'digest', type: 'u8', count: 32, what: 'SHA-256 of the profile from which the maps were filled' },
    { name: 'name', type: 'u8', count: 64, what: 'name of the profile, padded with NUL' },
    {
      name: 'tables',
      type: 'u32',
      count: MAX_TABLES,
      what: 'references to its tables: number of the map in the highest two bits, then the index',
    },
  ],
)

export const settings = struct('varmor_settings', 'Settings of the whole node.', [
  { name: 'host_mnt_ns', type: 'u32', what: "inode number of the host's mount namespace" },
  { name: 'strict_start', type: 'u32', what: '1: stop programs that start in unknown containers' },
  { name: 'links', type: 'u32', what: 'number of attached programs' },
  {
    name: 'root_level',
    type: 'u32',
    what: "depth of the node's root cgroup; above 0 if the node itself is a container",
  },
  { name: 'finding_until', type: 'u64', what: 'ktime in ns until which forks of unbound tasks are bound' },
])

export const found = struct(
  'varmor_found',
  'A task that is in a container, or is stopped until its container is known; the agent reads these.',
  [
    { name: 'container', type: 'u32', what: 'number of the container' },
    { name: 'pid', type: 'u32', what: "in the agent's pid namespace" },
    { name: 'bound', type: 'u32', what: '1: this run bound the task' },
    { name: 'stopped', type: 'u32', what: '1: the task is still stopped, although its container is known now' },
  ],
)

export const shownSlot = struct('varmor_slot', 'A slot that holds a profile.', [
  { name: 'slot', type: 'u32' },
  { name: 'map', type: 'u32', what: "kernel id of the profile's map in varmor_profiles" },
])

export const noted = struct(
  'varmor_noted',
  "Losses from the programs' counters that the agent has reported already, for the next agent. Mapped into the agent's memory.",
  [
    { name: 'ring_full', type: 'u64' },
    { name: 'no_scratch', type: 'u64' },
  ],
)

export const rate = struct('varmor_rate', 'Rate limit of the records of each container and kind; zeros: no limit.', [
  { name: 'interval', type: 'u64', what: 'nanoseconds until the next token' },
  { name: 'room', type: 'u64', what: 'nanoseconds until an empty bucket is full' },
])

export const change = struct('varmor_change', 'A change of a process, for the fork tree.', [
  { name: 'when', type: 'u64', what: 'bpf_ktime_get_ns()' },
  { name: 'what', type: 'u32', what: 'VARMOR_CHANGE_' },
  { name: 'pid', type: 'u32', what: 'pid of the process, in the initial pid namespace' },
  { name: 'parent', type: 'u32', what: 'pid of its parent, likewise' },
  { name: 'reserved', type: 'u32' },
])

/** Begins with the fields of every change. */
export const placed = struct('varmor_placed', 'The container of a process that was not forked in it.', [
  ...change.fields,
  { name: 'id', type: 'u8', count: 64, what: 'id of the container, in hexadecimal' },
])

/** Kinds of changes. */
export const changes = {
  what: 'Kinds of changes of processes.',
  word: 'CHANGE',
  values: { FORKED: 1, ENDED: 2, THREAD_ENDED: 3, PLACED: 4 },
} as const

export const stateStructs = [
  ...[container, task, containerId, profileRecord, settings, found, shownSlot, noted, rate, change, placed],
] as const

/** Rate limit of the records of each container and kind. */
export interface RecordsRate {
  /** Records per second, above 0. */
  rate: number
  /** Records at once, at least 1. */
  burst: number
}

/** @param given undefined: no limit */
export function packRate(given: RecordsRate | undefined): Uint8Array {
  const interval = given === undefined ? 0n : BigInt(Math.max(1, Math.round(1e9 / given.rate)))
  const halves = (number: bigint): [number, number] => [Number(number & 0xffff_ffffn), Number(number >> 32n)]
  return pack(rate, { interval: halves(interval), room: halves(interval * BigInt(given?.burst ?? 0)) })
}

/** A key or value that is one number. */
export function word(number: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, number, true)
  return bytes
}

export const wordIn = (bytes: Uint8Array, at = 0): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true)

/** The agent's record of the profile in a slot. */
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

/** Undefined for an empty record. */
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
