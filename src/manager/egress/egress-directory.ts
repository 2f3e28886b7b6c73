import { targetText } from '../../api/egress-target.ts'
import type { EgressAddresses, EgressTarget } from '../../api/types.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Change } from '../../kube/change.ts'
import type { Reflector } from '../../kube/reflector.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'
import { type Addressed, namespaceOf, serviceOf } from './addressed.ts'
import { fairShares, sums } from './fair-shares.ts'
import { TargetIndex } from './target-index.ts'
import { countOf, TargetMembers } from './target-members.ts'

/** Of a reflector, what is used here. */
export type AddressedReflector = Pick<Reflector<Addressed>, 'synced' | 'waiting' | 'subscribe' | 'start' | 'stop'>

export type EgressSources = Record<'pods' | 'services' | 'slices', () => AddressedReflector>

export interface EgressDirectoryOptions {
  /** Makes a reflector, which is started here once somebody needs it. */
  reflect: EgressSources
  /** Called with the key of an ArmorProfile whose addresses may be others now. */
  changed(profile: string): void
  clock: Clock
  /** Milliseconds that changes are waited for, so that what comes together is said together. Default 250. */
  settle?: number
  /** Milliseconds until those of whom there are more than are kept are looked at again. Default 30,000. */
  rescan?: number
}

type Kind = keyof EgressSources

/** Kinds that a target of a kind needs. */
const needs: Record<EgressTarget['kind'], readonly Kind[]> = {
  pods: ['pods'],
  service: ['services', 'slices'],
  services: ['services', 'slices'],
}

/** How often it is looked whether all of the first list has come, in milliseconds. */
const LOOK = 20

/** One kind that is watched. */
interface Watch {
  reflector: AddressedReflector
  /** All of the first list has come. */
  isComplete: boolean
  /** What has come, by key. The store of the reflector is ahead of its changes, and of what came and went again there are none. */
  objects: Map<string, Addressed>
}

/**
 * Where the Pods and Services are that rules of policies mean. It watches a kind as long as an ArmorProfile has a target of it, and
 * not at all where none has. What it knows is a cache: one that begins anew comes to the same.
 */
export class EgressDirectory {
  readonly #options: EgressDirectoryOptions
  readonly #targets = new Map<string, TargetMembers>()
  readonly #byProfile = new Map<string, readonly TargetMembers[]>()
  readonly #index = { pods: new TargetIndex(), service: new TargetIndex(), services: new TargetIndex() }
  readonly #byName = new Map<string, TargetMembers>()
  readonly #watched = new Map<Kind, Watch>()
  /** By the key of their Service. */
  readonly #slices = new Map<string, Map<string, Addressed>>()
  readonly #looks = new Set<Timer>()
  readonly #dirty = new Set<string>()
  #settling: Timer | undefined
  #rescan: Timer | undefined
  #stopped = false
  #ending: Promise<void>[] = []

  constructor(options: EgressDirectoryOptions) {
    this.#options = options
  }

  /** ArmorProfiles that have targets. */
  get profiles(): number {
    return this.#byProfile.size
  }

  /** Kinds that are watched. */
  get watched(): readonly string[] {
    return [...this.#watched.keys()]
  }

  /** These are the targets of the ArmorProfile of the key; none, where it is gone or has none. */
  want(profile: string, targets: readonly EgressTarget[] = []): void {
    const before = this.#byProfile.get(profile) ?? []
    if (before.map(({ text }) => text).join('\n') === targets.map(targetText).join('\n')) return
    const now = targets.map((target) => this.#targetOf(target))
    for (const target of now) target.users.add(profile)
    if (now.length > 0) this.#byProfile.set(profile, now)
    else this.#byProfile.delete(profile)
    for (const target of before) if (!now.includes(target)) this.#leave(target, profile)
    this.#watchWhatIsNeeded()
    this.#changedFor([profile])
  }

  /**
   * The addresses of its targets; undefined as long as they are not known. None for one without targets. Of too many, each namespace has a
   * fair share, so that what somebody makes in his keeps none of others out.
   */
  addressesOf(profile: string): readonly EgressAddresses[] | undefined {
    const targets = this.#byProfile.get(profile) ?? []
    if (targets.some((target) => !this.#isKnown(target))) return undefined
    const all = targets.map((target) => target.addresses())
    if (countOf(all.flatMap(({ groups }) => groups)) <= MAX_EGRESS_ADDRESSES) return all
    const wanted = sums(targets.flatMap((target) => [...target.counts()]))
    const room = fairShares(wanted, MAX_EGRESS_ADDRESSES)
    return targets.map((target) => target.share(room))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#settling?.cancel()
    this.#rescan?.cancel()
    for (const timer of this.#looks) timer.cancel()
    for (const { reflector } of this.#watched.values()) this.#ending.push(reflector.stop())
    this.#watched.clear()
    await Promise.all(this.#ending)
  }

  #targetOf(target: EgressTarget): TargetMembers {
    const text = targetText(target)
    const known = this.#targets.get(text)
    if (known !== undefined) return known
    const made = new TargetMembers(target)
    this.#targets.set(text, made)
    this.#index[target.kind].add(made)
    if (target.kind === 'service') this.#byName.set(`${target.namespace}/${target.name}`, made)
    if (this.#isKnown(made)) this.#scan(made)
    return made
  }

  #leave(target: TargetMembers, profile: string): void {
    target.users.delete(profile)
    if (target.users.size > 0) return
    const { kind, namespace, name } = target.target
    this.#targets.delete(target.text)
    this.#index[kind].delete(target)
    if (kind === 'service') this.#byName.delete(`${namespace}/${name}`)
  }

  #isKnown({ target }: TargetMembers): boolean {
    return needs[target.kind].every((kind) => this.#watched.get(kind)?.isComplete === true)
  }

  #watchWhatIsNeeded(): void {
    const needed = new Set(Array.from(this.#targets.values(), ({ target }) => needs[target.kind]).flat())
    for (const kind of needed) if (!this.#watched.has(kind)) this.#watch(kind)
    for (const [kind, { reflector }] of this.#watched) {
      if (needed.has(kind)) continue
      this.#watched.delete(kind)
      if (kind === 'slices') this.#slices.clear()
      const ending = reflector.stop().finally(() => {
        this.#ending = this.#ending.filter((one) => one !== ending)
      })
      this.#ending.push(ending)
    }
  }

  #watch(kind: Kind): void {
    const reflector = this.#options.reflect[kind]()
    const watch: Watch = { reflector, isComplete: false, objects: new Map() }
    this.#watched.set(kind, watch)
    const handle = (change: Change<Addressed>): void => {
      if (this.#watched.get(kind) === watch) this.#took(kind, watch, change)
    }
    reflector.subscribe({ name: 'egress', handle })
    reflector.start()
    void reflector.synced.then((synced) => {
      if (synced) this.#complete(kind, watch)
    })
  }

  #complete(kind: Kind, watch: Watch): void {
    if (this.#stopped || this.#watched.get(kind) !== watch) return
    if (watch.reflector.waiting > 0) {
      const timer = this.#options.clock.after(LOOK, () => {
        this.#looks.delete(timer)
        this.#complete(kind, watch)
      })
      this.#looks.add(timer)
      return
    }
    watch.isComplete = true
    for (const target of this.#targets.values())
      if (needs[target.target.kind].includes(kind) && this.#isKnown(target)) {
        this.#scan(target)
        this.#changedFor(target.users)
      }
  }

  #service(key: string): Addressed | undefined {
    return this.#watched.get('services')?.objects.get(key)
  }

  #took(kind: Kind, { objects }: Watch, change: Change<Addressed>): void {
    const { key, object } = change
    // Changes that came together are one: what was known here is older than what that says of the time before.
    const before = objects.get(key)
    if (change.type === 'deleted') objects.delete(key)
    else objects.set(key, object)
    const now = change.type === 'deleted' ? undefined : object
    const labels = [object, ...(before === undefined ? [] : [before])].map(labelsOf)
    if (kind === 'pods') this.#place(this.#index.pods, labels, `pods ${key}`, now, undefined)
    else if (kind === 'slices') {
      // One that is of another Service now is no longer of that.
      if (before !== undefined && serviceOf(before) !== serviceOf(object))
        this.#placeSlice(key, before, undefined, labels)
      this.#placeSlice(key, object, now, labels)
    } else this.#placeService(key, now, labels)
  }

  #placeService(key: string, now: Addressed | undefined, labels: readonly Labels[]): void {
    this.#placeOf(key, labels, `services ${key}`, now)
    // Who means a Service means what is behind it.
    for (const [name, slice] of this.#slices.get(key) ?? [])
      this.#placeSlice(name, slice, slice, [...labels, labelsOf(slice)])
  }

  #placeSlice(key: string, object: Addressed, now: Addressed | undefined, labels: readonly Labels[]): void {
    const service = serviceOf(object)
    if (service === undefined) return
    this.#keepSlice(service, key, now)
    const ofService = this.#service(service)
    const all = ofService === undefined ? labels : [...labels, labelsOf(ofService)]
    this.#placeOf(service, all, `slices ${key}`, now)
  }

  #keepSlice(service: string, key: string, now: Addressed | undefined): void {
    const known = this.#slices.get(service) ?? new Map<string, Addressed>()
    if (now === undefined) known.delete(key)
    else known.set(key, now)
    if (known.size > 0) this.#slices.set(service, known)
    else this.#slices.delete(service)
  }

  /** Of what is, or belongs to, the Service of the key. */
  #placeOf(service: string, labels: readonly Labels[], key: string, now: Addressed | undefined): void {
    const named = this.#byName.get(service)
    if (named?.set(key, now) === true) this.#changedFor(named.users)
    this.#place(this.#index.services, labels, key, now, service)
  }

  #place(
    index: TargetIndex,
    labels: readonly Labels[],
    key: string,
    now: Addressed | undefined,
    service: string | undefined,
  ): void {
    const targets = new Set<TargetMembers>()
    for (const one of labels) index.collect(one, targets)
    for (const target of targets) {
      const means = now !== undefined && this.#means(target, now, service)
      if (target.set(key, means ? now : undefined)) this.#changedFor(target.users)
    }
    if (this.#anyIsFull(targets)) this.#rescanLater()
  }

  /** @param service of what is a Service or belongs to one */
  #means(target: TargetMembers, object: Addressed, service: string | undefined): boolean {
    const namespace = namespaceOf(object)
    if (object.groups.length === 0) return false
    const name = service?.slice(service.indexOf('/') + 1)
    if (target.matches(namespace, labelsOf(object), name)) return true
    const owner = service === undefined ? undefined : this.#service(service)
    return owner !== undefined && target.matches(namespace, labelsOf(owner), name)
  }

  #scan(target: TargetMembers): void {
    target.replace(this.#membersOf(target))
    if (target.isFull) this.#rescanLater()
  }

  *#membersOf(target: TargetMembers): Iterable<readonly [string, Addressed]> {
    for (const kind of needs[target.target.kind])
      for (const [key, object] of this.#watched.get(kind)?.objects ?? []) {
        const service = kind === 'pods' ? undefined : kind === 'services' ? key : serviceOf(object)
        if (kind === 'slices' && service === undefined) continue
        if (this.#means(target, object, service)) yield [`${kind} ${key}`, object]
      }
  }

  #anyIsFull(targets: Iterable<TargetMembers>): boolean {
    for (const { isFull } of targets) if (isFull) return true
    return false
  }

  #rescanLater(): void {
    if (this.#stopped) return
    this.#rescan ??= this.#options.clock.after(this.#options.rescan ?? 30_000, () => {
      this.#rescan = undefined
      for (const target of this.#targets.values()) {
        if (!target.isFull || !this.#isKnown(target)) continue
        this.#scan(target)
        this.#changedFor(target.users)
      }
    })
  }

  #changedFor(profiles: Iterable<string>): void {
    if (this.#stopped) return
    for (const profile of profiles) this.#dirty.add(profile)
    this.#settling ??= this.#options.clock.after(this.#options.settle ?? 250, () => {
      this.#settling = undefined
      const dirty = [...this.#dirty]
      this.#dirty.clear()
      for (const profile of dirty) this.#options.changed(profile)
    })
  }
}

type Labels = Readonly<Record<string, string>>

const labelsOf = ({ metadata }: Addressed): Labels => metadata?.labels ?? {}
