import { createHash } from 'node:crypto'
import { word } from './layout.ts'
import type { PlaceTable, ProfileEncoder } from './profile-encoder.ts'
import type { BpfState } from './state.ts'

/** The number of a map is in the highest bits of a reference. */
const MAP_SHIFT = 30

/** In which map the table lies: its place in `tableMaps`. */
export const mapOfTable = (reference: number): number => Math.floor(reference / 2 ** MAP_SHIFT)

interface Table {
  reference: number
  /** Undefined for one that another agent has written: it is not read, and shared no further. */
  digest?: string
  /** How many profiles refer to it. */
  holders: number
}

/** The tables of all profiles: those with equal rules refer to the same one. */
export class BpfTables {
  readonly #maps: readonly string[]
  readonly #byReference = new Map<number, Table>()
  readonly #byDigest = new Map<string, Table>()
  readonly #size: number
  /** Indices that no table has, in whatever map; the first is not used. */
  readonly #free: number[]

  constructor({ tableMaps, tables }: Pick<ProfileEncoder, 'tableMaps' | 'tables'>) {
    this.#maps = tableMaps
    this.#size = tables
    this.#free = Array.from({ length: tables - 1 }, (_, i) => tables - 1 - i)
  }

  /** Whether a table can be where the reference says. */
  has(reference: number): boolean {
    const index = reference % 2 ** MAP_SHIFT
    return index > 0 && index < this.#size && mapOfTable(reference) < this.#maps.length
  }

  /**
   * Where a profile's tables go.
   * @param held gets a reference for each, to be released in the end
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

  /** A profile that another agent has loaded refers to these. */
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
      // What may have been written in part is not shared.
      if (table.holders === 0 && table.digest !== undefined) this.#byDigest.delete(table.digest)
    }
  }

  /** Of a profile that is not to be: what is its alone was never written. */
  forget(references: readonly number[]): void {
    this.release(references)
    for (const reference of references) {
      if (this.#byReference.get(reference)?.holders !== 0) continue
      this.#byReference.delete(reference)
      this.#free.push(reference % 2 ** MAP_SHIFT)
    }
  }

  /**
   * Removes the tables without a profile that refers to them.
   * @throws {EnforcerError} KERNEL_REFUSED; they are removed the next time
   */
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
    // Profiles have room for all tables of theirs.
    const index = this.#free.pop()!
    const table = { reference: map * 2 ** MAP_SHIFT + index, digest, holders: 0 }
    this.#byReference.set(table.reference, table)
    this.#byDigest.set(digest, table)
    return table
  }
}
