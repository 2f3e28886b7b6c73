import { deepFreeze, type KubeObject, keyOf, withMetadata } from '../kube-object.ts'
import { type ChangeType, History, type StoreEvent } from './history.ts'
import { type IndexValues, ObjectTable } from './object-table.ts'

/** Someone wrote the object since it was read. The caller reads again and retries, or refuses. */
export class StaleWriteError extends Error {
  override readonly name = 'StaleWriteError'
}
/** A read at a revision whose history is no longer kept. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError'
}

/** Lists kept for reading in pages, so that a page costs the page and not the list. */
const snapshotLimit = 32

/** What `Store.dump` gives and `Store.restore` takes: plain JSON. */
export interface StoreDump {
  revision: number
  resources: Record<string, KubeObject[]>
}

interface Resource {
  table: ObjectTable
  history: History
}

type Listener = (resource: string, event: StoreEvent) => void

/**
 * The objects of all resources with one history: every change takes the next revision, which becomes the object's
 * resourceVersion. It knows nothing of kinds; a resource is a name such as `apps/deployments`. All of it is
 * synchronous, so what a caller reads and writes without waiting in between is one transaction.
 */
export class Store {
  private readonly resources = new Map<string, Resource>()
  private readonly listeners: Listener[] = []
  private readonly snapshots = new Map<string, readonly KubeObject[]>()
  private readonly indexes = new Map<string, IndexValues>()
  private readonly historyLimit: number
  private current = 1

  /** @param historyLimit changes that are kept at least for each resource, for watches that come back */
  constructor(historyLimit = 20_000) {
    this.historyLimit = historyLimit
  }

  get revision(): number {
    return this.current
  }

  /** Called with every change, in order, before the write returns. A listener neither throws nor writes at once. */
  listen(listener: Listener): void {
    this.listeners.push(listener)
  }

  /** Says by which values the objects of a resource can be found. Before the first object of it is stored. */
  defineIndex(resource: string, values: IndexValues): void {
    this.indexes.set(resource, values)
  }

  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.resources.get(resource)?.table.get(namespace, name)
  }

  /** Stores a new object and gives it as stored, frozen, with its resourceVersion. */
  create(resource: string, object: KubeObject): KubeObject {
    if (this.get(resource, object.metadata.namespace ?? '', object.metadata.name))
      throw new StaleWriteError(`${resource} ${object.metadata.name} exists`)
    return this.put(resource, 'ADDED', object, undefined)
  }

  /** @throws {StaleWriteError} when `read` is not what is stored now. */
  update(resource: string, read: KubeObject, next: KubeObject): KubeObject {
    this.checkCurrent(resource, read)
    return this.put(resource, 'MODIFIED', next, read)
  }

  /**
   * Takes an object away and gives its last state, with the revision of the deletion.
   * @throws {StaleWriteError} when `read` is not what is stored now.
   */
  delete(resource: string, read: KubeObject, last: KubeObject = read): KubeObject {
    this.checkCurrent(resource, read)
    const gone = this.stamp(last)
    this.resource(resource).table.delete(read)
    this.record(resource, { revision: this.current, type: 'DELETED', object: gone, previous: read })
    return gone
  }

  count(resource: string, namespace?: string): number {
    return this.resources.get(resource)?.table.count(namespace) ?? 0
  }

  /** The objects as they are now, in the order of their keys, from the key `start` on. */
  walk(resource: string, namespace?: string, start?: string): Iterable<KubeObject> {
    return this.resources.get(resource)?.table.walk(namespace, start) ?? []
  }

  /** The objects with this value in an index, in no order. */
  indexed(resource: string, index: string, value: string): Iterable<KubeObject> {
    return this.resources.get(resource)?.table.indexed(index, value) ?? []
  }

  /**
   * All objects of a resource (of a namespace) as they were at a revision, in the order of their keys.
   * @throws {CompactedError} when the changes since then are no longer all kept.
   */
  snapshot(resource: string, namespace: string | undefined, revision: number): readonly KubeObject[] {
    const key = `${resource} ${namespace ?? '*'} ${revision}`
    const found = this.snapshots.get(key) ?? this.makeSnapshot(resource, namespace, revision)
    // The one that was used last goes last, so that the oldest is evicted first.
    this.snapshots.delete(key)
    this.snapshots.set(key, found)
    if (this.snapshots.size > snapshotLimit) this.snapshots.delete(this.snapshots.keys().next().value!)
    return found
  }

  /** The earliest revision from which a watch of this resource can start. */
  floor(resource: string): number {
    return this.resource(resource).history.floor
  }

  /** @throws {CompactedError} when the changes since then are no longer all kept. */
  changesAfter(resource: string, revision: number): StoreEvent[] {
    const { history } = this.resource(resource)
    if (revision < history.floor) throw new CompactedError(`${resource} is kept from ${history.floor} on`)
    return history.after(revision)
  }

  /** Forgets every change up to a revision, and all kept lists, as a compaction of etcd does. */
  compact(revision = this.current): void {
    for (const { history } of this.resources.values()) history.compact(Math.min(revision, this.current))
    this.snapshots.clear()
  }

  /** The names of the resources that have or had objects. */
  resourceNames(): string[] {
    return [...this.resources.keys()]
  }

  dump(): StoreDump {
    const resources = Object.fromEntries(this.resourceNames().map((name) => [name, [...this.walk(name)]]))
    return { revision: this.current, resources }
  }

  /** Fills an empty store. Watches of the store that was dumped cannot go on here: their history is not in the dump. */
  restore(dump: StoreDump): void {
    if (this.resourceNames().some((name) => this.count(name) > 0)) throw new Error('restore needs an empty store')
    this.current = Math.max(this.current, dump.revision)
    for (const [name, objects] of Object.entries(dump.resources)) {
      const { table, history } = this.resource(name)
      for (const object of objects) table.set(deepFreeze(object))
      history.compact(this.current)
    }
  }

  private makeSnapshot(resource: string, namespace: string | undefined, revision: number): readonly KubeObject[] {
    const undone = revision < this.current ? this.changesAfter(resource, revision) : []
    const now = [...this.walk(resource, namespace)]
    const relevant = undone.filter(({ object }) => namespace === undefined || object.metadata.namespace === namespace)
    return relevant.length === 0 ? now : undo(now, relevant)
  }

  private checkCurrent(resource: string, read: KubeObject): void {
    if (this.get(resource, read.metadata.namespace ?? '', read.metadata.name) !== read)
      throw new StaleWriteError(`${resource} ${read.metadata.name} has changed`)
  }

  private put(resource: string, type: ChangeType, object: KubeObject, previous: KubeObject | undefined): KubeObject {
    const stored = this.stamp(object)
    this.resource(resource).table.set(stored)
    this.record(resource, { revision: this.current, type, object: stored, previous })
    return stored
  }

  private stamp(object: KubeObject): KubeObject {
    this.current++
    return deepFreeze(withMetadata(object, { resourceVersion: String(this.current) }))
  }

  private record(resource: string, event: StoreEvent): void {
    this.resource(resource).history.append(event)
    for (const listener of this.listeners) listener(resource, event)
  }

  private resource(name: string): Resource {
    const found = this.resources.get(name)
    if (found) return found
    const table = new ObjectTable(this.indexes.get(name) ?? (() => ({})))
    const made = { table, history: new History(this.historyLimit) }
    this.resources.set(name, made)
    return made
  }
}

/** Takes changes back, the newest first, and sorts what has come back into its place. */
function undo(objects: readonly KubeObject[], changes: readonly StoreEvent[]): KubeObject[] {
  const before = new Map<string, KubeObject | undefined>()
  for (const { object, previous } of [...changes].reverse()) before.set(keyOf(object), previous)
  const out = objects.filter((object) => !before.has(keyOf(object)))
  for (const object of before.values()) if (object) out.push(object)
  return out.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}
