import type { Clock, Timer } from '../../../base/clock.ts'
import type { KubeObject } from '../kube-object.ts'
import type { IndexValues } from '../store/object-table.ts'
import type { Store } from '../store/store.ts'
import type { StoreEvent } from '../store/store-event.ts'
import type { WatchRecord } from './watch-record.ts'
import { ChangeRecords, Watcher, type WatchSpec } from './watcher.ts'

/** How long between two bookmarks of a watch, milliseconds: that of the API server's watch cache. */
const bookmarkInterval = 60_000

export interface WatchHubOptions {
  clock: Clock
  /** Events that a reader may fall behind before it is cut off. */
  bound?: number
  /** The kind and version with which a bookmark of a resource is written. */
  typeOf(resource: string): { apiVersion: string; kind: string }
  indexValues(resource: string): IndexValues | undefined
}

/** The watchers of one resource, each in one place, so that an event looks only at those whom it may concern. */
class Audience {
  readonly everyone = new Set<Watcher>()
  readonly places = new Map<string, Set<Watcher>>()

  add(watcher: Watcher): void {
    const place = placeOf(watcher.spec)
    if (place === undefined) this.everyone.add(watcher)
    else if (this.places.has(place)) this.places.get(place)!.add(watcher)
    else this.places.set(place, new Set([watcher]))
  }

  remove(watcher: Watcher): void {
    const place = placeOf(watcher.spec)
    if (place === undefined) this.everyone.delete(watcher)
    const there = place === undefined ? undefined : this.places.get(place)
    there?.delete(watcher)
    if (place !== undefined && there?.size === 0) this.places.delete(place)
  }

  /** Copies, since a slow reader is taken out while the event goes around. */
  concerned(places: Iterable<string>): Watcher[] {
    const found = [...this.everyone]
    for (const place of places) found.push(...(this.places.get(place) ?? []))
    return found
  }
}

function placeOf({ trigger, namespace }: WatchSpec): string | undefined {
  if (trigger) return `${trigger.index}=${trigger.value}`
  return namespace === undefined ? undefined : `@${namespace}`
}

/** Hands every change of the store to the watchers whom it concerns. */
export class WatchHub {
  private readonly audiences = new Map<string, Audience>()
  private readonly bookmarked = new Set<Watcher>()
  private readonly store: Store
  private readonly options: WatchHubOptions
  private timer: Timer | undefined

  constructor(store: Store, options: WatchHubOptions) {
    this.store = store
    this.options = options
    store.listen((resource, event) => this.dispatch(resource, event))
  }

  get size(): number {
    let size = 0
    for (const audience of this.audiences.values()) size += audience.concerned(audience.places.keys()).length
    return size
  }

  /** Starts a watch now: `backlog` first, then every change from here on. */
  watch(spec: WatchSpec, backlog: Iterable<WatchRecord>): Watcher {
    const watcher = new Watcher(spec, backlog, this.options.bound ?? 1000, (ended) => this.forget(ended))
    const audience = this.audiences.get(spec.resource) ?? new Audience()
    this.audiences.set(spec.resource, audience)
    audience.add(watcher)
    if (spec.bookmarks) this.bookmarked.add(watcher)
    this.arm()
    return watcher
  }

  /** The bookmark of now: the watcher has seen, or has in its queue, every change up to it. */
  bookmark(resource: string, annotations?: Record<string, string>): WatchRecord {
    const metadata = { resourceVersion: String(this.store.revision), ...(annotations ? { annotations } : {}) }
    return { type: 'BOOKMARK', object: { ...this.options.typeOf(resource), metadata } as unknown as KubeObject }
  }

  /** The changes after a revision, as this watch sees them. @throws {CompactedError} */
  backlogAfter(spec: WatchSpec, revision: number): WatchRecord[] {
    const events = this.store.changesAfter(spec.resource, revision)
    return events.flatMap((event) => {
      if (spec.namespace !== undefined && event.object.metadata.namespace !== spec.namespace) return []
      return new ChangeRecords(event).for(spec) ?? []
    })
  }

  /** Ends the watches for which this holds, at once or after what is queued. */
  endWhere(which: (spec: WatchSpec) => boolean, how: 'cut' | 'end' = 'end'): number {
    let ended = 0
    for (const audience of this.audiences.values())
      for (const watcher of audience.concerned(audience.places.keys())) {
        if (!which(watcher.spec)) continue
        watcher[how]()
        ended++
      }
    return ended
  }

  close(): void {
    this.endWhere(() => true)
    this.timer?.cancel()
  }

  private dispatch(resource: string, event: StoreEvent): void {
    const audience = this.audiences.get(resource)
    if (!audience) return
    const records = new ChangeRecords(event)
    for (const watcher of audience.concerned(this.placesOf(resource, event))) {
      const { namespace } = watcher.spec
      if (namespace !== undefined && event.object.metadata.namespace !== namespace) continue
      const record = records.for(watcher.spec)
      if (record) watcher.push(record)
    }
  }

  private placesOf(resource: string, event: StoreEvent): Set<string> {
    const places = new Set([`name=${event.object.metadata.name}`, `@${event.object.metadata.namespace ?? ''}`])
    const values = this.options.indexValues(resource)
    if (!values) return places
    for (const object of [event.object, event.previous])
      if (object) for (const [index, value] of Object.entries(values(object))) places.add(`${index}=${value}`)
    return places
  }

  private forget(watcher: Watcher): void {
    this.audiences.get(watcher.spec.resource)?.remove(watcher)
    this.bookmarked.delete(watcher)
    if (this.bookmarked.size > 0) return
    this.timer?.cancel()
    this.timer = undefined
  }

  private arm(): void {
    if (this.timer || this.bookmarked.size === 0) return
    this.timer = this.options.clock.after(bookmarkInterval, () => {
      this.timer = undefined
      for (const watcher of [...this.bookmarked]) watcher.push(this.bookmark(watcher.spec.resource))
      this.arm()
    })
  }
}
