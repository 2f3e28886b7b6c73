import { OWN, TABLE_SIZE_SHIFT } from './layout.ts'
import { MAX_PROFILES } from './limits.ts'

/** The place of a profile in the kernel's maps. `id` is the number of the profile in events. */
export interface ProfilePlace {
  /** Index in varmor_profiles, from 1. */
  slot: number
  id: number
  /** Selects one of the two numbers for the profile's egress rules; new rules use the other number. Default 0. */
  half?: 0 | 1
  /** Chooses the index of a table in its map. `isNew`: the map does not have the table yet. */
  placeTable: (map: string, bytes: Uint8Array) => { index: number; isNew: boolean }
}

/** A value in a map of maps. */
export interface InnerPlace {
  map: string
  key: Uint8Array<ArrayBuffer>
}

/** A 32-bit number as the key or value of a map. */
export function wordBytes(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, number, true)
  return bytes
}

/** @throws {RangeError} if the slot is out of range */
function checked(slot: number): number {
  if (!Number.isInteger(slot) || slot < 1 || slot >= MAX_PROFILES)
    throw new RangeError(`slot ${slot} is not from 1 to ${MAX_PROFILES - 1}`)
  return slot
}

/** The number of a profile's egress rules in varmor_v4, varmor_v6 and varmor_ports. */
export const egressNumber = (slot: number, half: 0 | 1 = 0): number => checked(slot) + half * MAX_PROFILES

/** The slot of the profile with this egress number. */
export const slotOfEgress = (number: number): number => number % MAX_PROFILES

/** The number in `egress` of varmor_v4 and varmor_v6 for the addresses of a container's pod. */
export const ownNumber = (container: number): number => OWN + container

/** Key in varmor_profiles. */
export const profileKey = (slot: number): Uint8Array<ArrayBuffer> => wordBytes(checked(slot))

/** Index in varmor_mount_rules. */
export const mountsIndex = (slot: number): number => checked(slot)

/** The reference by which programs find a table. `size`: the index of its map in `tableMaps`. */
export const tableReference = (size: number, index: number): number => size * 2 ** TABLE_SIZE_SHIFT + index

/**
 * The values in maps of maps that belong to a profile, the profile's own value first. To remove a profile, also delete
 * its tables and its egress rules.
 */
export const placesOfProfile = (slot: number): InnerPlace[] => [
  { map: 'varmor_profiles', key: profileKey(slot) },
  { map: 'varmor_mount_rules', key: wordBytes(mountsIndex(slot)) },
]
