import type { KubeObject } from '../kube-object.ts'
import type { StoreEvent } from '../store/store-event.ts'
import type { WatchRecord } from './watch-record.ts'

/** What a watcher wants to see. */
export interface WatchSpec {
  readonly resource: string
  readonly namespace?: string | undefined
  /** A value that every object of interest has, in an index of the store or as `name`: spares the others the look. */
  readonly trigger?: { readonly index: string; readonly value: string } | undefined
  readonly bookmarks: boolean
  matches(object: KubeObject): boolean
}

/**
 * One watch: a bounded queue between the store, which never waits, and a reader that may be slow. A reader that falls
 * `bound` events behind is cut off, as the API server does; it comes back with the last version it saw.
 */
export class Watcher implements AsyncIterable<WatchRecord> {
  readonly spec: WatchSpec
  /** The events before it began: not counted against the bound, because they were there at once. */
  private backlog: Iterator<WatchRecord>
  private readonly bound: number
  private queue: WatchRecord[] = []
  private head = 0
  private ended = false
  private wake: (() => void) | undefined
  private readonly onEnd: (watcher: Watcher) => void

  constructor(spec: WatchSpec, backlog: Iterable<WatchRecord>, bound: number, onEnd: (watcher: Watcher) => void) {
    this.spec = spec
    this.backlog = backlog[Symbol.iterator]()
    this.bound = bound
    this.onEnd = onEnd
  }

  push(record: WatchRecord): void {
    if (this.ended) return
    if (this.queue.length - this.head >= this.bound) this.cut()
    else {
      this.queue.push(record)
      this.signal()
    }
  }

  /** Ends after what is queued has been read. */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.onEnd(this)
    this.signal()
  }

  /** Ends now; what is queued is lost. */
  cut(): void {
    this.backlog = [][Symbol.iterator]()
    this.queue = []
    this.head = 0
    this.end()
  }

  /** The next event, or undefined once the watch has ended. One reader at a time. */
  async next(): Promise<WatchRecord | undefined> {
    const old = this.backlog.next()
    if (!old.done) return old.value
    while (this.head >= this.queue.length) {
      if (this.ended) return undefined
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    const record = this.queue[this.head++]!
    if (this.head === this.queue.length || this.head > 1024) {
      this.queue = this.queue.slice(this.head)
      this.head = 0
    }
    return record
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchRecord> {
    try {
      for (let record = await this.next(); record; record = await this.next()) yield record
    } finally {
      this.end()
    }
  }

  private signal(): void {
    this.wake?.()
    this.wake = undefined
  }
}

/**
 * What a change is for a watcher: an object that begins to match is added, one that stops is deleted, with its last
 * matching state at the revision of the change. `gone` makes that state, once for all watchers.
 */
export function recordFor(spec: WatchSpec, event: StoreEvent, gone: () => KubeObject): WatchRecord | undefined {
  const matched = event.previous !== undefined && spec.matches(event.previous)
  const matches = event.type !== 'DELETED' && spec.matches(event.object)
  if (matches) return { type: matched ? 'MODIFIED' : 'ADDED', object: event.object }
  if (!matched) return undefined
  return { type: 'DELETED', object: event.type === 'DELETED' ? event.object : gone() }
}
