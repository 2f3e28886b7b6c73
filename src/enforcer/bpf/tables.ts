import { createHash } from 'node:crypto'
import { word } from './layout.ts'
import type { PlaceTable, ProfileEncoder } from './profile-encoder.ts'
import type { BpfState } from './state.ts'

/** The highest bits of a reference hold the number of the map. */
const MAP_SHIFT = 30

/** The map of a table: its index in `tableMaps`. */
export const mapOfTable = (reference: number): number => Math.floor(reference / 2 ** MAP_SHIFT)

interface Table {
  reference: number
  /** Digest of the content; undefined for a table from another agent, which this agent does not read or share. */
  digest?: string
  /** Number of profiles that refer to the table. */
  holders: number
}

/** The tables of all profiles. Profiles with equal rules share a table. */
export class BpfTables {
  readonly #maps: readonly string[]
  readonly #byReference = new Map<number, Table>()
  readonly #byDigest = new Map<string, Table>()
  readonly #size: number
  /** Indices that are free in all maps. Index 0 is never used. */
  readonly #free: number[]

  constructor({ tableMaps, tables }: Pick<ProfileEncoder, 'tableMaps' | 'tables'>) {
    this.#maps = tableMaps
    this.#size = tables
    this.#free = Array.from({ length: tables - 1 }, (_, i) => tables - 1 - i)
  }

  /** Whether the reference is in range. */
  has(reference: number): boolean {
    const index = reference % 2 ** MAP_SHIFT
    return index > 0 && index < this.#size && mapOfTable(reference) < this.#maps.length
  }

  /**
   * Returns a function that chooses places for a profile's tables.
   * @param held receives a reference for each table; the caller releases them later
   */
  placing(held: number[]): PlaceTable {
    return (map, bytes) => {
      const digest = createHash('sha256').update(map).update(bytes).digest('hex')
      const known = this.#byDigest.get(digest)
      const table = known ?? this.#add(this.#maps.indexOf(map), digest)
      table.holders++
      held.push(table.reference)
      return { index: table.reference % 2 ** MAP_SHIFT, isNew: known === undefined }
    }
  }

  /** Adds the references of a profile that another agent has loaded. */
  hold(references: readonly number[]): void {
    for (const reference of references) {
      const table = this.#byReference.get(reference) ?? { reference, holders: 0 }
      table.holders++
      this.#byReference.set(reference, table)
      const at = this.#free.indexOf(reference % 2 ** MAP_SHIFT)
      if (at >= 0) this.#free.splice(at, 1)
    }
  }

  release(references: readonly number[]): void {
    for (const reference of references) {
      const table = this.#byReference.get(reference)
      if (table === undefined) continue
      table.holders--
      // The table may have been written only in part, so it is no longer shared.
      if (table.holders === 0 && table.digest !== undefined) this.#byDigest.delete(table.digest)
    }
  }

  /** Releases the tables of a load that failed. Tables that only this load used were never written. */
  forget(references: readonly number[]): void {
    this.release(references)
    for (const reference of references) {
      if (this.#byReference.get(reference)?.holders !== 0) continue
      this.#byReference.delete(reference)
      this.#free.push(reference % 2 ** MAP_SHIFT)
    }
  }

  /** Removes tables that no profile refers to. @throws {EnforcerError} KERNEL_REFUSED; the next call retries */
  async removeUnheld(state: Pick<BpfState, 'write'>, step: string): Promise<void> {
    for (const { reference, holders } of this.#byReference.values()) {
      if (holders > 0) continue
      const index = reference % 2 ** MAP_SHIFT
      await state.write([{ map: this.#maps[mapOfTable(reference)]!, key: word(index) }], step)
      this.#byReference.delete(reference)
      this.#free.push(index)
    }
  }

  #add(map: number, digest: string): Table {
    // An index is always free, because the maps have room for the tables of all profiles.
    const index = this.#free.pop()!
    const table = { reference: map * 2 ** MAP_SHIFT + index, digest, holders: 0 }
    this.#byReference.set(table.reference, table)
    this.#byDigest.set(digest, table)
    return table
  }
}
