import { LostNames, nameHash } from './lost-names.ts'
import { bytesOfText, type Quota, unlimited } from './room.ts'

/** Approximate bytes of an entry without its name. */
const ENTRY_BYTES = 64

const nothing = (): void => undefined

/** Adds the facts of `from` to `into`. A repeated call must change nothing, and the order of calls must not matter. */
export type Join<V> = (into: V, from: V) => void

/**
 * Values by name. Beyond the limit, the names with the smallest hashes are kept. So the result does not depend on the
 * order of names, and parts can be merged in any order; only a full quota keeps the first names. Other names are
 * counted.
 */
export class BoundedMap<V> {
  private readonly values = new Map<string, V>()
  private readonly limit: number
  private readonly join: Join<V>
  private last: { hash: number; name: string } | undefined
  private lostNames: LostNames | undefined
  private readonly room: Quota
  private readonly drop: (value: V) => void

  /** @param drop a function that is called with each removed value */
  constructor(limit: number, join: Join<V>, room: Quota = unlimited, drop: (value: V) => void = nothing) {
    this.limit = limit
    this.join = join
    this.room = room
    this.drop = drop
  }

  get size(): number {
    return this.values.size
  }

  get(name: string): V | undefined {
    return this.values.get(name)
  }

  /** The names that were left out; undefined if no name was left out. */
  get lost(): LostNames | undefined {
    return this.lostNames
  }

  /** The value of this name, created if it is missing; undefined if the name is left out. */
  at(name: string, make: () => V): V | undefined {
    const known = this.values.get(name)
    if (known !== undefined) return known
    if (!this.admits(name) || !this.room.take(bytesOf(name))) {
      this.lose(name)
      return undefined
    }
    const value = make()
    this.values.set(name, value)
    if (this.values.size > this.limit) this.evict()
    else if (this.last !== undefined && comesBefore(this.last, name)) this.last = undefined
    return value
  }

  private admits(name: string): boolean {
    if (this.values.size < this.limit) return true
    this.last ??= this.findLast()
    return !comesBefore(this.last, name)
  }

  private findLast(): { hash: number; name: string } {
    let last = { hash: -1, name: '' }
    for (const name of this.values.keys()) if (comesBefore(last, name)) last = { hash: nameHash(name), name }
    return last
  }

  private evict(): void {
    const { name } = this.last ?? this.findLast()
    this.forget(name, this.values.get(name)!)
    this.values.delete(name)
    this.lose(name)
    this.last = undefined
  }

  private forget(name: string, value: V): void {
    this.room.give(bytesOf(name))
    this.drop(value)
  }

  /** Returns the bytes of the map to the quota. The map must not be used afterwards. */
  release(): void {
    for (const [name, value] of this.values) this.forget(name, value)
  }

  /** Counts a name that is left out. */
  lose(name: string): void {
    this.lostNames ??= new LostNames()
    this.lostNames.add(name)
  }

  /** Adds the entries of another map. `make` creates the value for a name that only the other map has. */
  merge(other: BoundedMap<V>, make: () => V): void {
    for (const [name, value] of other.values) {
      const own = this.at(name, make)
      if (own !== undefined) this.join(own, value)
    }
    if (other.lostNames !== undefined) this.mergeLost(other.lostNames)
  }

  mergeLost(lost: LostNames): void {
    this.lostNames ??= new LostNames()
    this.lostNames.merge(lost)
  }

  /** The entries sorted by name, in the order of code units. */
  sorted(): [string, V][] {
    return [...this.values].sort(([a], [b]) => (a < b ? -1 : 1))
  }
}

const bytesOf = (name: string): number => ENTRY_BYTES + bytesOfText(name)

function comesBefore(last: { hash: number; name: string }, name: string): boolean {
  const hash = nameHash(name)
  return hash > last.hash || (hash === last.hash && name > last.name)
}
