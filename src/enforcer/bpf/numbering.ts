import { EnforcerError } from '../enforcer-error.ts'
import type { BpfAddon } from './addon.ts'
import { containerId, lastNumbers, profileRecord, unpackRecord, word, wordIn } from './layout.ts'
import { kernelError } from './state.ts'

/** The numbers that records use: of containers by id, and of profiles by name. */
export interface Numbering {
  containers: ReadonlyMap<string, number>
  profiles: ReadonlyMap<string, number>
  /** The last numbers assigned; records of containers and profiles that have ended since may be unread. */
  last: Record<keyof typeof lastNumbers, number>
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
  for (const folder of folders)
    try {
      readLast(addon, folder, last)
      readContainers(addon, folder, containers)
      readProfiles(addon, folder, slots, profiles)
    } catch (error) {
      // The state is damaged, or its build stored numbers in another form. Then new numbers are assigned.
      if (!(kernelError('read the numbers of another build', error) instanceof EnforcerError)) throw error
    }
  return { containers: containers.all, profiles: profiles.all, last }
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

function readContainers(addon: BpfAddon, folder: string, numbers: Numbers): void {
  const state = addon.open(folder)
  const entries = addon.entries(state, 'varmor_ids')
  const each = containerId.size + 4
  if (entries.length % each !== 0) return
  for (let at = 0; at < entries.length; at += each) {
    const id = Buffer.from(entries.subarray(at, at + containerId.size)).toString('latin1')
    const number = wordIn(entries, at + containerId.size)
    // A number that is too high counts as none: programs find no profile for it, so they do not confine the container.
    if (addon.get(state, 'varmor_containers', word(number)) !== null) numbers.add(id, number)
  }
}

function readProfiles(addon: BpfAddon, folder: string, slots: number, numbers: Numbers): void {
  const state = addon.open(folder)
  for (let slot = 1; slot < slots; slot++) {
    const bytes = addon.get(state, 'varmor_records', word(slot))
    if (bytes === null || bytes.length !== profileRecord.size) return
    const record = unpackRecord(bytes)
    if (record !== undefined) numbers.add(record.name, record.id)
  }
}
