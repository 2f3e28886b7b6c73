import { OWN, TABLE_SIZE_SHIFT } from './layout.ts'
import { MAX_PROFILES } from './limits.ts'

/** Where a profile stands. `id` is what events call it. */
export interface ProfilePlace {
  /** Index in varmor_profiles, from 1. */
  slot: number
  id: number
  /** Which of the two numbers its egress rules have; those that take their place have the other one. Default 0. */
  half?: 0 | 1
  /** At which index of the map each of its tables goes, and whether it is to be written there. */
  placeTable: (map: string, bytes: Uint8Array) => { index: number; isNew: boolean }
}

/** A value in a map of maps, by the name of the map. */
export interface InnerPlace {
  map: string
  key: Uint8Array<ArrayBuffer>
}

/** Key or value of one number of 32 bits. */
export function wordBytes(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, number, true)
  return bytes
}

/** @throws {RangeError} for a slot that is none */
function checked(slot: number): number {
  if (!Number.isInteger(slot) || slot < 1 || slot >= MAX_PROFILES)
    throw new RangeError(`slot ${slot} is not from 1 to ${MAX_PROFILES - 1}`)
  return slot
}

/** Under which number the egress rules of a profile stand in varmor_v4, varmor_v6 and varmor_ports. */
export const egressNumber = (slot: number, half: 0 | 1 = 0): number => checked(slot) + half * MAX_PROFILES

/** The slot of such a number. */
export const slotOfEgress = (number: number): number => number % MAX_PROFILES

/** Under which number the addresses of a container's pod stand there. */
export const ownNumber = (container: number): number => OWN + container

/** Key in varmor_profiles. */
export const profileKey = (slot: number): Uint8Array<ArrayBuffer> => wordBytes(checked(slot))

/** Index in varmor_mount_rules. */
export const mountsIndex = (slot: number): number => checked(slot)

/** What programs find a table by. `size` is the place of its map in `tableMaps`. */
export const tableReference = (size: number, index: number): number => size * 2 ** TABLE_SIZE_SHIFT + index

/**
 * The places in maps of maps that a profile may have filled, its own the first. Deleting them, its tables, and the
 * egress rules of its number, removes it.
 */
export const placesOfProfile = (slot: number): InnerPlace[] => [
  { map: 'varmor_profiles', key: profileKey(slot) },
  { map: 'varmor_mount_rules', key: wordBytes(mountsIndex(slot)) },
]
