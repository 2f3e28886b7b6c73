import { EnforcerError } from '../enforcer-error.ts'
import type { BpfAddon } from './addon.ts'
import { container, containerId, lastNumbers, profileRecord, unpackRecord, word, wordIn } from './layout.ts'
import { kernelError } from './state.ts'

/** The numbers in records: of containers by id, and of profiles by name. */
export interface Numbering {
  containers: ReadonlyMap<string, number>
  profiles: ReadonlyMap<string, number>
  /** The last numbers assigned; records of containers and profiles that have ended since may be unread. */
  last: Record<keyof typeof lastNumbers, number>
  /** Numbers of containers by id, by the folder of each build. */
  builds: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** What a program saw of the container's first process, and the container's profile; undefined if this is unknown. */
  of(number: number): { facts: Uint8Array; profile: string | undefined } | undefined
}

/**
 * Reads the numbers of containers and profiles from programs of other builds. The new programs use the same numbers,
 * because records of both are read together.
 * @param slots number of profile slots to read
 */
export function numberingOf(addon: BpfAddon, folders: readonly string[], slots: number): Numbering {
  const containers = new Numbers()
  const profiles = new Numbers()
  const last = { container: 0, profile: 0 }
  const builds = new Map<string, ReadonlyMap<string, number>>()
  /** Names of profiles by slot, by folder. */
  const names = new Map<string, ReadonlyMap<number, string>>()
  // If the state is damaged, or its build stored numbers in another form, new numbers are assigned.
  const tried = <Result>(read: () => Result): Result | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(kernelError('read the numbers of another build', error) instanceof EnforcerError)) throw error
      return undefined
    }
  }
  for (const folder of folders)
    tried(() => {
      readLast(addon, folder, last)
      builds.set(folder, readContainers(addon, folder, containers))
      names.set(folder, readProfiles(addon, folder, slots, profiles))
    })
  const of: Numbering['of'] = (number) => {
    let facts: Uint8Array | undefined
    for (const [folder, bySlot] of names) {
      const bytes = tried(() => addon.get(addon.open(folder), 'varmor_containers', word(number)))
      if (bytes?.length !== container.size || bytes.every((byte) => byte === 0)) continue
      const profile = bySlot.get(wordIn(bytes, container.at.profile))
      if (profile !== undefined) return { facts: bytes, profile }
      facts ??= bytes
    }
    return facts && { facts, profile: undefined }
  }
  return { containers: containers.all, profiles: profiles.all, last, builds, of }
}

/** Names with numbers; a number belongs to one name. */
class Numbers {
  readonly all = new Map<string, number>()
  readonly #taken = new Set<number>()

  add(name: string, number: number): void {
    if (number === 0 || this.all.has(name) || this.#taken.has(number)) return
    this.all.set(name, number)
    this.#taken.add(number)
  }
}

function readLast(addon: BpfAddon, folder: string, last: Numbering['last']): void {
  const bytes = addon.get(addon.open(folder), 'varmor_containers', word(0))
  if (bytes === null || bytes.length < 8) return
  for (const what of ['container', 'profile'] as const)
    last[what] = Math.max(last[what], wordIn(bytes, lastNumbers[what]))
}

/** @returns numbers of containers by id */
function readContainers(addon: BpfAddon, folder: string, numbers: Numbers): Map<string, number> {
  const own = new Map<string, number>()
  const state = addon.open(folder)
  const entries = addon.entries(state, 'varmor_ids')
  const each = containerId.size + 4
  if (entries.length % each !== 0) return own
  for (let at = 0; at < entries.length; at += each) {
    const id = Buffer.from(entries.subarray(at, at + containerId.size)).toString('latin1')
    const number = wordIn(entries, at + containerId.size)
    // Ignore a number that is too high: programs find no profile for it, so they do not confine the container.
    if (addon.get(state, 'varmor_containers', word(number)) === null) continue
    numbers.add(id, number)
    own.set(id, number)
  }
  return own
}

/** @returns names of profiles by slot */
function readProfiles(addon: BpfAddon, folder: string, slots: number, numbers: Numbers): Map<number, string> {
  const state = addon.open(folder)
  const names = new Map<number, string>()
  for (let slot = 1; slot < slots; slot++) {
    const bytes = addon.get(state, 'varmor_records', word(slot))
    if (bytes === null || bytes.length !== profileRecord.size) return names
    const record = unpackRecord(bytes)
    if (record === undefined) continue
    names.set(slot, record.name)
    numbers.add(record.name, record.id)
  }
  return names
}
