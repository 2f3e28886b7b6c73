import type { KubeObject } from '../kube-object.ts'
import { lowerBound, NameOrder } from './name-order.ts'

/** Values of an object by which it can be found without a walk over all objects, such as a pod's node. */
export type IndexValues = (object: KubeObject) => Readonly<Record<string, string>>

class Namespace {
  readonly objects = new Map<string, KubeObject>()
  readonly order = new NameOrder((name) => this.objects.has(name))
}

/** The objects of one resource as they are now, by namespace and name, in the order of their keys. */
export class ObjectTable {
  private readonly namespaces = new Map<string, Namespace>()
  private readonly namespaceOrder = new NameOrder((key) => this.namespaces.has(key.slice(0, -1)))
  private readonly indexes = new Map<string, Set<KubeObject>>()
  private readonly indexValues: IndexValues
  private count = 0

  constructor(indexValues: IndexValues) {
    this.indexValues = indexValues
  }

  get size(): number {
    return this.count
  }

  sizeOf(namespace: string): number {
    return this.namespaces.get(namespace)?.objects.size ?? 0
  }

  get(namespace: string, name: string): KubeObject | undefined {
    return this.namespaces.get(namespace)?.objects.get(name)
  }

  set(object: KubeObject): void {
    const key = object.metadata.namespace ?? ''
    const namespace = this.namespaces.get(key) ?? this.addNamespace(key)
    const before = namespace.objects.get(object.metadata.name)
    if (before) this.unindex(before)
    else {
      this.count++
      namespace.order.add(object.metadata.name)
    }
    namespace.objects.set(object.metadata.name, object)
    this.index(object)
  }

  delete(object: KubeObject): void {
    const key = object.metadata.namespace ?? ''
    const namespace = this.namespaces.get(key)
    const before = namespace?.objects.get(object.metadata.name)
    if (!namespace || !before) return
    this.unindex(before)
    namespace.objects.delete(object.metadata.name)
    namespace.order.remove()
    this.count--
    if (namespace.objects.size > 0) return
    this.namespaces.delete(key)
    this.namespaceOrder.remove()
  }

  /** The objects whose key is not below `start`, in order. Keys are `namespace/name`, or `name` within one namespace. */
  *walk(namespace: string | undefined, start = ''): Generator<KubeObject> {
    if (namespace !== undefined) return yield* this.walkNamespace(namespace, start)
    const slash = start.indexOf('/')
    const first = slash < 0 ? start : start.slice(0, slash + 1)
    const order = this.namespaceOrder.names()
    for (let i = lowerBound(order, first); i < order.length; i++) {
      const key = order[i]!
      yield* this.walkNamespace(key.slice(0, -1), key === first ? start.slice(slash + 1) : '')
    }
  }

  /** The objects with this value in this index, in no order. */
  indexed(index: string, value: string): ReadonlySet<KubeObject> {
    return this.indexes.get(`${index}=${value}`) ?? new Set()
  }

  private *walkNamespace(key: string, start: string): Generator<KubeObject> {
    const namespace = this.namespaces.get(key)
    if (!namespace) return
    const names = namespace.order.names()
    for (let i = lowerBound(names, start); i < names.length; i++) {
      const object = namespace.objects.get(names[i]!)
      if (object) yield object
    }
  }

  private addNamespace(key: string): Namespace {
    const namespace = new Namespace()
    this.namespaces.set(key, namespace)
    // With the slash, as in the whole key: "a-b/" comes before "a/", although "a" comes before "a-b".
    this.namespaceOrder.add(`${key}/`)
    return namespace
  }

  private index(object: KubeObject): void {
    for (const [name, value] of Object.entries(this.indexValues(object))) {
      const key = `${name}=${value}`
      const found = this.indexes.get(key)
      if (found) found.add(object)
      else this.indexes.set(key, new Set([object]))
    }
  }

  private unindex(object: KubeObject): void {
    for (const [name, value] of Object.entries(this.indexValues(object))) {
      const key = `${name}=${value}`
      const found = this.indexes.get(key)
      found?.delete(object)
      if (found?.size === 0) this.indexes.delete(key)
    }
  }
}
