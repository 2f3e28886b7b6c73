import type { Clock, Timer } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { type KubeObject, keyOf } from '../api-server/kube-object.ts'
import type { WatchResponse } from '../api-server/request.ts'
import { ApiStatusError } from '../api-server/status.ts'
import type { WatchRecord } from '../api-server/watch/watch-record.ts'
import { backoff } from './backoff.ts'
import type { ClusterClient } from './cluster-client.ts'
import { type Change, InformerStore } from './informer-store.ts'
import type { Resource } from './resources.ts'

export interface InformerOptions<T extends KubeObject> {
  readonly client: ClusterClient
  readonly resource: Resource<T>
  readonly clock: Clock
  readonly random: Random
  /** Which of the objects. */
  readonly fieldSelector?: string
  readonly failed: (what: string, error: unknown) => void
}

/** A server sends bookmarks each minute: a watch that is silent for longer is dead without knowing it. Milliseconds. */
const longestSilence = 150_000

interface Waiter {
  readonly version: number
  wake(): void
}

/** Keeps a copy of the objects of a resource, and tells of each change. It lists once, watches, and comes back after any failure. */
export class Informer<T extends KubeObject> {
  readonly store = new InformerStore<T>()
  private readonly options: InformerOptions<T>
  private readonly handlers: ((change: Change<T>) => void)[] = []
  private waiters: Waiter[] = []
  private version = -1
  private stopped = false
  private failures = 0
  private watching: WatchResponse | undefined
  private pause: Timer | undefined
  private heard = 0

  constructor(options: InformerOptions<T>) {
    this.options = options
  }

  /** Handlers are called in the order in which they were added, at once with each change. */
  onChange(handler: (change: Change<T>) => void): void {
    this.handlers.push(handler)
  }

  start(): void {
    void this.run()
  }

  stop(): void {
    this.stopped = true
    this.watching?.close()
    this.pause?.cancel()
    for (const { wake } of this.waiters) wake()
    this.waiters = []
  }

  /** Resolves once the copy is of this version or a newer one, or the informer was stopped. */
  async reached(version: number): Promise<void> {
    if (this.version >= version || this.stopped) return
    await new Promise<void>((wake) => this.waiters.push({ version, wake }))
  }

  /** Resolves once there is a copy. */
  synced(): Promise<void> {
    return this.reached(0)
  }

  private async run(): Promise<void> {
    let listed = false
    while (!this.stopped) {
      try {
        if (!listed) await this.list()
        listed = true
        await this.watch()
        this.failures = 0
      } catch (error) {
        const expired = isExpired(error)
        if (expired) listed = false
        // One list after a watch that is too old is no failure; the same again and again is.
        if (!expired || this.failures++ > 0) await this.rest(error)
      }
    }
  }

  private async rest(error: unknown): Promise<void> {
    if (this.stopped) return
    this.options.failed(`watch ${this.options.resource.plural}`, error)
    const { clock, random } = this.options
    const delay = backoff(this.failures++, { shortest: 50, longest: 30_000 }, random)
    await new Promise<void>((resolve) => {
      this.pause = clock.after(delay, resolve)
    })
  }

  private async list(): Promise<void> {
    const { client, resource, fieldSelector } = this.options
    const { items, resourceVersion } = await client.list(resource, fieldSelector ? { fieldSelector } : {})
    if (this.stopped) return
    const gone = new Set(this.store.keys())
    for (const item of items) {
      gone.delete(keyOf(item))
      this.take(item)
    }
    for (const key of gone) this.drop(key)
    this.advance(Number(resourceVersion))
  }

  /** Follows the changes until the server ends the watch; the next one goes on from here. */
  private async watch(): Promise<void> {
    const { client, resource, fieldSelector, clock, random } = this.options
    const watch = await client.watch(resource, {
      resourceVersion: String(this.version),
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(Math.round(300 * (1 + random()))),
      ...(fieldSelector ? { fieldSelector } : {}),
    })
    if (this.stopped) watch.close()
    this.watching = watch
    this.heard = clock.now()
    const started = this.heard
    let records = 0
    const watchdog = this.guard(watch)
    try {
      for await (const record of watch.events) {
        if (this.stopped) return
        records++
        this.observe(record)
      }
      if (records === 0 && clock.now() === started && !this.stopped) throw new Error('The watch ended as it began')
    } finally {
      watchdog()
      watch.close()
    }
  }

  private guard(watch: WatchResponse): () => void {
    const { clock } = this.options
    let timer: Timer
    const look = (): void => {
      const left = this.heard + longestSilence - clock.now()
      if (left <= 0) watch.close()
      else timer = clock.after(left, look)
    }
    timer = clock.after(longestSilence, look)
    return () => timer.cancel()
  }

  private observe(record: WatchRecord): void {
    this.heard = this.options.clock.now()
    if (record.type === 'ERROR') throw new ApiStatusError(record.object)
    const object = record.object as T
    if (record.type === 'DELETED') this.drop(keyOf(object))
    else if (record.type !== 'BOOKMARK') this.take(object)
    this.advance(Number(object.metadata.resourceVersion))
  }

  private take(object: T): void {
    const known = this.store.get(keyOf(object))
    if (known?.metadata.resourceVersion === object.metadata.resourceVersion) return
    // Another object under the same name: the one that handlers know is gone.
    if (known && known.metadata.uid !== object.metadata.uid) this.drop(keyOf(object))
    this.tell(this.store.set(object))
  }

  private drop(key: string): void {
    const change = this.store.remove(key)
    if (change) this.tell(change)
  }

  private tell(change: Change<T>): void {
    for (const handler of this.handlers) handler(change)
  }

  private advance(version: number): void {
    if (version <= this.version) return
    this.version = version
    if (this.waiters.length === 0) return
    const due = this.waiters.filter((waiter) => waiter.version <= version)
    this.waiters = this.waiters.filter((waiter) => waiter.version > version)
    for (const { wake } of due) wake()
  }
}

const isExpired = (error: unknown): boolean => error instanceof ApiStatusError && error.status.code === 410
