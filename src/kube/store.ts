import { type KubeObject, keyOf } from './objects.ts'

/** Gives the values under which an index lists an object: none, one or several. */
export type IndexFunction<T> = (object: T) => readonly string[]

/** Read access to a store. Objects are shared, so they must not be changed. */
export interface StoreView<T> {
  readonly size: number
  /** `key`: `namespace/name`, or the name without a namespace. */
  get(key: string): T | undefined
  keys(): Iterable<string>
  values(): Iterable<T>
  /** @throws {RangeError} the store does not have this index */
  byIndex(index: string, value: string): readonly T[]
  /** All values of an index, each with at least one object. */
  indexValues(index: string): Iterable<string>
}

interface Index<T> {
  of: IndexFunction<T>
  /**
   * Keys of objects, by value. A single key is stored without a set, because most values have one object, and a set
   * takes 250 bytes.
   */
  keys: Map<string, string | Set<string>>
  /** Values by key of the object. They are stored, because the function may give other values for a changed object. */
  values: Map<string, readonly string[]>
}

/** The index by namespace, which every store has. */
export const namespaceIndex = 'namespace'

/** The last known state of all objects of a kind, found by key and by named indexes. */
export class Store<T extends KubeObject> implements StoreView<T> {
  #objects = new Map<string, T>()
  #indexes = new Map<string, Index<T>>()
  #onIndexError: (index: string, key: string, error: unknown) => void

  /** If an index function throws, its object is not indexed, and the error is reported. */
  constructor(
    indexes: Readonly<Record<string, IndexFunction<T>>> = {},
    onIndexError: (index: string, key: string, error: unknown) => void = (_index, _key, error) => {
      throw error
    },
  ) {
    this.#onIndexError = onIndexError
    const all: Record<string, IndexFunction<T>> = { [namespaceIndex]: namespaceOf, ...indexes }
    for (const [name, of] of Object.entries(all)) this.#indexes.set(name, { of, keys: new Map(), values: new Map() })
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  keys(): Iterable<string> {
    return this.#objects.keys()
  }

  values(): Iterable<T> {
    return this.#objects.values()
  }

  byIndex(index: string, value: string): readonly T[] {
    const keys = this.#index(index).keys.get(value)
    return keysOf(keys).map((key) => this.#objects.get(key)!)
  }

  indexValues(index: string): Iterable<string> {
    return this.#index(index).keys.keys()
  }

  /** Adds an object, or replaces the object with the same key. */
  set(object: T): void {
    const key = keyOf(object)
    this.#objects.set(key, object)
    for (const [name, index] of this.#indexes) reindex(index, key, this.#valuesOf(name, index, key, object))
  }

  delete(key: string): void {
    if (!this.#objects.delete(key)) return
    for (const index of this.#indexes.values()) reindex(index, key, [])
  }

  #valuesOf(name: string, index: Index<T>, key: string, object: T): readonly string[] {
    try {
      return index.of(object)
    } catch (error) {
      this.#onIndexError(name, key, error)
      return []
    }
  }

  #index(name: string): Index<T> {
    const index = this.#indexes.get(name)
    if (index === undefined)
      throw new RangeError(
        `The index ${name} does not exist; existing indexes: ${[...this.#indexes.keys()].join(', ')}`,
      )
    return index
  }
}

const keysOf = (keys: string | Iterable<string> = []): readonly string[] =>
  typeof keys === 'string' ? [keys] : [...keys]

const namespaceOf = ({ metadata }: KubeObject): readonly string[] => (metadata?.namespace ? [metadata.namespace] : [])

function reindex<T>(index: Index<T>, key: string, values: readonly string[]): void {
  const before = index.values.get(key) ?? []
  if (before.length === values.length && before.every((value, i) => value === values[i])) return
  for (const value of before) {
    const keys = index.keys.get(value)
    if (keys === key) index.keys.delete(value)
    else if (keys instanceof Set && keys.delete(key) && keys.size === 0) index.keys.delete(value)
  }
  for (const value of values) {
    const keys = index.keys.get(value)
    if (keys instanceof Set) keys.add(key)
    else index.keys.set(value, keys === undefined || keys === key ? key : new Set([keys, key]))
  }
  if (values.length === 0) index.values.delete(key)
  else index.values.set(key, values)
}

/**
 * A transform for reflectors that removes managedFields. They are often half of an object, and only the server needs
 * them.
 */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata?.managedFields === undefined) return object
  // `delete` turns a V8 object into a hash table, six times as large.
  const { managedFields: _, ...metadata } = object.metadata
  object.metadata = metadata
  return object
}
