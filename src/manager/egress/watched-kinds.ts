import type { Clock, Timer } from '../../base/clock.ts'
import type { Change } from '../../kube/change.ts'
import type { Reflector } from '../../kube/reflector.ts'
import { type Addressed, namespaceOf } from './addressed.ts'
import { Pace } from './pace.ts'

/** Of a reflector, what is used here. */
export type AddressedReflector = Pick<Reflector<Addressed>, 'synced' | 'waiting' | 'subscribe' | 'start' | 'stop'>

export type EgressSources = Record<'pods' | 'services' | 'slices', () => AddressedReflector>
export type Kind = keyof EgressSources

/** By namespace and key. */
export type Objects = Map<string, Map<string, Addressed>>

/** One kind that is watched. */
interface Watch {
  reflector: AddressedReflector
  /** All of the first list was handled. */
  isComplete: boolean
  waiting: number
  /** What was handled. The store of the reflector is ahead of that, and of what came and went again there are no changes. */
  objects: Objects
}

/** What became of one object, since it was handled last. */
export interface Moved {
  kind: Kind
  namespace: string
  key: string
  before: Addressed | undefined
  now: Addressed | undefined
}

interface Waiting {
  kind: Kind
  watch: Watch
  key: string
  now: Addressed | undefined
}

/** Changes of one namespace, for which others do not wait. */
interface Lane {
  waiting: Map<string, Waiting>
  pace: Pace
}

/** How often it is looked whether all of the first list was handled, in milliseconds. */
const LOOK = 20
/** Changes of one namespace that are handled before others have their turn. */
const AT_ONCE = 32

export interface WatchedKindsOptions {
  reflect: EgressSources
  clock: Clock
  /** Something waits to be handled. */
  came(): void
  /** All of the first list was handled. */
  complete(kind: Kind): void
}

/** The kinds that are watched, and their changes: those of one object are one, and those of one namespace wait for none of another. */
export class WatchedKinds {
  readonly #options: WatchedKindsOptions
  readonly #watched = new Map<Kind, Watch>()
  readonly #lanes = new Map<string, Lane>()
  readonly #looks = new Set<Timer>()
  #stopped = false
  #ending: Promise<void>[] = []

  constructor(options: WatchedKindsOptions) {
    this.#options = options
  }

  get kinds(): readonly Kind[] {
    return [...this.#watched.keys()]
  }

  /** Namespaces whose changes wait, or rest. */
  get lanes(): number {
    return this.#lanes.size
  }

  isComplete(kind: Kind): boolean {
    return this.#watched.get(kind)?.isComplete === true
  }

  objects(kind: Kind): Objects {
    return this.#watched.get(kind)?.objects ?? new Map()
  }

  get(kind: Kind, namespace: string, key: string): Addressed | undefined {
    return this.#watched.get(kind)?.objects.get(namespace)?.get(key)
  }

  /** @returns kinds that are not watched any more */
  need(needed: ReadonlySet<Kind>): Kind[] {
    for (const kind of needed) if (!this.#watched.has(kind)) this.#watch(kind)
    const ended = this.kinds.filter((kind) => !needed.has(kind))
    for (const kind of ended) {
      const { reflector } = this.#watched.get(kind)!
      this.#watched.delete(kind)
      const ending = reflector.stop().finally(() => {
        this.#ending = this.#ending.filter((one) => one !== ending)
      })
      this.#ending.push(ending)
    }
    return ended
  }

  /**
   * Has changes handled, some of each namespace that does not rest.
   * @param handle yields steps, and returns how many the change has caused beside its own
   * @param isOver others are to have their turn
   * @returns when more may be handled, in milliseconds since the epoch; infinity when nothing waits
   */
  *handle(
    handle: (moved: Moved) => Generator<number, number>,
    isOver: () => boolean = () => false,
  ): Generator<number, number> {
    const { clock } = this.#options
    let next = Number.POSITIVE_INFINITY
    for (const [namespace, lane] of [...this.#lanes]) {
      const { waiting, pace } = lane
      let left = AT_ONCE
      for (const [id, one] of waiting) {
        if (left-- === 0 || isOver() || pace.readyAt > clock.now()) break
        waiting.delete(id)
        one.watch.waiting--
        const moved = this.#taken(namespace, one)
        yield 4
        if (moved !== undefined) pace.spend(yield* handle(moved), clock.now())
      }
      if (waiting.size > 0) next = Math.min(next, pace.readyAt)
      // Who had no turn is first in the next one.
      if (left < AT_ONCE) this.#lanes.delete(namespace)
      if (waiting.size > 0 || pace.readyAt > clock.now()) this.#lanes.set(namespace, lane)
      else this.#lanes.delete(namespace)
    }
    return next
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#looks) timer.cancel()
    for (const { reflector } of this.#watched.values()) this.#ending.push(reflector.stop())
    this.#watched.clear()
    await Promise.all(this.#ending)
  }

  #watch(kind: Kind): void {
    const reflector = this.#options.reflect[kind]()
    const watch: Watch = { reflector, isComplete: false, waiting: 0, objects: new Map() }
    this.#watched.set(kind, watch)
    const handle = (change: Change<Addressed>): void => {
      if (this.#watched.get(kind) === watch) this.#came(kind, watch, change)
    }
    reflector.subscribe({ name: 'egress', handle })
    reflector.start()
    void reflector.synced.then((synced) => {
      if (synced) this.#complete(kind, watch)
    })
  }

  #complete(kind: Kind, watch: Watch): void {
    if (this.#stopped || this.#watched.get(kind) !== watch) return
    if (watch.reflector.waiting + watch.waiting > 0) {
      const timer = this.#options.clock.after(LOOK, () => {
        this.#looks.delete(timer)
        this.#complete(kind, watch)
      })
      this.#looks.add(timer)
      return
    }
    watch.isComplete = true
    this.#options.complete(kind)
  }

  #came(kind: Kind, watch: Watch, { type, key, object }: Change<Addressed>): void {
    const namespace = namespaceOf(object)
    const lane = this.#lanes.get(namespace) ?? { waiting: new Map<string, Waiting>(), pace: new Pace() }
    this.#lanes.set(namespace, lane)
    const id = `${kind} ${key}`
    const known = lane.waiting.get(id)
    if (known !== undefined) known.watch.waiting--
    const now = type === 'deleted' ? undefined : object
    // What came and went before it was handled is nothing: names that are used once would wait without a bound.
    if (now === undefined && watch.objects.get(namespace)?.has(key) !== true) lane.waiting.delete(id)
    else {
      lane.waiting.set(id, { kind, watch, key, now })
      watch.waiting++
    }
    this.#options.came()
  }

  /** Changes that came together are one: what was handled is older than what the last one says of the time before. */
  #taken(namespace: string, { kind, watch, key, now }: Waiting): Moved | undefined {
    if (this.#watched.get(kind) !== watch) return undefined
    const objects = watch.objects.get(namespace) ?? new Map<string, Addressed>()
    const before = objects.get(key)
    if (now !== undefined) objects.set(key, now)
    else objects.delete(key)
    if (objects.size > 0) watch.objects.set(namespace, objects)
    else watch.objects.delete(namespace)
    if (before !== undefined && now !== undefined && isSame(before, now)) now.mark = before.mark
    return { kind, namespace, key, before, now }
  }
}

const isSame = (one: Addressed, other: Addressed): boolean =>
  one.beyond === other.beyond && JSON.stringify(one.groups) === JSON.stringify(other.groups)
