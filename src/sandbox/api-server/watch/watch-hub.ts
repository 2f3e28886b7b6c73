import type { Clock, Timer } from '../../../base/clock.ts'
import type { KubeObject } from '../kube-object.ts'
import type { StoreEvent } from '../store/history.ts'
import { Groups, type IndexValues } from '../store/object-table.ts'
import type { Store } from '../store/store.ts'
import { ChangeRecords, Watcher, type WatchRecord, type WatchSpec } from './watcher.ts'

/** Milliseconds between two bookmarks of a watch, as in the API server's watch cache. */
const bookmarkInterval = 60_000

export interface WatchHubOptions {
  clock: Clock
  /** Maximum number of events that a reader may lag behind; a reader that lags more is cut off. */
  bound?: number
  indexValues(resource: string): IndexValues | undefined
}

/** The key of a watcher. The hub compares an event only with watchers whose key fits. */
function placeOf({ resource, trigger, namespace }: WatchSpec): string {
  if (trigger) return `${resource} ${trigger.index}=${trigger.value}`
  return namespace === undefined ? resource : `${resource} @${namespace}`
}

/** Passes every change of the store to the watchers that need it. */
export class WatchHub {
  private readonly watchers = new Groups<Watcher>()
  private readonly all = new Set<Watcher>()
  private readonly store: Store
  private readonly options: WatchHubOptions
  private timer: Timer | undefined

  constructor(store: Store, options: WatchHubOptions) {
    this.store = store
    this.options = options
    store.listen((resource, event) => this.dispatch(resource, event))
  }

  get size(): number {
    return this.all.size
  }

  /** Starts a watch now. It gets `backlog` first, and then every later change. */
  watch(spec: WatchSpec, backlog: WatchRecord[]): Watcher {
    const watcher = new Watcher(spec, backlog, this.options.bound ?? 1000, (ended) => this.forget(ended))
    this.watchers.add(placeOf(spec), watcher)
    this.all.add(watcher)
    this.arm()
    return watcher
  }

  /**
   * A bookmark of the current revision: the watcher has received every change up to this revision, or has it in its
   * queue. The sender adds the kind.
   */
  bookmark(annotations?: Record<string, string>): WatchRecord {
    const metadata = { resourceVersion: String(this.store.revision), ...(annotations ? { annotations } : {}) }
    return { type: 'BOOKMARK', object: { apiVersion: '', kind: '', metadata } as unknown as KubeObject }
  }

  /** The changes after a revision, as this watch receives them. @throws {CompactedError} */
  backlogAfter(spec: WatchSpec, revision: number): WatchRecord[] {
    return this.store.changesAfter(spec.resource, revision).flatMap((event) => new ChangeRecords(event).for(spec) ?? [])
  }

  /** Ends matching watches, at once or after their queue is read. */
  endWhere(which: (spec: WatchSpec) => boolean, how: 'cut' | 'end' = 'end'): number {
    const found = [...this.all].filter(({ spec }) => which(spec))
    for (const watcher of found) watcher[how]()
    return found.length
  }

  close(): void {
    this.endWhere(() => true)
    this.timer?.cancel()
  }

  private dispatch(resource: string, event: StoreEvent): void {
    if (this.all.size === 0) return
    const records = new ChangeRecords(event)
    for (const place of this.placesOf(resource, event)) {
      // Copy the set, because the loop may remove a slow reader from it.
      for (const watcher of [...(this.watchers.get(place) ?? [])]) {
        const record = records.for(watcher.spec)
        if (record) watcher.push(record)
      }
    }
  }

  private placesOf(resource: string, { object, previous }: StoreEvent): Set<string> {
    const { name, namespace } = object.metadata
    const places = new Set([resource, `${resource} name=${name}`, `${resource} @${namespace ?? ''}`])
    const values = this.options.indexValues(resource)
    if (!values) return places
    for (const one of [object, previous])
      if (one) for (const [index, value] of Object.entries(values(one))) places.add(`${resource} ${index}=${value}`)
    return places
  }

  private forget(watcher: Watcher): void {
    this.watchers.remove(placeOf(watcher.spec), watcher)
    this.all.delete(watcher)
    if (this.all.size > 0) return
    this.timer?.cancel()
    this.timer = undefined
  }

  private arm(): void {
    this.timer ??= this.options.clock.after(bookmarkInterval, () => {
      this.timer = undefined
      for (const watcher of [...this.all]) if (watcher.spec.bookmarks) watcher.push(this.bookmark())
      if (this.all.size > 0) this.arm()
    })
  }
}
