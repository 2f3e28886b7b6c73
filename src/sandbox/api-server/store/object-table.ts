import type { KubeObject } from '../kube-object.ts'

/** Values of an object by which it can be found without a walk over all objects, such as a pod's node. */
export type IndexValues = (object: KubeObject) => Readonly<Record<string, string>>

/** Names in byte order. A new name waits until someone lists: a list costs a walk over the names anyway. */
class Names {
  private sorted: string[] = []
  private added: string[] = []
  private removed = false
  private readonly has: (name: string) => boolean

  constructor(has: (name: string) => boolean) {
    this.has = has
  }

  add(name: string): void {
    this.added.push(name)
  }

  remove(): void {
    this.removed = true
  }

  /** The names from `start` on, in order. The caller does not change the list. */
  from(start: string): readonly string[] {
    if (this.added.length > 0 || this.removed) this.merge()
    return start === '' ? this.sorted : this.sorted.slice(lowerBound(this.sorted, (name) => name < start))
  }

  /** To sort a sorted list with a few more at its end takes little more than a walk. */
  private merge(): void {
    const all = this.sorted.concat(this.added)
    // What was removed and added again stands there twice.
    this.sorted = this.removed ? [...new Set(all.filter(this.has))].sort() : all.sort()
    this.added = []
    this.removed = false
  }
}

/** The index of the first item of a sorted list that is not below something. */
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

/** Sets by key; a key without members is not kept. */
export class Groups<T> {
  private readonly sets = new Map<string, Set<T>>()

  get(key: string): ReadonlySet<T> | undefined {
    return this.sets.get(key)
  }

  keys(): Iterable<string> {
    return this.sets.keys()
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

class Namespace {
  readonly objects = new Map<string, KubeObject>()
  readonly names = new Names((name) => this.objects.has(name))
}

/** The objects of one resource as they are now, by namespace and name, in the order of their keys. */
export class ObjectTable {
  private readonly namespaces = new Map<string, Namespace>()
  // With the slash, as in the whole key: "a-b/" comes before "a/", although "a" comes before "a-b".
  private readonly prefixes = new Names((prefix) => this.namespaces.has(prefix.slice(0, -1)))
  private readonly indexes = new Groups<KubeObject>()
  private readonly indexValues: IndexValues
  size = 0

  constructor(indexValues: IndexValues) {
    this.indexValues = indexValues
  }

  sizeOf(namespace: string): number {
    return this.namespaces.get(namespace)?.objects.size ?? 0
  }

  get(namespace: string, name: string): KubeObject | undefined {
    return this.namespaces.get(namespace)?.objects.get(name)
  }

  set(object: KubeObject): void {
    const { namespace: key = '', name } = object.metadata
    const namespace = this.namespaces.get(key) ?? this.addNamespace(key)
    const before = namespace.objects.get(name)
    if (before) for (const value of this.valuesOf(before)) this.indexes.remove(value, before)
    else {
      this.size++
      namespace.names.add(name)
    }
    namespace.objects.set(name, object)
    for (const value of this.valuesOf(object)) this.indexes.add(value, object)
  }

  /** @param object that is stored */
  delete(object: KubeObject): void {
    const { namespace: key = '', name } = object.metadata
    const namespace = this.namespaces.get(key)!
    for (const value of this.valuesOf(object)) this.indexes.remove(value, object)
    namespace.objects.delete(name)
    namespace.names.remove()
    this.size--
    if (namespace.objects.size > 0) return
    this.namespaces.delete(key)
    this.prefixes.remove()
  }

  /** The objects whose key is not below `start`, in order. Keys are `namespace/name`, or `name` within one namespace. */
  *walk(namespace: string | undefined, start = ''): Generator<KubeObject> {
    if (namespace !== undefined) return yield* this.walkNamespace(namespace, start)
    const slash = start.indexOf('/')
    const first = slash < 0 ? start : start.slice(0, slash + 1)
    for (const prefix of this.prefixes.from(first))
      yield* this.walkNamespace(prefix.slice(0, -1), prefix === first ? start.slice(slash + 1) : '')
  }

  /** The objects with this value in this index, in no order. */
  indexed(index: string, value: string): ReadonlySet<KubeObject> {
    return this.indexes.get(`${index}=${value}`) ?? new Set()
  }

  private *walkNamespace(key: string, start: string): Generator<KubeObject> {
    const namespace = this.namespaces.get(key)
    if (!namespace) return
    for (const name of namespace.names.from(start)) {
      const object = namespace.objects.get(name)
      if (object) yield object
    }
  }

  private addNamespace(key: string): Namespace {
    const namespace = new Namespace()
    this.namespaces.set(key, namespace)
    this.prefixes.add(`${key}/`)
    return namespace
  }

  private valuesOf(object: KubeObject): string[] {
    return Object.entries(this.indexValues(object)).map(([name, value]) => `${name}=${value}`)
  }
}
