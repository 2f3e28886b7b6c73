import type { MapWrite } from './addon.ts'

/**
 * Reads all entries of a map.
 * @param size bytes of a key with its value
 */
export type ReadEntries = (map: string, size: number) => Uint8Array

/** Converts profiles into values of maps (src/profile/bpf/encode.ts). */
export interface ProfileEncoder {
  /** Number of slots. The first slot is not used. */
  readonly slots: number
  /** Number of container numbers. The first number is not used. */
  readonly containers: number
  /** Names of the maps that hold tables, into which rules are converted. */
  readonly tableMaps: readonly string[]
  /** Number of indices in each of these maps, enough for the tables of all profiles. Index 0 is unused. */
  readonly tables: number
  /** Limits that all profiles share. */
  readonly rooms: readonly Quota[]
  /** The content of a profile that allows everything. */
  readonly allowing: string
  /** @throws {EnforcerError} BAD_CONTENT or PROFILE_REJECTED; making the writes may also throw */
  read(content: string): ReadProfile
  /** Returns the entries for the addresses of a container's pod. @throws {EnforcerError} BAD_CONTENT */
  ownAddresses(container: number, addresses: readonly string[]): readonly MapWrite[]
  /** Reads which pod addresses are in the maps: maps and keys, by container number. */
  ownKeys(entries: ReadEntries): ReadonlyMap<number, readonly Pick<MapWrite, 'map' | 'key'>[]>
  /** Number of entries of each profile in each map of addresses and ports, by slot. */
  held(entries: ReadEntries): ReadonlyMap<number, readonly number[]>
  /** Returns all entries that a profile may have, except its tables. The profile's own entry is the first. */
  removal(slot: number): { writes: readonly MapWrite[]; where: readonly Where[] }
  /** Returns only the entries for a profile's addresses, under one of its two numbers. */
  egressRemoval(slot: number, half: EgressSlot): readonly Where[]
}

export interface Quota {
  /** Name of what is counted. */
  what: string
  /** Amount for all profiles. A profile that replaces another briefly needs more, which is not counted. */
  all: number
  /** Amount for a profile without its tables, from its numbers of entries in the maps of addresses and ports. */
  ofProfile(entries: readonly number[]): number
  /** Amount for a table in the map with this number; profiles may share a table. Default: none. */
  ofTable?(map: number): number
  /** How to use less, or to raise the limit. */
  remedy: string
}

/** A slot has two numbers for addresses, so that new addresses can replace the old ones atomically. */
export type EgressSlot = 0 | 1

export interface ProfileAt {
  slot: number
  id: number
  half: EgressSlot
  placeTable: PlaceTable
}

/** Chooses the index of a table in the map, and tells whether the table must be written. */
export type PlaceTable = (map: string, bytes: Uint8Array) => { index: number; isNew: boolean }

export interface Where {
  map: string
  offset: number
  number: number
}

/** The parsed content of a profile. */
export interface ReadProfile {
  /**
   * The content without the addresses of egress rules. It is equal for profiles that differ only in these addresses.
   */
  rest: string
  /** Number of entries in each map of addresses and ports. */
  entries: readonly number[]
  /** The writes for the profile; the last write makes it complete. No write changes another slot. */
  writes(at: ProfileAt): readonly MapWrite[]
  /**
   * The writes that only replace addresses, for a slot that has the same `rest`. The last write puts the new addresses
   * into force.
   */
  egress(at: ProfileAt): readonly MapWrite[]
}
