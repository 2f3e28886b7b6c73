import { deepFreeze, type KubeObject, withMetadata } from '../kube-object.ts'
import type { Status } from '../status.ts'
import type { ChangeType, StoreEvent } from '../store/history.ts'

/** One event as a watcher receives it, after the watcher's selectors. The object is shared and frozen. */
export type WatchRecord =
  | { readonly type: ChangeType | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: Status }

/** The selection of events for a watcher. */
export interface WatchSpec {
  readonly resource: string
  readonly namespace?: string | undefined
  /**
   * A value that every selected object has: the value of an index of the store, or the object's `name`. Objects with
   * other values are not checked.
   */
  readonly trigger?: { readonly index: string; readonly value: string } | undefined
  readonly bookmarks: boolean
  matches(object: KubeObject): boolean
}

/**
 * One watch: a bounded queue between the store, which never waits, and a reader that may be slow. As in the API server,
 * a reader that lags `bound` events behind is cut off, and reconnects with the last version that it received.
 */
export class Watcher implements AsyncIterable<WatchRecord> {
  readonly spec: WatchSpec
  /** The unread events. The events from before the watch come first, and do not count for the limit. */
  private queue: WatchRecord[]
  private head = 0
  private uncounted: number
  private readonly bound: number
  private ended = false
  private wake: (() => void) | undefined
  private readonly onEnd: (watcher: Watcher) => void

  constructor(spec: WatchSpec, backlog: WatchRecord[], bound: number, onEnd: (watcher: Watcher) => void) {
    this.spec = spec
    this.queue = backlog
    this.uncounted = backlog.length
    this.bound = bound
    this.onEnd = onEnd
  }

  push(record: WatchRecord): void {
    if (this.ended) return
    if (this.queue.length - Math.max(this.head, this.uncounted) >= this.bound) this.cut()
    else {
      this.queue.push(record)
      this.signal()
    }
  }

  /** Ends the watch after the queue has been read. */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.onEnd(this)
    this.signal()
  }

  /** Ends the watch now. The queue is lost. */
  cut(): void {
    this.forgetRead(this.queue.length)
    this.end()
  }

  /** The next event; undefined when the watch has ended. Only one reader may call it at a time. */
  async next(): Promise<WatchRecord | undefined> {
    while (this.head >= this.queue.length) {
      if (this.ended) return undefined
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    const record = this.queue[this.head++]!
    if (this.head === this.queue.length || this.head > 1024) this.forgetRead(this.head)
    return record
  }

  // Do not use a generator here: it creates several promises for each change, and thousands of watchers receive each
  // change.
  [Symbol.asyncIterator](): AsyncIterator<WatchRecord> {
    return {
      next: async () => {
        const value = await this.next()
        return value === undefined ? { done: true, value } : { done: false, value }
      },
      return: async () => {
        this.end()
        return { done: true, value: undefined }
      },
    }
  }

  private forgetRead(count: number): void {
    this.queue = this.queue.slice(count)
    this.uncounted = Math.max(0, this.uncounted - count)
    this.head = 0
  }

  private signal(): void {
    this.wake?.()
    this.wake = undefined
  }
}

/** The records of one change for all watchers. A record is created when the first watcher needs it. */
export class ChangeRecords {
  private readonly event: StoreEvent
  private readonly made = new Map<ChangeType, WatchRecord>()

  constructor(event: StoreEvent) {
    this.event = event
  }

  /**
   * The record for a watcher. If an object starts to match, the event is ADDED. If an object stops matching, the event
   * is DELETED, with the last matching state and the revision of the change.
   */
  for({ namespace, matches }: WatchSpec): WatchRecord | undefined {
    const { type, object, previous } = this.event
    if (namespace !== undefined && object.metadata.namespace !== namespace) return undefined
    const matched = previous !== undefined && matches(previous)
    if (type !== 'DELETED' && matches(object)) return this.record(matched ? 'MODIFIED' : 'ADDED')
    return matched ? this.record('DELETED') : undefined
  }

  private record(type: ChangeType): WatchRecord {
    const found = this.made.get(type)
    if (found) return found
    const record = { type, object: type === 'DELETED' ? lastMatching(this.event) : this.event.object }
    this.made.set(type, record)
    return record
  }
}

function lastMatching({ type, object, previous, revision }: StoreEvent): KubeObject {
  if (type === 'DELETED') return object
  return deepFreeze(withMetadata(previous!, { resourceVersion: String(revision) }))
}
