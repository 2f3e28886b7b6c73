/** A map with a maximum number of entries. A full map drops its least recently used entry first. */
export class RecentMap<K, V> {
  #bound: number
  #entries = new Map<K, V>()
  #onDrop: (key: K, value: V) => void

  constructor(bound: number, onDrop: (key: K, value: V) => void = () => undefined) {
    this.#bound = bound
    this.#onDrop = onDrop
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#bound) return
    const [oldest, dropped] = this.#entries.entries().next().value!
    this.#entries.delete(oldest)
    this.#onDrop(oldest, dropped)
  }

  delete(key: K): void {
    this.#entries.delete(key)
  }

  values(): Iterable<V> {
    return this.#entries.values()
  }
}
