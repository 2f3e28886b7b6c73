import { deepFreeze, type KubeObject, keyOf, withMetadata } from '../kube-object.ts'
import { type ChangeType, History, type StoreEvent } from './history.ts'
import { type IndexValues, ObjectTable } from './object-table.ts'

/** The object was written after the caller read it. The caller reads it again and retries, or refuses the write. */
export class StaleWriteError extends Error {
  override readonly name = 'StaleWriteError'
}
/** The history of the requested revision is gone. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError'
}

/** Maximum number of lists that are kept, so that each further page of a list costs only the objects on the page. */
const snapshotLimit = 32

/** The result of `Store.dump`, as plain JSON for `Store.restore`. */
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
 * The objects of all resources, with one history: every change gets the next revision, which becomes the object's
 * resourceVersion. The store knows no kinds; a resource is a name such as `apps/deployments`. All methods are
 * synchronous, so several calls without a wait in between are one transaction.
 */
export class Store {
  private readonly resources = new Map<string, Resource>()
  private readonly listeners: Listener[] = []
  private readonly snapshots = new Map<string, readonly KubeObject[]>()
  private readonly indexes = new Map<string, IndexValues>()
  private readonly historyLimit: number
  private current = 1

  /** @param historyLimit minimum number of changes kept for each resource, for watches that reconnect */
  constructor(historyLimit = 20_000) {
    this.historyLimit = historyLimit
  }

  get revision(): number {
    return this.current
  }

  /**
   * Adds a listener. It is called with every change, in order, before the write returns. The listener must not throw,
   * and must not write within the call.
   */
  listen(listener: Listener): void {
    this.listeners.push(listener)
  }

  /** Defines the index values of a resource's objects. Call it before the first object is stored. */
  defineIndex(resource: string, values: IndexValues): void {
    this.indexes.set(resource, values)
  }

  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.resources.get(resource)?.table.get(namespace, name)
  }

  /** Stores a new object and returns it as stored: frozen, with its resourceVersion. */
  create(resource: string, object: KubeObject): KubeObject {
    if (this.get(resource, object.metadata.namespace ?? '', object.metadata.name))
      throw new StaleWriteError(`${resource} ${object.metadata.name} exists`)
    return this.put(resource, 'ADDED', object, undefined)
  }

  /** @throws {StaleWriteError} when `read` is not the stored object */
  update(resource: string, read: KubeObject, next: KubeObject): KubeObject {
    this.checkCurrent(resource, read)
    return this.put(resource, 'MODIFIED', next, read)
  }

  /**
   * Removes an object and returns its last state, with the deletion's revision.
   * @throws {StaleWriteError} when `read` is not the stored object
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

  /** The current objects in the order of their keys, from the key `start` on. */
  walk(resource: string, namespace?: string, start?: string): Iterable<KubeObject> {
    return this.resources.get(resource)?.table.walk(namespace, start) ?? []
  }

  /** The objects with this value in an index, in no particular order. */
  indexed(resource: string, index: string, value: string): Iterable<KubeObject> {
    return this.resources.get(resource)?.table.indexed(index, value) ?? []
  }

  /**
   * All objects of a resource, or of one namespace, at a revision, in the order of their keys.
   * @throws {CompactedError} when the history after the revision is incomplete
   */
  snapshot(resource: string, namespace: string | undefined, revision: number): readonly KubeObject[] {
    const key = `${resource} ${namespace ?? '*'} ${revision}`
    const found = this.snapshots.get(key) ?? this.makeSnapshot(resource, namespace, revision)
    // Move the most recently used list to the end, so that the list that was used least recently is dropped first.
    this.snapshots.delete(key)
    this.snapshots.set(key, found)
    if (this.snapshots.size > snapshotLimit) this.snapshots.delete(this.snapshots.keys().next().value!)
    return found
  }

  /** The earliest revision from which a watch of this resource can start. */
  floor(resource: string): number {
    return this.resource(resource).history.floor
  }

  /** @throws {CompactedError} when the history after the revision is incomplete */
  changesAfter(resource: string, revision: number): StoreEvent[] {
    const { history } = this.resource(resource)
    if (revision < history.floor) throw new CompactedError(`${resource} is kept from ${history.floor} on`)
    return history.after(revision)
  }

  /** Drops all changes up to a revision, and all kept lists, like a compaction of etcd. */
  compact(revision = this.current): void {
    for (const { history } of this.resources.values()) history.compact(Math.min(revision, this.current))
    this.snapshots.clear()
  }

  /** The names of resources that have or had objects. */
  resourceNames(): string[] {
    return [...this.resources.keys()]
  }

  dump(): StoreDump {
    const resources = Object.fromEntries(this.resourceNames().map((name) => [name, [...this.walk(name)]]))
    return { revision: this.current, resources }
  }

  /** Fills an empty store. Earlier watches cannot continue, because their history is not in the dump. */
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

/** Undoes changes, the newest first. Restored objects are inserted at their sorted positions. */
function undo(objects: readonly KubeObject[], changes: readonly StoreEvent[]): KubeObject[] {
  const before = new Map<string, KubeObject | undefined>()
  for (const { object, previous } of [...changes].reverse()) before.set(keyOf(object), previous)
  const out = objects.filter((object) => !before.has(keyOf(object)))
  for (const object of before.values()) if (object) out.push(object)
  return out.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}
