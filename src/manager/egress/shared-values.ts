/**
 * A map with reference counts: `hold` adds a user of a key, and `drop` removes a user. A value without users is
 * removed.
 */
export class SharedValues<T> {
  readonly #byKey = new Map<string, { value: T; holders: number }>()

  get size(): number {
    return this.#byKey.size
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key)?.value
  }

  /** @returns the existing value of the key, or else `value` */
  hold(key: string, value: T): T {
    const known = this.#byKey.get(key)
    if (known === undefined) this.#byKey.set(key, { value, holders: 1 })
    else known.holders++
    return known?.value ?? value
  }

  drop(key: string): void {
    const known = this.#byKey.get(key)
    if (known === undefined) return
    known.holders -= 1
    if (known.holders === 0) this.#byKey.delete(key)
  }
}
