import type { MapWrite } from './addon.ts'

/** Reads all entries of a map. @param size of a key with its value */
export type ReadEntries = (map: string, size: number) => Uint8Array

/** How profiles become values of maps (src/profile/bpf/encode.ts). */
export interface ProfileEncoder {
  /** Slots, of which the first is not used. */
  readonly slots: number
  /** Numbers of containers, of which the first is not used. */
  readonly containers: number
  /** Maps of tables, which the rules of profiles become. */
  readonly tableMaps: readonly string[]
  /** Indices in each of these, of which the first is not used: enough for the tables of all profiles. */
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
  /** All that a profile may have put anywhere, itself first, but for its tables. */
  removal(slot: number): { writes: readonly MapWrite[]; where: readonly Where[] }
  /** The addresses of a profile alone, under one of the two numbers. */
  egressRemoval(slot: number, half: EgressSlot): readonly Where[]
}

export interface Quota {
  /** What is counted. */
  what: string
  /** So much of it profiles may have, beside what one of them needs while another takes its place. */
  all: number
  /** How much a profile takes, but for its tables, by its entries in maps of addresses and ports. */
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
  /** The writes for it, of which the last makes it complete; nothing of what stands in other slots is written to. */
  writes(at: ProfileAt): readonly MapWrite[]
  /** Those of its addresses alone, where the rest is in the slot; the last shows them. */
  egress(at: ProfileAt): readonly MapWrite[]
}
