import type { MapWrite } from './addon.ts'

/** Reads all entries of a map. @param size of a key with its value */
export type ReadEntries = (map: string, size: number) => Uint8Array

/** How profiles become values of maps (src/profile/bpf/encode.ts). */
export interface ProfileEncoder {
  /** Number of slots. The first slot is not used. */
  readonly slots: number
  /** Count of container numbers. The first number is not used. */
  readonly containers: number
  /** Maps of tables, which the rules of profiles become. */
  readonly tableMaps: readonly string[]
  /** Number of indices in each map, enough for the tables of all profiles. The first index is not used. */
  readonly tables: number
  /** What all profiles share. */
  readonly rooms: readonly Quota[]
  /** A content that allows all. */
  readonly allowing: string
  /** @throws {EnforcerError} BAD_CONTENT, PROFILE_REJECTED; the writes may be refused, too */
  read(content: string): ReadProfile
  /** The entries of the addresses of a container's pod. @throws {EnforcerError} BAD_CONTENT */
  ownAddresses(container: number, addresses: readonly string[]): readonly MapWrite[]
  /** Maps that have such entries, with their keys as they stand there, by the number of the container. */
  ownKeys(entries: ReadEntries): ReadonlyMap<number, readonly Pick<MapWrite, 'map' | 'key'>[]>
  /** How many entries of each map of addresses and ports stand there of profiles, by their slots. */
  held(entries: ReadEntries): ReadonlyMap<number, readonly number[]>
  /** All entries that a profile may have written, itself first, except its tables. */
  removal(slot: number): { writes: readonly MapWrite[]; where: readonly Where[] }
  /** The addresses of a profile alone, under one of the two numbers. */
  egressRemoval(slot: number, half: EgressSlot): readonly Where[]
}

export interface Quota {
  /** What is counted. */
  what: string
  /** Amount that profiles may have, beside the amount that a profile needs while another profile replaces it. */
  all: number
  /** Amount that a profile takes, except its tables, by its entries in maps of addresses and ports. */
  ofProfile(entries: readonly number[]): number
  /** How much a table of the map of this number takes, which profiles may share. Left out: none. */
  ofTable?(map: number): number
  /** What needs less of it, or makes more. */
  remedy: string
}

/** A slot has two numbers for addresses, so that others take their place at once. */
export type EgressSlot = 0 | 1

export interface ProfileAt {
  slot: number
  id: number
  half: EgressSlot
  placeTable: PlaceTable
}

/** Says at which index of the map a table is to be, and whether it has to be written there. */
export type PlaceTable = (map: string, bytes: Uint8Array) => { index: number; isNew: boolean }

export interface Where {
  map: string
  offset: number
  number: number
}

/** A content of a profile that was read. */
export interface ReadProfile {
  /** All but the addresses of its egress rules: equal for contents that differ in nothing else. */
  rest: string
  /** How many entries it takes in each map of addresses and ports. */
  entries: readonly number[]
  /** The writes for the profile; the last write makes it complete. No write changes another slot. */
  writes(at: ProfileAt): readonly MapWrite[]
  /** Those of its addresses alone, where the rest is in the slot; the last shows them. */
  egress(at: ProfileAt): readonly MapWrite[]
}
