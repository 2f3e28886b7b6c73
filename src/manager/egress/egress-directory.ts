import { targetText } from '../../api/egress-target.ts'
import type { EgressAddresses, EgressTarget } from '../../api/types.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'
import { Filling, needs, targetKinds } from './filling.ts'
import { countOf } from './found-addresses.ts'
import { HeldTargets } from './held-targets.ts'
import { InTurns } from './in-turns.ts'
import { Moves } from './moves.ts'
import { type DirectoryTenant, isRefused, isTarget, type Profile, type ProfileTarget, Tenants } from './profiles.ts'
import { PUBLISHED_ADDRESSES, Quota, TARGET_MEMORY } from './room.ts'
import { SharedFound } from './shared-found.ts'
import { type EgressSources, WatchedKinds } from './watched-kinds.ts'
import { withinRoom } from './within-room.ts'

export type { AddressedReflector, EgressSources } from './watched-kinds.ts'

export interface EgressDirectoryOptions {
  /** Create reflectors. The directory starts a reflector when it needs the kind. */
  reflect: EgressSources
  /** Called with the key of an ArmorProfile whose addresses may have changed. */
  changed(profile: string): void
  clock: Clock
  /** Milliseconds to gather changes before reporting them together. Default 250. */
  settle?: number
  /** Milliseconds between two attempts to admit left-out targets. Default 30,000. */
  retry?: number
  /** Maximum bytes of all targets. Default: `TARGET_MEMORY`. */
  memory?: number
  /** Maximum addresses in all ArmorProfiles. Default: `PUBLISHED_ADDRESSES`. */
  published?: number
  /** Called after each turn with its number of steps. */
  turned?: (steps: number) => void
}

/** The owner of an ArmorProfile's targets, and their version. */
export interface WantedBy {
  /** Namespace of the policy; empty for a cluster policy. Default: the namespace of the ArmorProfile. */
  namespace?: string
  /** If the version has not changed, the targets are not compared with the old targets. */
  version?: string
}

/** After this number of targets or profiles, the next tenant gets its turn. */
const PARTS_AT_ONCE = 32
/** After this number of steps, the next kind of work gets its turn. */
const STEPS_OF_KIND = 16_384

/**
 * Finds the addresses of the Pods and Services that the rules of policies select. It watches a kind of object only
 * while an ArmorProfile needs the kind. All work runs as one job in short turns; `want` may add or remove profiles
 * between two turns.
 */
export class EgressDirectory {
  readonly #options: EgressDirectoryOptions
  readonly #profiles = new Map<string, Profile>()
  readonly #tenants = new Tenants()
  readonly #held: HeldTargets
  readonly #watched: WatchedKinds
  readonly #moves: Moves
  readonly #filling: Filling
  /** Targets whose objects have changed. They wait until `settle` has passed. */
  readonly #dirty = new Set<ProfileTarget>()
  /** Tenants that have profiles to admit, and tenants that have addresses to find. */
  readonly #arriving = new Set<DirectoryTenant>()
  readonly #busy = new Set<DirectoryTenant>()
  /** Profiles with left-out targets. */
  readonly #refused = new Set<Profile>()
  readonly #found = new SharedFound()
  readonly #memory: Quota
  readonly #published: Quota
  readonly #work: InTurns
  #settling: Timer | undefined
  #retry: Timer | undefined
  /** Whether memory or addresses were freed since the last attempt to admit left-out targets. */
  #isReleased = false
  #stopped = false

  constructor(options: EgressDirectoryOptions) {
    const { reflect, clock, memory, published, turned } = options
    this.#options = options
    this.#memory = new Quota(memory ?? TARGET_MEMORY)
    this.#published = new Quota(published ?? PUBLISHED_ADDRESSES)
    this.#work = new InTurns(() => this.#jobs(), { clock, turned })
    this.#watched = new WatchedKinds({
      ...{ reflect, clock },
      came: () => this.#work.wake(),
      complete: () => this.#work.wake(),
    })
    this.#held = new HeldTargets({
      memory: this.#memory,
      released: () => {
        this.#isReleased = true
      },
      lost: (target, profiles) => this.#lost(target, profiles),
      orphaned: (target) => this.#findSoon(target),
      ended: (target) => {
        this.#dirty.delete(target)
        this.#found.drop(target)
      },
    })
    const parts = { watched: this.#watched, held: this.#held, clock, steps: () => this.#work.steps }
    this.#moves = new Moves({ ...parts, changed: (target) => this.#changed(target) })
    this.#filling = new Filling({ ...parts, moves: this.#moves, filled: (target) => this.#filled(target) })
  }

  /** Number of ArmorProfiles with targets. */
  get profiles(): number {
    return this.#profiles.size
  }

  /** The watched kinds. */
  get watched(): readonly string[] {
    return this.#watched.kinds
  }

  /** Totals over all ArmorProfiles. `lists`: lists of addresses, which targets may share. */
  get held(): Readonly<Record<'targets' | 'bytes' | 'published' | 'lists' | 'tenants', number>> {
    return {
      targets: this.#held.size,
      bytes: this.#memory.taken,
      published: this.#published.taken,
      lists: this.#found.size,
      tenants: this.#tenants.size,
    }
  }

  /** Sets the targets of an ArmorProfile. Pass no targets for a deleted ArmorProfile. */
  want(key: string, targets: readonly EgressTarget[] = [], by: WantedBy = {}): void {
    const { namespace = key.slice(0, Math.max(0, key.indexOf('/'))), version } = by
    const known = this.#profiles.get(key)
    if (known !== undefined && (targets.length === 0 || known.tenant.namespace !== namespace)) this.#forget(known)
    if (targets.length === 0) return
    const profile = this.#profiles.get(key) ?? this.#profileOf(key, namespace)
    const isKnown = version !== undefined && version === profile.version
    const isSame = isKnown || sameTexts(profile.wanted, targets)
    // Keep the new array even if it is equal, so that the old object can be freed.
    profile.wanted = targets
    profile.version = version
    if (!isSame) this.#arrive(profile)
  }

  /** The addresses of the ArmorProfile's targets. Undefined while they are unknown; empty without targets. */
  addressesOf(key: string): readonly EgressAddresses[] | undefined {
    const profile = this.#profiles.get(key)
    if (profile === undefined) return []
    const { found, wanted, entries, isAdmitted } = profile
    if (!isAdmitted || found === undefined) return undefined
    const targets = entries.filter(isTarget)
    const cost = targets.reduce((sum, { value }) => sum + value!.cost, 0)
    // The targets have grown beyond the limit. A job will decide which addresses this ArmorProfile gets.
    if (found === 'whole' && cost > MAX_EGRESS_ADDRESSES) return undefined
    const fitted = found === 'whole' ? targets.map(({ value }) => value!) : found
    let at = 0
    return entries.map((entry, i): EgressAddresses => {
      const target = targetText(wanted[i]!)
      if (!isTarget(entry)) return { target, groups: [], leftOut: entry }
      if (fitted === 'no room') return { target, groups: [], leftOut: 'room' }
      const { groups, omitted } = fitted[at++]!
      return { target, groups: [...groups], ...(omitted > 0 && { omitted }) }
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#work.stop()
    this.#settling?.cancel()
    this.#retry?.cancel()
    await this.#watched.stop()
  }

  #profileOf(key: string, namespace: string): Profile {
    const tenant = this.#tenants.join(namespace)
    const profile: Profile = {
      ...{ key, tenant, version: undefined, wanted: [], entries: [] },
      ...{ isAdmitted: false, found: undefined, published: 0 },
    }
    this.#profiles.set(key, profile)
    return profile
  }

  #arrive(profile: Profile): void {
    profile.isAdmitted = false
    profile.tenant.arrivals.add(profile)
    this.#arriving.add(profile.tenant)
    this.#work.wake()
  }

  #forget(profile: Profile): void {
    const { key, tenant, entries, published } = profile
    for (const all of [tenant.arrivals, tenant.stale, this.#refused]) all.delete(profile)
    this.#profiles.delete(key)
    profile.isAdmitted = false
    profile.entries = []
    for (const entry of entries) if (isTarget(entry)) this.#held.leave(entry, profile)
    this.#giveBack(tenant, published)
    profile.published = 0
    this.#tenants.leave(tenant, this.#options.clock.now())
    this.#watchWhatIsNeeded()
  }

  /** Does all work that is due. @returns when the next work is due, in milliseconds since the epoch */
  *#jobs(): Generator<number, number | undefined> {
    const { clock } = this.#options
    for (;;) {
      let start = this.#work.steps
      const isOver = (): boolean => this.#work.steps - start > STEPS_OF_KIND
      const changed = yield* this.#watched.handle((moved) => this.#moves.handle(moved), isOver)
      start = this.#work.steps
      const admitted = yield* this.#forTenants(this.#arriving, isOver, (tenant) => this.#admitNext(tenant))
      yield* this.#filling.some()
      start = this.#work.steps
      const found = yield* this.#forTenants(this.#busy, isOver, (tenant) => this.#findNext(tenant))
      const next = Math.min(changed, admitted, found, this.#filling.readyAt)
      if (next > clock.now()) return Number.isFinite(next) ? next : undefined
    }
  }

  /**
   * Does some work for each tenant that need not wait (see `Pace`).
   * @param work handles one target or profile, and returns whether the tenant has more work
   * @returns the time of the next work, in milliseconds since the epoch
   */
  *#forTenants(
    tenants: Set<DirectoryTenant>,
    isOver: () => boolean,
    work: (tenant: DirectoryTenant) => Generator<number, boolean>,
  ): Generator<number, number> {
    const { clock } = this.#options
    let next = Number.POSITIVE_INFINITY
    for (const tenant of [...tenants]) {
      const { pace } = tenant
      let hasMore = true
      let left = PARTS_AT_ONCE
      for (; hasMore && left > 0 && !isOver() && pace.readyAt <= clock.now(); left--) {
        const before = this.#work.steps
        hasMore = yield* work(tenant)
        pace.spend(this.#work.steps - before, clock.now())
      }
      // A tenant that did not get a turn keeps its place in the queue, so that it is first in the next round.
      if (left < PARTS_AT_ONCE) tenants.delete(tenant)
      if (!hasMore) continue
      tenants.add(tenant)
      next = Math.min(next, pace.readyAt)
    }
    return next
  }

  // Targets of profiles

  *#admitNext({ arrivals }: DirectoryTenant): Generator<number, boolean> {
    const [profile] = arrivals
    if (profile === undefined) return false
    arrivals.delete(profile)
    yield this.#admit(profile)
    return true
  }

  #admit(profile: Profile): number {
    let steps = 1
    const before = profile.entries
    const looked = (others: number): void => {
      steps += others / 8
    }
    profile.entries = profile.wanted.map((wanted) => {
      steps += 8
      return this.#held.enter(profile, wanted, looked)
    })
    for (const entry of before) if (isTarget(entry)) this.#held.leave(entry, profile)
    profile.isAdmitted = true
    profile.found = undefined
    this.#noteRefused(profile)
    this.#watchWhatIsNeeded()
    if (isFilled(profile)) this.#resolveSoon(profile)
    return steps
  }

  #lost(target: ProfileTarget, profiles: ReadonlySet<Profile>): void {
    for (const profile of profiles) {
      profile.entries = profile.entries.map((entry) => (entry === target ? 'room' : entry))
      if (!profile.isAdmitted) continue
      profile.found = undefined
      this.#noteRefused(profile)
      if (isFilled(profile)) this.#resolveSoon(profile)
    }
    this.#watchWhatIsNeeded()
  }

  #giveBack(tenant: DirectoryTenant, addresses: number): void {
    if (addresses === 0) return
    this.#published.give(tenant, addresses)
    this.#isReleased = true
  }

  #noteRefused(profile: Profile): void {
    if (!isRefused(profile)) this.#refused.delete(profile)
    else this.#refused.add(profile)
    if (this.#refused.size > 0) this.#retryLater()
  }

  /**
   * Schedules another attempt to admit left-out targets. If memory or addresses were not freed meanwhile, it does
   * nothing.
   */
  #retryLater(): void {
    const { clock, retry = 30_000 } = this.#options
    if (this.#stopped || this.#retry !== undefined) return
    this.#retry = clock.after(retry, () => {
      this.#retry = undefined
      const isReleased = this.#isReleased
      this.#isReleased = false
      if (isReleased) for (const profile of this.#refused) this.#arrive(profile)
      if (this.#refused.size > 0) this.#retryLater()
    })
  }

  #watchWhatIsNeeded(): void {
    if (this.#stopped) return
    const needed = targetKinds.filter((kind) => this.#held.countOf(kind) > 0).flatMap((kind) => needs[kind])
    const ended = this.#watched.need(new Set(needed))
    if (ended.includes('slices')) this.#moves.forgetSlices()
  }

  // Addresses of targets

  #changed(target: ProfileTarget): void {
    this.#dirty.add(target)
    this.#settling ??= this.#options.clock.after(this.#options.settle ?? 250, () => {
      this.#settling = undefined
      for (const one of this.#dirty) this.#findSoon(one)
      this.#dirty.clear()
      this.#work.wake()
    })
  }

  /** Schedules the search as work of the tenant that may work first, because it is done soonest there. */
  #findSoon(target: ProfileTarget): void {
    const [first, ...others] = target.tenants
    if (first === undefined) return
    const tenant = others.reduce((least, one) => (one.pace.readyAt < least.pace.readyAt ? one : least), first)
    tenant.due.add(target)
    this.#busy.add(tenant)
  }

  #filled(target: ProfileTarget): void {
    for (const profile of target.users) if (profile.isAdmitted && isFilled(profile)) this.#resolveSoon(profile)
  }

  #resolveSoon(profile: Profile): void {
    profile.tenant.stale.add(profile)
    this.#busy.add(profile.tenant)
  }

  // Addresses of profiles

  *#findNext(tenant: DirectoryTenant): Generator<number, boolean> {
    const { due, stale } = tenant
    const [target] = due
    const [profile] = stale
    if (target !== undefined) {
      due.delete(target)
      yield* this.#find(target, tenant)
      for (const user of target.users) this.#resolveSoon(user)
      yield target.users.length
    } else if (profile !== undefined) {
      stale.delete(profile)
      yield* this.#resolve(profile)
    }
    return due.size + stale.size > 0
  }

  /**
   * @param payer the tenant whose turn this is: the caller charges it. This method charges the other tenants that use
   * the target.
   */
  *#find(target: ProfileTarget, payer: DirectoryTenant): Generator<number, void> {
    const before = this.#work.steps
    yield* this.#found.find(target)
    const steps = this.#work.steps - before
    for (const tenant of target.tenants) if (tenant !== payer) tenant.pace.spend(steps, this.#options.clock.now())
  }

  *#resolve(profile: Profile): Generator<number, void> {
    const { entries, tenant } = profile
    const targets = entries.filter(isTarget)
    for (const target of targets) if (target.value === undefined) yield* this.#find(target, tenant)
    // False if meanwhile the profile was changed or deleted, or lost a target.
    const isSame = (): boolean => profile.isAdmitted && profile.entries === entries
    if (!isSame()) return
    const fitted = yield* withinRoom(targets)
    if (!isSame()) return
    const lists = fitted === 'whole' ? targets.map(({ value }) => value!) : fitted
    const count = lists.reduce((sum, { groups }) => sum + countOf(groups), 0)
    const hasRoom = this.#published.take(tenant, Math.max(0, count - profile.published))
    const published = hasRoom ? count : 0
    this.#giveBack(tenant, Math.max(0, profile.published - published))
    profile.published = published
    profile.found = hasRoom ? fitted : 'no room'
    this.#noteRefused(profile)
    this.#options.changed(profile.key)
  }
}

const sameTexts = (some: readonly EgressTarget[], others: readonly EgressTarget[]): boolean =>
  some.length === others.length && some.every((one, i) => targetText(one) === targetText(others[i]!))

const isFilled = ({ entries }: Profile): boolean => entries.every((entry) => !isTarget(entry) || entry.isFilled)
