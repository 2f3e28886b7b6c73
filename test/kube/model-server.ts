import { ApiError } from '../../src/kube/api-error.ts'
import type { ObjectList } from '../../src/kube/objects.ts'
import type { ReflectorSource } from '../../src/kube/reflector.ts'
import type { ListOptions, WatchOptions } from '../../src/kube/requests.ts'
import type { WatchSink } from '../../src/kube/watch-stream.ts'
import { type Thing, thing } from './harness.ts'

interface Past {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  version: number
  object: Thing
}

interface Watch {
  sink: WatchSink<Thing>
  end(error?: unknown): void
  /** Half open: events no longer arrive, and no error reports it. */
  mute: boolean
}

const expired = (verb: string): ApiError =>
  new ApiError(
    410,
    { kind: 'Status', reason: 'Expired', message: 'too old resource version', code: 410 },
    { verb, path: '' },
  )

/**
 * The part of an API server that a reflector uses, in memory: objects with versions, their history, and watches. A test
 * can cause every fault of a real server.
 */
export class ModelServer implements ReflectorSource<Thing> {
  version = 10
  lists = 0
  watchesStarted = 0
  /** Errors of the next lists. */
  listFaults: unknown[] = []
  /** Errors of the next watches. */
  watchFaults: unknown[] = []
  /** Sends every event twice, and the previous event again before it. */
  repeats = false
  pageSize: number | undefined
  readonly #objects = new Map<string, Thing>()
  #history: Past[] = []
  #compacted = 0
  readonly #watches = new Set<Watch>()
  #generation = 0

  get state(): Map<string, Thing> {
    return new Map(this.#objects)
  }

  get watches(): number {
    return this.#watches.size
  }

  set(name: string, value: number): Thing {
    const known = this.#objects.get(name)
    this.version++
    const object = thing(name, this.version, { value })
    object.metadata.uid = known?.metadata.uid ?? `${name}-${++this.#generation}`
    this.#objects.set(name, object)
    this.#happen({ type: known === undefined ? 'ADDED' : 'MODIFIED', version: this.version, object })
    return object
  }

  remove(name: string): void {
    const known = this.#objects.get(name)
    if (known === undefined) return
    this.version++
    this.#objects.delete(name)
    const object = structuredClone(known)
    object.metadata.resourceVersion = String(this.version)
    this.#happen({ type: 'DELETED', version: this.version, object })
  }

  /** Forgets the history, so that a client without a running watch must list again. */
  compact(): void {
    this.#compacted = this.version
    this.#history = []
  }

  /** Ends all watches, with an error or as a server normally ends them. */
  endWatches(error?: unknown): void {
    for (const watch of [...this.#watches]) watch.end(error)
  }

  muteWatches(): void {
    for (const watch of this.#watches) watch.mute = true
  }

  bookmark(): void {
    for (const { sink, mute } of this.#watches) if (!mute) sink.bookmark?.(String(this.version))
  }

  async list(options: ListOptions): Promise<ObjectList<Thing>> {
    this.lists++
    const fault = this.listFaults.shift()
    if (fault !== undefined) throw fault
    const all = [...this.#objects.values()].map((object) => structuredClone(object))
    const limit = this.pageSize === undefined || options.limit === undefined ? all.length : this.pageSize
    if (options.continue === undefined) return this.#page(all, 0, limit, this.version)
    const [version = 0, from = 0] = options.continue.split(':').map(Number)
    // All pages must show the state of the first page. The model keeps no old states, so later pages expire after a
    // change.
    if (version !== this.version) throw expired('list')
    return this.#page(all, from, limit, version)
  }

  #page(all: Thing[], from: number, limit: number, version: number): ObjectList<Thing> {
    const to = Math.min(all.length, from + limit)
    const next = to < all.length ? { continue: `${version}:${to}` } : {}
    return { metadata: { resourceVersion: String(version), ...next }, items: all.slice(from, to) }
  }

  watch(options: WatchOptions, sink: WatchSink<Thing>, signal: AbortSignal): Promise<void> {
    this.watchesStarted++
    const from = Number(options.resourceVersion)
    const fault = this.watchFaults.shift() ?? (from < this.#compacted ? expired('watch') : undefined)
    if (fault !== undefined) return Promise.reject(fault)
    return new Promise((resolve, reject) => {
      const end = (error?: unknown) => {
        if (!this.#watches.delete(watch)) return
        signal.removeEventListener('abort', onAbort)
        if (error === undefined) resolve()
        else reject(error)
      }
      const onAbort = () => end(signal.reason)
      const watch: Watch = { sink, end, mute: false }
      this.#watches.add(watch)
      signal.addEventListener('abort', onAbort, { once: true })
      sink.opened?.()
      for (const past of this.#history) if (past.version > from) this.#send(watch, past)
    })
  }

  #happen(past: Past): void {
    this.#history.push(past)
    for (const watch of [...this.#watches]) this.#send(watch, past)
  }

  #send(watch: Watch, { type, object, version }: Past): void {
    if (watch.mute) return
    const say = (past: Pick<Past, 'type' | 'object'>) => {
      watch.sink.alive?.()
      watch.sink.changed(past.type, structuredClone(past.object))
    }
    try {
      say({ type, object })
      if (!this.repeats) return
      say({ type, object })
      const before = this.#history.findLast((past) => past.version < version)
      if (before !== undefined) say(before)
    } catch (error) {
      watch.end(error)
    }
  }
}
