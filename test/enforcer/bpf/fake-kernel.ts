import { Buffer } from 'node:buffer'
import { mkdirSync, rmSync } from 'node:fs'
import { pack } from '../../../src/base/c-struct.ts'
import type { BpfAddon, LoadOptions, MapWrite, NativeState } from '../../../src/enforcer/bpf/addon.ts'
import { container, found, profileRecord, settings, word, wordIn } from '../../../src/enforcer/bpf/layout.ts'
import type { ProfileAt, ProfileEncoder, Quota } from '../../../src/enforcer/bpf/profile-encoder.ts'

/** A task with the container of its cgroup, and the container number that it is bound to. */
export interface FakeTask {
  pid: number
  cgroup: string
  bound: number
  stopped?: boolean
}

interface Folder {
  maps: Map<string, Map<string, Uint8Array>>
  links: number
  /** Number of slots for containers; a valid container number is lower. */
  containers: number
  tasks: FakeTask[]
  /** The folder whose bound tasks `findTasks` binds here, too. */
  follows?: string | undefined
}

export const slots = 8
export const containers = 16
const programs = 3
const inner = new Set(['varmor_profiles', 'varmor_small_tables'])

/** Bytes of a number and of an address of eight characters. */
const ownKey = 12

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const egressKey = (slot: number, half: number): Buffer => Buffer.concat([word(1), word(slot + half * 1_000)])

export const addressRoom = (all: number): Quota => ({
  ...{ what: 'addresses', all, remedy: 'use fewer' },
  ofProfile: ([addresses = 0]) => addresses,
})

/** A profile consists of its content, a table of its rules, and addresses, which follow an `@` in the content. */
export const fakeEncoder: ProfileEncoder = {
  slots,
  containers,
  tableMaps: ['varmor_small_tables'],
  tables: slots,
  rooms: [addressRoom(1_000)],
  allowing: 'file,',
  read: (content) => {
    const [rest = '', addresses = ''] = content.split('@')
    const writes = ({ slot, half, placeTable }: ProfileAt, withTable: boolean) => {
      const value = Buffer.from(`table of ${rest}`)
      const { index, isNew } = placeTable('varmor_small_tables', value)
      const table = { map: 'varmor_small_tables', key: word(index), value, inner: 64 }
      return [
        ...(isNew && withTable ? [table] : []),
        { map: 'varmor_v4', key: egressKey(slot, half), value: Buffer.from(addresses.padEnd(4)) },
        {
          map: 'varmor_profiles',
          key: word(slot),
          value: Buffer.from(`${half}${String.fromCharCode(48 + index)}${content}`),
          inner: 64,
        },
      ]
    }
    return { rest, entries: [1], writes: (at) => writes(at, true), egress: (at) => writes(at, false) }
  },
  held: (entries) => {
    const slots = new Map<number, [number]>()
    const bytes = entries('varmor_v4', ownKey)
    for (let at = 4; at < bytes.length; at += 12) {
      const slot = wordIn(bytes, at) % 1_000
      slots.set(slot, [(slots.get(slot)?.[0] ?? 0) + 1])
    }
    return slots
  },
  ownAddresses: (number, addresses) =>
    addresses.map((address) => ({
      map: 'varmor_v6',
      key: Buffer.concat([word(number), Buffer.from(address)]),
      value: word(0),
    })),
  ownKeys: (entries) => {
    const keys = new Map<number, { map: string; key: Uint8Array }[]>()
    const bytes = entries('varmor_v6', ownKey + 4)
    for (let at = 0; at < bytes.length; at += ownKey + 4) {
      const number = wordIn(bytes, at)
      keys.set(number, [...(keys.get(number) ?? []), { map: 'varmor_v6', key: bytes.slice(at, at + ownKey) }])
    }
    return keys
  },
  removal: (slot) => ({
    writes: [{ map: 'varmor_profiles', key: word(slot) }],
    where: [0, 1].map((half) => ({ map: 'varmor_v4', offset: 4, number: slot + half * 1_000 })),
  }),
  egressRemoval: (slot, half) => [{ map: 'varmor_v4', offset: 4, number: slot + half * 1_000 }],
}

/** The kernel's part of the BPF enforcer, in memory. Folders exist on disk only so that they can be listed. */
export class FakeKernel implements BpfAddon {
  readonly folders = new Map<string, Folder>()
  /** Called before each call of the module and before each write; it may throw. */
  onStep: (step: string) => void = () => undefined
  #ids = 1
  /** Contents of inner maps by their ids. */
  readonly #inner = new Map<number, string>()

  needsOldObject(): boolean {
    return false
  }

  async load({
    folder,
    hostMntNs,
    strictStart,
    containers,
  }: LoadOptions): Promise<{ reused: boolean; absent: string }> {
    this.#step('load')
    if (this.folders.has(folder)) return { reused: true, absent: '' }
    const set = pack(settings, {
      host_mnt_ns: hostMntNs,
      strict_start: strictStart,
      links: programs,
      root_level: 0,
      finding_until: [0, 0],
    })
    const maps = new Map([['varmor_settings', new Map([[hex(word(0)), set]])]])
    this.folders.set(folder, { maps, links: programs, containers, tasks: [] })
    mkdirSync(folder, { recursive: true })
    return { reused: false, absent: 'lsm/new_hook ' }
  }

  async drop(folder: string): Promise<void> {
    this.#step('drop')
    this.folders.delete(folder)
    rmSync(folder, { recursive: true, force: true })
  }

  open(folder: string): NativeState {
    return folder as unknown as NativeState
  }

  async write(state: NativeState, writes: readonly MapWrite[]): Promise<void> {
    for (const { map, key, value } of writes) {
      this.#step(`write ${map}`)
      const entries = this.#map(state, map)
      if (value === undefined) entries.delete(hex(key))
      else entries.set(hex(key), inner.has(map) ? this.#newMap(value) : value)
    }
  }

  async removeWhere(state: NativeState, map: string, { offset, number }: { offset: number; number: number }) {
    this.#step(`remove from ${map}`)
    const entries = this.#map(state, map)
    const gone = [...entries].filter(
      ([key, value]) => Buffer.concat([Buffer.from(key, 'hex'), value]).readUInt32LE(offset) === number,
    )
    for (const [key] of gone) entries.delete(key)
    return gone.length
  }

  follow(state: NativeState, folder: string | null): void {
    this.#step('follow')
    this.#folder(state).follows = folder ?? undefined
  }

  async findTasks(state: NativeState): Promise<Uint8Array> {
    this.#step('find tasks')
    const { tasks, follows } = this.#folder(state)
    const before = this.folders.get(follows ?? '')?.tasks ?? []
    const ids = this.#map(state, 'varmor_ids')
    const records = tasks.flatMap((task) => {
      const number = ids.get(hex(Buffer.from(task.cgroup)))
      const other = before.find(({ pid, bound }) => pid === task.pid && bound > 0)?.bound ?? 0
      const container = other || (number === undefined ? 0 : wordIn(number))
      const fresh = task.bound === 0 && container > 0
      if (fresh) task.bound = container
      const stopped = task.stopped === true && number !== undefined
      if (task.bound === 0 && !stopped) return []
      const flags = { bound: fresh ? 1 : 0, stopped: stopped ? 1 : 0 }
      return [pack(found, { container: task.bound, pid: task.pid, ...flags })]
    })
    return Buffer.concat(records)
  }

  async listProfiles(state: NativeState): Promise<Uint8Array> {
    this.#step('list profiles')
    const slotsOf = [...this.#map(state, 'varmor_profiles')]
    return Buffer.concat(slotsOf.flatMap(([slot, map]) => [Buffer.from(slot, 'hex'), map]))
  }

  get(state: NativeState, map: string, key: Uint8Array): Uint8Array | null {
    this.#poll(`get ${map}`, map)
    const found = this.#map(state, map).get(hex(key))
    if (found !== undefined) return found
    if (map === 'varmor_records') return new Uint8Array(profileRecord.size)
    const isPlace = map === 'varmor_containers' && wordIn(key) < this.#folder(state).containers
    return isPlace ? new Uint8Array(container.size) : null
  }

  entries(state: NativeState, map: string): Uint8Array {
    this.#poll(`entries ${map}`, map)
    return Buffer.concat([...this.#map(state, map)].flatMap(([key, value]) => [Buffer.from(key, 'hex'), value]))
  }

  swap(state: NativeState, map: string, offset: number, expected: number, number: number): boolean {
    this.#step(`swap ${map}`)
    if (map === 'varmor_containers' && offset >= this.#folder(state).containers * container.size)
      throw Object.assign(new Error('outside of the map'), { step: 'swap', errno: 22 })
    const entries = this.#map(state, map)
    const key = hex(word(Math.floor(offset / container.size)))
    const value = Buffer.from(entries.get(key) ?? new Uint8Array(container.size))
    if (expected >= 0 && wordIn(value, offset % container.size) !== expected) return false
    value.writeUInt32LE(number, offset % container.size)
    entries.set(key, value)
    return true
  }

  links(state: NativeState): number {
    this.#step('links')
    return this.#folder(state).links
  }

  /**
   * The content in force for the container with this number; undefined without one. A table of another profile is an
   * error.
   */
  inForce(folder: string, number: number): string | undefined {
    const state = this.open(folder)
    const bytes = this.#map(state, 'varmor_containers').get(hex(word(number)))
    const slot = bytes === undefined ? 0 : wordIn(bytes, container.at.profile)
    if (slot === 0) return undefined
    const shown = (map: string, index: number): string | undefined => {
      const id = this.#map(state, map).get(hex(word(index)))
      return id === undefined ? undefined : this.#inner.get(wordIn(id))
    }
    const profile = shown('varmor_profiles', slot)
    if (profile === undefined) return undefined
    const table = shown('varmor_small_tables', profile.charCodeAt(1) - 48)
    const content = profile.slice(2)
    const [rest, addresses = ''] = content.split('@')
    const egress = this.#map(state, 'varmor_v4').get(hex(egressKey(slot, Number(profile[0]))))
    const beside = `${table} and ${egress === undefined ? 'no addresses' : Buffer.from(egress)}`
    if (beside !== `table of ${rest} and ${addresses.padEnd(4)}`) throw new Error(`${content} with ${beside}`)
    return content
  }

  /** Number of entries in the maps that profiles fill. */
  get filled(): number {
    return [...this.folders.values()]
      .flatMap(({ maps }) => ['varmor_profiles', 'varmor_small_tables', 'varmor_v4'].map((map) => maps.get(map)?.size))
      .reduce<number>((sum, size = 0) => sum + size, 0)
  }

  #newMap(value: Uint8Array): Uint8Array {
    this.#inner.set(++this.#ids, Buffer.from(value).toString())
    return word(this.#ids)
  }

  #folder(state: NativeState): Folder {
    const folder = this.folders.get(state as unknown as string)
    if (folder === undefined) throw Object.assign(new Error('gone'), { step: 'map', errno: 2 })
    return folder
  }

  #map(state: NativeState, name: string): Map<string, Uint8Array> {
    const { maps } = this.#folder(state)
    if (!maps.has(name)) maps.set(name, new Map())
    return maps.get(name)!
  }

  /** Kernels before Linux 6.8 wait for all programs at each lookup in a map of maps. */
  #poll(step: string, map: string): void {
    if (inner.has(map)) throw new Error(`${step}: the kernel would wait`)
    this.#step(step)
  }

  #step(step: string): void {
    this.onStep(step)
  }
}
