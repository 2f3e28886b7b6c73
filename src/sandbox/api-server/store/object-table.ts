import { type KubeObject, keyOf } from '../kube-object.ts'

/** An object's index values, which find it without a walk over all objects, such as a pod's node. */
export type IndexValues = (object: KubeObject) => Readonly<Record<string, string>>

/** The index of the first item in a sorted list that is not below a bound. */
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

/** Sets by key; a key without members is dropped. */
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

/** The current objects of one resource, in key order: `namespace/name`, or `name`. */
export class ObjectTable {
  private readonly objects = new Map<string, KubeObject>()
  private readonly indexes = new Groups<KubeObject>()
  private readonly indexValues: IndexValues
  /** Sorted keys, without those in `added` until the next list, and possibly with deleted ones. */
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

  /** The objects from the key `start`, in order. Within one namespace, `start` is a name. */
  *walk(namespace: string | undefined, start = ''): Generator<KubeObject> {
    for (const key of this.keys(namespace, start)) {
      const object = this.objects.get(key)
      if (object) yield object
    }
  }

  /** The objects with this index value, unordered. */
  indexed(index: string, value: string): ReadonlySet<KubeObject> {
    return this.indexes.get(`${index}=${value}`) ?? new Set()
  }

  private keys(namespace: string | undefined, start: string): readonly string[] {
    if (this.added.length > 0 || this.removed) this.merge()
    const { sorted } = this
    if (!namespace) return start === '' ? sorted : sorted.slice(lowerBound(sorted, (key) => key < start))
    // The character after a slash is 0.
    const [first, end] = [`${namespace}/${start}`, `${namespace}0`]
    return sorted.slice(
      lowerBound(sorted, (key) => key < first),
      lowerBound(sorted, (key) => key < end),
    )
  }

  /** Sorting a sorted list with a few appended items costs little more than a walk. */
  private merge(): void {
    const all = this.sorted.concat(this.added)
    // A removed and re-added key occurs twice.
    this.sorted = this.removed ? [...new Set(all.filter((key) => this.objects.has(key)))].sort() : all.sort()
    this.added = []
    this.removed = false
  }

  private valuesOf(object: KubeObject): string[] {
    return Object.entries(this.indexValues(object)).map(([name, value]) => `${name}=${value}`)
  }
}
