import { Backoff } from '../base/backoff.ts'
import { type Clock, sleep, systemClock } from '../base/clock.ts'
import { whyOutlined } from '../base/left-out.ts'
import type { Random } from '../base/random.ts'
import { linkedController } from './abort.ts'
import type { Unfit } from './answers.ts'
import { ApiError, ConnectionError, isExpired } from './api-error.ts'
import type { Change } from './change.ts'
import type { ApiClient } from './client.ts'
import { type Handler, HandlerQueue } from './handler-queue.ts'
import { isTooLong, type ListWay, listOptions, nextWay, PageSize } from './list-plan.ts'
import { type KubeObject, keyOf, type ObjectList, type ResourceRef } from './objects.ts'
import { guarded, type ReflectorObserver } from './reflector-observer.ts'
import { checkTransition, type ReflectorState } from './reflector-state.ts'
import { BadEvent, Replica } from './replica.ts'
import type { ListOptions, WatchOptions } from './requests.ts'
import { Quota, type RoomOptions } from './room.ts'
import { type IndexFunction, Store, type StoreView } from './store.ts'
import type { WatchSink } from './watch-stream.ts'

/** The source of a reflector's objects. */
export interface ReflectorSource<T> {
  /** Reads a page. `unfit`: its unusable objects. */
  list(options: ListOptions, signal: AbortSignal): Promise<ObjectList<T> & { unfit?: readonly Unfit[] }>
  watch(options: WatchOptions, sink: WatchSink<T>, signal: AbortSignal): Promise<void>
}

/** The source of the objects of a kind that match the selectors, in one namespace or in all. */
export function clientSource<T extends KubeObject>(
  client: ApiClient,
  ref: ResourceRef<T>,
  which: Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'> = {},
): ReflectorSource<T> {
  return {
    // The first page gets one attempt, because the reflector retries. Later pages are retried here, because it would
    // cost more to start the whole list again.
    list: (options, signal) => {
      const attempts = options.continue === undefined ? 1 : undefined
      return client.listFit(ref, { ...which, ...options, signal, deadline: 60_000, attempts })
    },
    watch: (options, sink, signal) => client.watch(ref, { ...which, ...options }, sink, signal),
  }
}

export interface ReflectorOptions<T> {
  source: ReflectorSource<T>
  clock?: Clock
  random?: Random
  observer?: ReflectorObserver
  indexes?: Readonly<Record<string, IndexFunction<T>>>
  /**
   * Shrinks objects before they are stored, such as withoutManagedFields. It must not change name, namespace, uid and
   * version.
   */
  transform?: (object: T) => T
  /**
   * Limits the store. While the store has outlines, a list follows each watch, because other objects may have freed
   * room meanwhile.
   */
  room?: RoomOptions<T> | undefined
  timing?: Partial<ReflectorTiming>
}

/** All times are in milliseconds. */
export interface ReflectorTiming {
  /** First and longest delay after a failure. Defaults 800 and 30,000, as in client-go. */
  backoffFirst: number
  backoffLongest: number
  /**
   * After a watch of at least this time, the server counts as healthy, and delays start from the first again. Default
   * 5,000.
   */
  healthyAfter: number
  /** Maximum time until the answer to a watch starts. Default 30,000. */
  opensWithin: number
  /**
   * A watch without a byte for this time counts as broken. A server sends a bookmark each minute. If a server sends no
   * bookmarks because no object changes, a new watch costs a request, but no list. Default 150,000.
   */
  inactivity: number
  /**
   * The reflector asks the server to end a watch after a random time between `watchTime` and twice `watchTime`, as in
   * client-go. Default 300,000.
   */
  watchTime: number
}

const defaultTiming: ReflectorTiming = {
  backoffFirst: 800,
  backoffLongest: 30_000,
  healthyAfter: 5_000,
  opensWithin: 30_000,
  inactivity: 150_000,
  watchTime: 300_000,
}

/** A watch received no bytes for too long. The server may be gone. */
export class InactiveWatch extends Error {
  override readonly name = 'InactiveWatch'
}

/** The server's history differs from the history that we know. */
class OtherHistory extends Error {
  override readonly name = 'OtherHistory'
}

/**
 * Keeps a store equal to the server's state, and calls handlers with every change. After each failure it waits (with
 * increasing delays up to 30 s) and continues from its last version. It lists objects only at the start, when the
 * server no longer has that version or sends unreadable data, and while the store has outlines.
 */
export class Reflector<T extends KubeObject> {
  readonly store: StoreView<T>
  /** Resolves to true when the store has the first list, or to false if the reflector was stopped before. */
  readonly synced: Promise<boolean>
  #source: ReflectorSource<T>
  #clock: Clock
  #random: Random
  #observer: ReflectorObserver
  #transform: ((object: T) => T) | undefined
  #timing: ReflectorTiming
  #store: Store<T>
  #replica: Replica<T>
  #room: Quota<T> | undefined
  #queues = new Set<HandlerQueue<T>>()
  #backoff: Backoff
  #state: ReflectorState = 'idle'
  #mustList = true
  #way: ListWay = 'cache'
  #settle!: (synced: boolean) => void
  #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: ReflectorOptions<T>) {
    const {
      source,
      clock = systemClock,
      random = Math.random,
      observer = {},
      indexes,
      transform,
      timing,
      room,
    } = options
    this.#source = source
    this.#clock = clock
    this.#random = random
    this.#observer = guarded(observer)
    this.#transform = transform
    this.#timing = { ...defaultTiming, ...timing }
    this.#store = new Store<T>(indexes, (index, key, error) => this.#observer.indexFailed?.(index, key, error))
    this.store = this.#store
    this.#room = room && new Quota(room)
    this.#replica = new Replica(this.#store, this.#room)
    const { backoffFirst: first, backoffLongest: max } = this.#timing
    this.#backoff = new Backoff({ first, max, random })
    this.synced = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  get state(): ReflectorState {
    return this.#state
  }

  /** The version up to which all changes are known. */
  get resourceVersion(): string | undefined {
    return this.#replica.version
  }

  /** Number of objects that are kept only as an outline, or not at all, because they do not fit. */
  get outlines(): number {
    return this.#room?.outlines ?? 0
  }

  /** Whether another object of the namespace fits, at least as an outline. */
  takesMore(namespace: string): boolean {
    return this.#room?.takesMore(namespace) ?? true
  }

  /** Whether the namespace has too many objects, so that the store may be incomplete. */
  isIncomplete(namespace: string): boolean {
    return this.#room?.isIncomplete(namespace) ?? false
  }

  /** Number of waiting changes, by handler. */
  get depths(): Record<string, number> {
    return Object.fromEntries(Array.from(this.#queues, ({ handler, depth }) => [handler.name, depth]))
  }

  /** Number of waiting changes of all handlers. */
  get waiting(): number {
    let waiting = 0
    for (const { depth } of this.#queues) waiting += depth
    return waiting
  }

  /**
   * Calls the handler with all existing objects, as `added`, and with every later change.
   * @returns a function that ends the subscription
   */
  subscribe(handler: Handler<T>): () => void {
    if (this.#state === 'stopped') throw new Error(`The reflector is stopped; ${handler.name} would wait for ever`)
    const queue = new HandlerQueue(handler, this.#observer)
    this.#queues.add(queue)
    for (const [key, object] of entries(this.#store)) queue.push({ type: 'added', key, object })
    return () => {
      queue.stop()
      this.#queues.delete(queue)
    }
  }

  start(): void {
    if (this.#state !== 'idle') throw new Error(`The reflector is ${this.#state}; it can be started only once`)
    this.#running = this.#run()
  }

  /**
   * Stops everything: afterwards no timer, listener or connection remains, and no handler is called. The store stays
   * readable.
   */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('The reflector was stopped'))
    for (const queue of this.#queues) queue.stop()
    await this.#running
    if (this.#state !== 'stopped') this.#become('stopped')
    this.#settle(false)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const delay = this.#mustList ? await this.#list() : await this.#watch()
      if (delay === undefined || signal.aborted) continue
      this.#become('waiting')
      await sleep(this.#clock, delay, signal).catch(onlyAbort(signal))
    }
    this.#become('stopped')
  }

  /** Reads a list. @returns the milliseconds to wait, or undefined to continue at once */
  async #list(): Promise<number | undefined> {
    this.#become('listing')
    const way = this.#way
    try {
      const { objects, version, room } = await this.#readList(way)
      const changes = this.#replica.replace(objects, version, room)
      for (const change of changes) this.#deliver(change)
      this.#observer.listed?.({ way, objects: objects.size, changes: changes.length })
    } catch (error) {
      this.#way = nextWay(way, error)
      return this.#delayAfter(error)
    }
    this.#mustList = false
    this.#way = 'known'
    this.#settle(true)
    return undefined
  }

  async #readList(way: ListWay): Promise<{ objects: Map<string, T>; version: string; room: Quota<T> | undefined }> {
    const objects = new Map<string, T>()
    const pages = new PageSize()
    const room = this.#room?.emptied()
    const unfit: Unfit[] = []
    let options = listOptions(way, this.#replica.version)
    for (;;) {
      const page = await this.#readPage(options, way, pages)
      unfit.push(...(page.unfit ?? []))
      for (const item of page.items) {
        const key = keyOf(item)
        if (key === '' || !item.metadata?.resourceVersion)
          throw new BadEvent(`a list has an object without ${key ? 'version' : 'name'}: ${key}`)
        const listed = this.#listed(key, item, room)
        if (listed !== undefined) objects.set(key, listed)
      }
      const { continue: next, resourceVersion: version } = page.metadata
      if (next) options = { continue: next }
      else if (version) {
        if (unfit[0] !== undefined) this.#keepKnown(unfit, objects, room)
        return { objects, version, room }
      } else throw new BadEvent('a list does not have the resourceVersion from which a watch must start')
    }
  }

  /** Keeps the last known state of unreadable objects, because they still exist. */
  #keepKnown(unfit: readonly Unfit[], objects: Map<string, T>, room: Quota<T> | undefined): void {
    for (const { key } of unfit) {
      const known = this.#store.get(key)
      if (known !== undefined) objects.set(key, room?.fit(known, true) ?? known)
    }
    this.#observer.unfit?.(unfit.length, unfit[0]?.why ?? '')
  }

  /**
   * Reuses the stored object if its version is unchanged, so that a list does not double the memory of the store.
   * @param room the quota that this list uses
   */
  #listed(key: string, item: T, room: Quota<T> | undefined): T | undefined {
    const known = this.#store.get(key)
    const { uid, resourceVersion } = item.metadata ?? {}
    const isKnown = known?.metadata?.uid === uid && known?.metadata?.resourceVersion === resourceVersion
    const made = isKnown && known !== undefined && whyOutlined(known) === undefined ? known : this.#made(item)
    return room === undefined ? made : room.fit(made, known !== undefined)
  }

  /** Reads a page. If the list is paged, the page has as many objects as fit into an answer. */
  async #readPage(options: ListOptions, way: ListWay, pages: PageSize): ReturnType<ReflectorSource<T>['list']> {
    const isPaged = way === 'paged' || options.continue !== undefined
    for (;;) {
      try {
        const asked = isPaged ? { ...options, limit: pages.size } : options
        const page = await this.#source.list(asked, this.#stop.signal)
        pages.grow()
        return page
      } catch (error) {
        if (!isPaged || !isTooLong(error) || !pages.shrink()) throw error
      }
    }
  }

  /** Watches. @returns the milliseconds to wait before the next step */
  async #watch(): Promise<number> {
    this.#become('connecting')
    const { controller, release } = linkedController(this.#stop.signal)
    const guard = new InactivityGuard(this.#clock, this.#timing, (error) => controller.abort(error))
    try {
      await this.#source.watch(this.#watchOptions(), this.#sink(guard), controller.signal)
      this.#mustList = this.outlines > 0
      return this.#delayAfterWatch(guard.lasted)
    } catch (error) {
      this.#mustList = losesPlace(error) || this.outlines > 0
      return this.#delayAfterWatch(guard.lasted, error)
    } finally {
      guard.end()
      release()
    }
  }

  #watchOptions(): WatchOptions {
    const timeoutSeconds = Math.round((this.#timing.watchTime * (1 + this.#random())) / 1000)
    return { resourceVersion: this.#replica.version, allowWatchBookmarks: true, timeoutSeconds }
  }

  #sink(guard: InactivityGuard): WatchSink<T> {
    return {
      opened: () => {
        guard.opened()
        this.#become('watching')
      },
      alive: () => guard.alive(),
      changed: (type, object) => {
        const made = this.#made(object)
        const change = this.#replica.event(type, made)
        if (change === undefined) this.#observer.ignored?.(keyOf(made))
        else this.#deliver(change)
      },
      bookmark: (version) => {
        if (this.#replica.bookmark(version)) return
        throw new OtherHistory(
          `the server sent a bookmark of version ${version}, but version ${this.#replica.version} is known already`,
        )
      },
    }
  }

  #delayAfterWatch(lasted: number, error?: unknown): number {
    if (lasted < this.#timing.healthyAfter) return this.#delayAfter(error)
    this.#backoff.reset()
    // Spread the new watches, because all watches end at the same moment when a server restarts.
    const delay = Math.max(this.#timing.backoffFirst * this.#random(), retryAfter(error))
    if (error !== undefined && !this.#stop.signal.aborted) this.#observer.failed?.(error, delay)
    return delay
  }

  #delayAfter(error: unknown): number {
    const delay = Math.max(this.#backoff.next(), retryAfter(error))
    if (error !== undefined && !this.#stop.signal.aborted) this.#observer.failed?.(error, delay)
    return delay
  }

  #made(object: T): T {
    if (this.#transform === undefined) return object
    const before = { ...object, metadata: { ...object.metadata } }
    try {
      const made = this.#transform(object)
      for (const field of ['name', 'namespace', 'uid', 'resourceVersion'] as const)
        if (made.metadata?.[field] !== before.metadata[field]) throw new TypeError(`the transform changed ${field}`)
      return made
    } catch (error) {
      this.#observer.transformFailed?.(keyOf(before), error)
      return before
    }
  }

  #deliver(change: Change<T>): void {
    for (const queue of this.#queues) queue.push(change)
  }

  #become(state: ReflectorState): void {
    const before = this.#state
    checkTransition(before, state)
    this.#state = state
    this.#observer.state?.(state, before)
  }
}

/**
 * Aborts a watch that does not open in time, or that receives no bytes for too long. Arriving bytes only set a time,
 * because it would cost more to restart a timer for each chunk.
 */
class InactivityGuard {
  #clock: Clock
  #timing: ReflectorTiming
  #abort: (error: InactiveWatch) => void
  #timer: { cancel(): void }
  #openedAt: number | undefined
  #aliveAt = 0

  constructor(clock: Clock, timing: ReflectorTiming, abort: (error: InactiveWatch) => void) {
    this.#clock = clock
    this.#timing = timing
    this.#abort = abort
    this.#timer = clock.after(timing.opensWithin, () =>
      abort(new InactiveWatch(`no answer to a watch within ${timing.opensWithin} ms`)),
    )
  }

  /** Milliseconds since the watch opened; 0 if it has not opened. */
  get lasted(): number {
    return this.#openedAt === undefined ? 0 : this.#clock.now() - this.#openedAt
  }

  opened(): void {
    this.#timer.cancel()
    this.#openedAt = this.#clock.now()
    this.alive()
    this.#arm(this.#timing.inactivity)
  }

  alive(): void {
    this.#aliveAt = this.#clock.now()
  }

  end(): void {
    this.#timer.cancel()
  }

  #arm(delay: number): void {
    this.#timer = this.#clock.after(delay, () => {
      const left = this.#aliveAt + this.#timing.inactivity - this.#clock.now()
      if (left > 0) this.#arm(left)
      else this.#abort(new InactiveWatch(`nothing came from a watch for ${this.#timing.inactivity} ms`))
    })
  }
}

/** Whether a new list is needed, because a new watch from the last version would also fail. */
function losesPlace(error: unknown): boolean {
  if (isExpired(error) || error instanceof BadEvent || error instanceof OtherHistory) return true
  return error instanceof ConnectionError && (error.code === 'NOT_JSON' || error.code === 'TOO_LARGE')
}

const retryAfter = (error: unknown): number => (error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0)

const onlyAbort = (signal: AbortSignal) => (error: unknown) => {
  if (!signal.aborted) throw error
}

function* entries<T extends KubeObject>(store: StoreView<T>): Iterable<[string, T]> {
  for (const key of store.keys()) yield [key, store.get(key)!]
}
