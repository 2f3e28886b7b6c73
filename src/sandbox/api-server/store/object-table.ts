import { type KubeObject, keyOf } from '../kube-object.ts'

/**
 * Returns the index values of an object, such as the node of a pod. With an index, the store finds objects without a
 * walk over all of them.
 */
export type IndexValues = (object: KubeObject) => Readonly<Record<string, string>>

/** The index of the first item in a sorted list for which `isBelow` is false. */
export function lowerBound<T>(sorted: readonly T[], isBelow: (item: T) => boolean): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBelow(sorted[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}

/** Sets by key. When a set becomes empty, its key is dropped. */
export class Groups<T> {
  private readonly sets = new Map<string, Set<T>>()

  get(key: string): ReadonlySet<T> | undefined {
    return this.sets.get(key)
  }

  add(key: string, member: T): void {
    const found = this.sets.get(key)
    if (found) found.add(member)
    else this.sets.set(key, new Set([member]))
  }

  remove(key: string, member: T): void {
    const found = this.sets.get(key)
    found?.delete(member)
    if (found?.size === 0) this.sets.delete(key)
  }
}

/** The current objects of one resource, in the order of their keys: `namespace/name`, or `name`. */
export class ObjectTable {
  private readonly objects = new Map<string, KubeObject>()
  private readonly indexes = new Groups<KubeObject>()
  private readonly indexValues: IndexValues
  /** Sorted keys. Until the next list, `sorted` lacks the keys in `added`, and may contain deleted keys. */
  private sorted: string[] = []
  private added: string[] = []
  private removed = false

  constructor(indexValues: IndexValues) {
    this.indexValues = indexValues
  }

  count(namespace: string | undefined): number {
    return namespace === undefined ? this.objects.size : this.keys(namespace, '').length
  }

  get(namespace: string, name: string): KubeObject | undefined {
    return this.objects.get(namespace === '' ? name : `${namespace}/${name}`)
  }

  set(object: KubeObject): void {
    const key = keyOf(object)
    const before = this.objects.get(key)
    if (before) for (const value of this.valuesOf(before)) this.indexes.remove(value, before)
    else this.added.push(key)
    this.objects.set(key, object)
    for (const value of this.valuesOf(object)) this.indexes.add(value, object)
  }

  /** @param object a stored object */
  delete(object: KubeObject): void {
    for (const value of this.valuesOf(object)) this.indexes.remove(value, object)
    this.objects.delete(keyOf(object))
    this.removed = true
  }

  /** The objects from the key `start` on, in order. Within one namespace, `start` is a name. */
  *walk(namespace: string | undefined, start = ''): Generator<KubeObject> {
    for (const key of this.keys(namespace, start)) {
      const object = this.objects.get(key)
      if (object) yield object
    }
  }

  /** The objects with this index value, in no particular order. */
  indexed(index: string, value: string): ReadonlySet<KubeObject> {
    return this.indexes.get(`${index}=${value}`) ?? new Set()
  }

  private keys(namespace: string | undefined, start: string): readonly string[] {
    if (this.added.length > 0 || this.removed) this.merge()
    const { sorted } = this
    if (!namespace) return start === '' ? sorted : sorted.slice(lowerBound(sorted, (key) => key < start))
    // In the order of characters, `0` follows `/`, so `NAMESPACE0` is the end of the namespace.
    const [first, end] = [`${namespace}/${start}`, `${namespace}0`]
    return sorted.slice(
      lowerBound(sorted, (key) => key < first),
      lowerBound(sorted, (key) => key < end),
    )
  }

  /** Sorts the keys. Sorting takes little more time than a walk, because only the appended keys are unsorted. */
  private merge(): void {
    const all = this.sorted.concat(this.added)
    // A key that was removed and added again occurs twice in `all`.
    this.sorted = this.removed ? [...new Set(all.filter((key) => this.objects.has(key)))].sort() : all.sort()
    this.added = []
    this.removed = false
  }

  private valuesOf(object: KubeObject): string[] {
    return Object.entries(this.indexValues(object)).map(([name, value]) => `${name}=${value}`)
  }
}
