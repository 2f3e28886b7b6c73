import { whyOutlined } from '../base/left-out.ts'
import type { Change } from './change.ts'
import { compareVersions, type KubeObject, keyOf } from './objects.ts'
import type { Room } from './room.ts'
import type { Store } from './store.ts'

/** Deleted objects whose version is remembered, so that late events do not bring them back. */
const TOMBSTONES = 10_000

/** An event says nothing that can be used: it names no object, or no version. */
export class BadEvent extends Error {
  override readonly name = 'BadEvent'
}

/**
 * What is known of the objects of a kind, kept by lists and events, and what each of these changes. Pure but for the
 * store. For one object versions only rise, and nothing is said twice, whatever the order in which events come.
 */
export class Replica<T extends KubeObject> {
  /** The version up to which everything is known; undefined before the first list. */
  version: string | undefined
  /** Events left out because they brought nothing new. */
  ignored = 0
  #store: Store<T>
  #room: Room<T> | undefined
  #tombstones = new Map<string, string>()

  /** @param room for what is in the store; left out: as much as there is */
  constructor(store: Store<T>, room?: Room<T>) {
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
    // etcd gives a deletion a version of its own; a server that does not repeats the last one.
    return deletion && known !== undefined ? order < 0 : order <= 0
  }

  /** @returns undefined where it is new, and one too many */
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

  /** The server has nothing up to this version that it did not send. False: it has less than we know, so its history is another. */
  bookmark(version: string): boolean {
    if (version === '' || this.version === undefined) return true
    if (compareVersions(version, this.version) < 0) return false
    this.version = version
    return true
  }

  /**
   * A whole list takes the place of everything that was known. Deletions come first, so that an index by something
   * that only one object may have never shows two.
   *
   * A list older than what we know is of a server whose data were set back (an etcd restored from a backup): it is the truth
   * now, and only then may the version of an object fall.
   * @param room that the list had
   */
  replace(objects: ReadonlyMap<string, T>, version: string, room?: Room<T>): Change<T>[] {
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
  // There may be room for the whole of it by now.
  if (whyOutlined(known) !== undefined && whyOutlined(listed) === undefined) return true
  const order = compareVersions(listed.metadata?.resourceVersion ?? '', known.metadata?.resourceVersion ?? '')
  return setBack ? order !== 0 : order > 0
}
