import type { Clock, Timer } from '../../base/clock.ts'
import type { Change } from '../../kube/change.ts'
import type { Reflector } from '../../kube/reflector.ts'
import { type IpOwner, namespaceOf } from './ip-owner.ts'
import { Pace } from './pace.ts'

/** The part of a reflector that this module uses. */
export type AddressedReflector = Pick<Reflector<IpOwner>, 'synced' | 'waiting' | 'subscribe' | 'start' | 'stop'>

export type EgressSources = Record<'pods' | 'services' | 'slices', () => AddressedReflector>
export type Kind = keyof EgressSources

/** Objects by key, by namespace. */
export type Objects = Map<string, Map<string, IpOwner>>

/** One watched kind. */
interface Watch {
  reflector: AddressedReflector
  /** The whole first list was handled. */
  isComplete: boolean
  waiting: number
  /** The objects as of the last handled change. The reflector's store may be newer. */
  objects: Objects
}

/** All changes of one object since it was last handled, merged into one change. */
export interface Moved {
  kind: Kind
  namespace: string
  key: string
  before: IpOwner | undefined
  now: IpOwner | undefined
}

interface Waiting {
  kind: Kind
  watch: Watch
  key: string
  now: IpOwner | undefined
}

/**
 * The waiting changes of one namespace. Each namespace has its own lane, so that it does not wait for other namespaces.
 */
interface Lane {
  waiting: Map<string, Waiting>
  pace: Pace
}

/** Milliseconds between two checks whether all changes of the first list were handled. */
const LOOK = 20
/** Maximum changes of one namespace that are handled before the next namespace gets its turn. */
const AT_ONCE = 32

export interface WatchedKindsOptions {
  reflect: EgressSources
  clock: Clock
  /** Called when changes wait. */
  came(): void
  /** The whole first list was handled. */
  complete(kind: Kind): void
}

/** Watches the needed kinds of objects, and passes on their changes. It merges waiting changes of one object. */
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

  /** Number of namespaces that have waiting changes, or must wait before their next change (see `Pace`). */
  get lanes(): number {
    return this.#lanes.size
  }

  isComplete(kind: Kind): boolean {
    return this.#watched.get(kind)?.isComplete === true
  }

  objects(kind: Kind): Objects {
    return this.#watched.get(kind)?.objects ?? new Map()
  }

  get(kind: Kind, namespace: string, key: string): IpOwner | undefined {
    return this.#watched.get(kind)?.objects.get(namespace)?.get(key)
  }

  /** @returns kinds that are no longer watched */
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
   * Handles some waiting changes of each namespace that need not wait (see `Pace`).
   * @param handle yields its steps, and returns the steps to charge to the namespace of the object
   * @param isOver whether other work must run first
   * @returns when the next changes may be handled, in milliseconds since the epoch; infinity if no change waits
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
      // A namespace that did not get a turn keeps its place in the queue, so that it is first in the next round.
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
    const handle = (change: Change<IpOwner>): void => {
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

  #came(kind: Kind, watch: Watch, { type, key, object }: Change<IpOwner>): void {
    const namespace = namespaceOf(object)
    const lane = this.#lanes.get(namespace) ?? { waiting: new Map<string, Waiting>(), pace: new Pace() }
    this.#lanes.set(namespace, lane)
    const id = `${kind} ${key}`
    const known = lane.waiting.get(id)
    if (known !== undefined) known.watch.waiting--
    const now = type === 'deleted' ? undefined : object
    // Drop both changes if the object was created and deleted before it was handled. Otherwise a client that creates
    // and deletes objects under new names would fill the queue.
    if (now === undefined && watch.objects.get(namespace)?.has(key) !== true) lane.waiting.delete(id)
    else {
      lane.waiting.set(id, { kind, watch, key, now })
      watch.waiting++
    }
    this.#options.came()
  }

  /** Compares the object with its last handled state, because several changes may have been merged. */
  #taken(namespace: string, { kind, watch, key, now }: Waiting): Moved | undefined {
    if (this.#watched.get(kind) !== watch) return undefined
    const objects = watch.objects.get(namespace) ?? new Map<string, IpOwner>()
    const before = objects.get(key)
    if (now !== undefined) objects.set(key, now)
    else objects.delete(key)
    if (objects.size > 0) watch.objects.set(namespace, objects)
    else watch.objects.delete(namespace)
    if (before !== undefined && now !== undefined && isSame(before, now)) now.mark = before.mark
    return { kind, namespace, key, before, now }
  }
}

const isSame = (one: IpOwner, other: IpOwner): boolean =>
  one.beyond === other.beyond && JSON.stringify(one.groups) === JSON.stringify(other.groups)
