import { whyOutlined } from '../base/left-out.ts'
import type { Change } from './change.ts'
import { compareVersions, type KubeObject, keyOf } from './objects.ts'
import type { Quota } from './room.ts'
import type { Store } from './store.ts'

/** Maximum deleted objects whose version is remembered, so that late events do not add them again. */
const TOMBSTONES = 10_000

/** An event that lacks the name or the version of its object. */
export class BadEvent extends Error {
  override readonly name = 'BadEvent'
}

/**
 * Applies lists and events to the store of a kind, and returns the changes. In whatever order events arrive, the
 * version of an object only increases, and no change is returned twice.
 */
export class Replica<T extends KubeObject> {
  /** The version up to which all changes are known; undefined before the first list. */
  version: string | undefined
  /** Number of events that were ignored because they were not new. */
  ignored = 0
  #store: Store<T>
  #room: Quota<T> | undefined
  #tombstones = new Map<string, string>()

  /** @param room limits the store; absent: no limit */
  constructor(store: Store<T>, room?: Quota<T>) {
    this.#store = store
    this.#room = room
  }

  /** @throws {BadEvent} */
  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): Change<T> | undefined {
    const key = keyOf(object)
    const version = object.metadata?.resourceVersion
    if (key === '' || !version)
      throw new BadEvent(`${type} of ${key || 'an object without a name'}, version ${version || 'missing'}`)
    const known = this.#store.get(key)
    const stale = this.#isStale(key, version, known, type === 'DELETED')
    if (this.version === undefined || compareVersions(version, this.version) > 0) this.version = version
    if (stale) {
      this.ignored++
      return undefined
    }
    if (type === 'DELETED') return this.#remove(key, object, version, known)
    const change = this.#put(key, object, known)
    if (change === undefined) this.ignored++
    return change
  }

  #isStale(key: string, version: string, known: T | undefined, deletion: boolean): boolean {
    const last = known?.metadata?.resourceVersion ?? this.#tombstones.get(key)
    if (last === undefined) return false
    const order = compareVersions(version, last)
    // etcd gives a deletion its own version. Other servers may repeat the last version of the object, so a deletion
    // with an equal version is also new.
    return deletion && known !== undefined ? order < 0 : order <= 0
  }

  /** @returns undefined if the object is new and exceeds the limit */
  #put(key: string, whole: T, known: T | undefined): Change<T> | undefined {
    this.#tombstones.delete(key)
    const object = this.#room === undefined ? whole : this.#room.fit(whole, known !== undefined)
    if (object === undefined) return undefined
    this.#store.set(object)
    return known === undefined ? { type: 'added', key, object } : { type: 'updated', key, object, old: known }
  }

  #remove(key: string, object: T, version: string, known: T | undefined): Change<T> | undefined {
    this.#tombstones.delete(key)
    this.#tombstones.set(key, version)
    if (this.#tombstones.size > TOMBSTONES) this.#tombstones.delete(this.#tombstones.keys().next().value!)
    if (known === undefined) {
      this.ignored++
      return undefined
    }
    this.#store.delete(key)
    this.#room?.forget(key)
    return { type: 'deleted', key, object, missed: false }
  }

  /**
   * The server has sent all changes up to this version.
   * @returns false if we know a newer version, so the server's history differs
   */
  bookmark(version: string): boolean {
    if (version === '' || this.version === undefined) return true
    if (compareVersions(version, this.version) < 0) return false
    this.version = version
    return true
  }

  /**
   * Replaces all known objects by a complete list. Deletions come first, so that an index never has two objects for one
   * unique value. A list older than our state comes from a restored backup: then the version of an object may decrease.
   * @param room the quota that the list has used
   */
  replace(objects: ReadonlyMap<string, T>, version: string, room?: Quota<T>): Change<T>[] {
    const setBack = this.version !== undefined && compareVersions(version, this.version) < 0
    this.version = version
    this.#tombstones.clear()
    const changes: Change<T>[] = []
    for (const key of [...this.#store.keys()]) {
      const known = this.#store.get(key)!
      const listed = objects.get(key)
      if (listed !== undefined && listed.metadata?.uid === known.metadata?.uid) continue
      this.#store.delete(key)
      this.#room?.forget(key)
      changes.push({ type: 'deleted', key, object: known, missed: true })
    }
    if (room !== undefined) this.#room?.replaced(room)
    for (const [key, object] of objects) {
      const known = this.#store.get(key)
      if (known !== undefined && !isNews(known, object, setBack)) continue
      const change = this.#put(key, object, known)
      if (change !== undefined) changes.push(change)
    }
    return changes
  }
}

function isNews(known: KubeObject, listed: KubeObject, setBack: boolean): boolean {
  // Only an outline was stored. The whole object fits now, so it replaces the outline of the same version.
  if (whyOutlined(known) !== undefined && whyOutlined(listed) === undefined) return true
  const order = compareVersions(listed.metadata?.resourceVersion ?? '', known.metadata?.resourceVersion ?? '')
  return setBack ? order !== 0 : order > 0
}
