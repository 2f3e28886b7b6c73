import { type EgressLeftOut, MAX_TARGET_TEXT } from '../../api/egress-left-out.ts'
import { targetText } from '../../api/egress-target.ts'
import { type Labels, plainSelector } from '../../api/label-selector.ts'
import type { EgressAddresses, EgressTarget } from '../../api/types.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'
import { hasRoom } from './conditions.ts'
import { countOf } from './found-addresses.ts'
import { InTurns } from './in-turns.ts'
import { type IpOwner, serviceOf } from './ip-owner.ts'
import {
  type DirectoryTenant,
  type Entry,
  isRefused,
  isTarget,
  type Profile,
  type ProfileTarget,
  Tenants,
} from './profiles.ts'
import { PUBLISHED_ADDRESSES, Quota, type Shared, TARGET_MEMORY } from './room.ts'
import { SharedFound } from './shared-found.ts'
import { Target, USE_BYTES } from './target.ts'
import { TargetIndex } from './target-index.ts'
import { spendFor, Unfilled } from './unfilled.ts'
import { type EgressSources, type Kind, type Moved, WatchedKinds } from './watched-kinds.ts'
import { withinRoom } from './within-room.ts'

export type { AddressedReflector, EgressSources } from './watched-kinds.ts'

export interface EgressDirectoryOptions {
  /** Creates a reflector, which is started here on first use. */
  reflect: EgressSources
  /** Called with the key of an ArmorProfile whose addresses may have changed. */
  changed(profile: string): void
  clock: Clock
  /** Milliseconds to gather changes before reporting them together. Default 250. */
  settle?: number
  /** Milliseconds until left-out targets are tried again. Default 30,000. */
  retry?: number
  /** Bytes for all targets, and addresses for all ArmorProfiles. Defaults: `TARGET_MEMORY`, `PUBLISHED_ADDRESSES`. */
  memory?: number
  published?: number
  /** Called after each turn with its number of steps. */
  turned?: (steps: number) => void
}

/** The owner of targets. */
export interface WantedBy {
  /** Namespace of the policy; empty for a cluster policy. Default: the namespace of the ArmorProfile. */
  namespace?: string
  /** Equal versions mean equal targets, which are then not compared. */
  version?: string
}

/** Kinds that a target needs. */
const needs: Record<EgressTarget['kind'], readonly Kind[]> = {
  pods: ['pods'],
  service: ['services', 'slices'],
  services: ['services', 'slices'],
}
const targetKinds = Object.keys(needs) as EgressTarget['kind'][]

/**
 * Units of work for one tenant before other tenants' turn, and steps of one kind of work before another kind's turn.
 */
const PARTS_AT_ONCE = 32
const STEPS_OF_KIND = 16_384
/** Maximum lost targets of a tenant with a known size. */
const MAX_LOST = 1_024
/** Steps between two yields. */
const STEPS = 512

/** An object, and its Service. */
interface Placed {
  object: IpOwner
  owner?: IpOwner | undefined
  /** Name of the Service that it is, or belongs to. */
  service?: string | undefined
}

/**
 * Finds the addresses of the Pods and Services that policies' rules select. It watches a kind only while an
 * ArmorProfile has a target of it. Its state is a cache: a new directory reaches the same state. Jobs run one after the
 * other, in turns. Only jobs change what targets select, so each job sees the result of the one before; profiles may
 * come and go at any time.
 */
export class EgressDirectory {
  readonly #options: EgressDirectoryOptions
  readonly #profiles = new Map<string, Profile>()
  readonly #tenants = new Tenants()
  readonly #targets = new Map<string, ProfileTarget>()
  readonly #index = {
    pods: new TargetIndex<Profile>(),
    service: new TargetIndex<Profile>(),
    services: new TargetIndex<Profile>(),
  }
  readonly #count = { pods: 0, service: 0, services: 0 }
  readonly #byName = new Map<string, ProfileTarget>()
  readonly #watched: WatchedKinds
  /** EndpointSlices by the key of their Service. */
  readonly #slices = new Map<string, Map<string, IpOwner>>()
  /** Targets whose objects were not searched yet. */
  readonly #unfilled = { pods: new Unfilled(), service: new Unfilled(), services: new Unfilled() }
  /** Targets with changed objects, until changes have settled. */
  readonly #dirty = new Set<ProfileTarget>()
  /** Tenants with profiles to admit, and tenants with addresses to find. */
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
  /** Room was freed since left-out targets were last tried. */
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
  }

  /** Number of ArmorProfiles with targets. */
  get profiles(): number {
    return this.#profiles.size
  }

  /** The watched kinds. */
  get watched(): readonly string[] {
    return this.#watched.kinds
  }

  /** What is held for all ArmorProfiles together. */
  get held(): Readonly<Record<'targets' | 'bytes' | 'published' | 'lists' | 'tenants', number>> {
    return {
      targets: this.#targets.size,
      bytes: this.#memory.taken,
      published: this.#published.taken,
      lists: this.#found.size,
      tenants: this.#tenants.size,
    }
  }

  /** Sets the targets of an ArmorProfile; none if it is gone or has none. */
  want(key: string, targets: readonly EgressTarget[] = [], by: WantedBy = {}): void {
    const { namespace = key.slice(0, Math.max(0, key.indexOf('/'))), version } = by
    const known = this.#profiles.get(key)
    if (known !== undefined && (targets.length === 0 || known.tenant.namespace !== namespace)) this.#forget(known)
    if (targets.length === 0) return
    const profile = this.#profiles.get(key) ?? this.#profileOf(key, namespace)
    const isKnown = version !== undefined && version === profile.version
    const isSame = isKnown || sameTexts(profile.wanted, targets)
    // Do not keep the old object next to the new one.
    profile.wanted = targets
    profile.version = version
    if (!isSame) this.#arrive(profile)
  }

  /** The addresses of its targets; undefined while unknown. None for an ArmorProfile without targets. */
  addressesOf(key: string): readonly EgressAddresses[] | undefined {
    const profile = this.#profiles.get(key)
    if (profile === undefined) return []
    const { found, wanted, entries, isAdmitted } = profile
    if (!isAdmitted || found === undefined) return undefined
    const targets = entries.filter(isTarget)
    const cost = targets.reduce((sum, { value }) => sum + value!.cost, 0)
    // They have grown: its part of them is computed soon.
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
    for (const entry of entries) if (isTarget(entry)) this.#leave(entry, profile)
    this.#giveBack(this.#published, tenant, published)
    profile.published = 0
    this.#tenants.leave(tenant, this.#options.clock.now())
    this.#watchWhatIsNeeded()
  }

  /** All current work. @returns the time of the next work, in milliseconds since the epoch */
  *#jobs(): Generator<number, number | undefined> {
    const { clock } = this.#options
    for (;;) {
      let start = this.#work.steps
      const isOver = (): boolean => this.#work.steps - start > STEPS_OF_KIND
      const changed = yield* this.#watched.handle((moved) => this.#moved(moved), isOver)
      start = this.#work.steps
      const admitted = yield* this.#forTenants(this.#arriving, isOver, (tenant) => this.#admitNext(tenant))
      yield* this.#fillSome()
      start = this.#work.steps
      const found = yield* this.#forTenants(this.#busy, isOver, (tenant) => this.#findNext(tenant))
      const filled = this.#fillable().map((kind) => this.#unfilled[kind].readyAt)
      const next = Math.min(changed, admitted, found, ...filled)
      if (next > clock.now()) return Number.isFinite(next) ? next : undefined
    }
  }

  /**
   * Does some work for each tenant that is not resting.
   * @param work does a part, and returns whether there is more
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
      // A tenant without a turn comes first in the next round.
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
      return this.#enter(profile, wanted, looked)
    })
    for (const entry of before) if (isTarget(entry)) this.#leave(entry, profile)
    profile.isAdmitted = true
    profile.found = undefined
    this.#noteRefused(profile)
    this.#watchWhatIsNeeded()
    if (isFilled(profile)) this.#resolveSoon(profile)
    return steps
  }

  #enter(profile: Profile, wanted: EgressTarget, looked: (others: number) => void): Entry {
    const { tenant } = profile
    const selector = plainSelector(wanted.kind === 'service' ? {} : (wanted.selector ?? {}))
    const key = targetText({ ...wanted, selector })
    if (key.length > MAX_TARGET_TEXT) return 'selector'
    const known = this.#targets.get(key)
    const target = known ?? new Target<Profile>(wanted, key, selector)
    if (!this.#memory.take(tenant, USE_BYTES)) return 'room'
    const why = target.tenants.includes(tenant) ? undefined : this.#whyNot(target, tenant, looked)
    if (why !== undefined) {
      this.#memory.give(tenant, USE_BYTES)
      return why
    }
    target.users.push(profile)
    if (known === undefined) this.#begin(target)
    return target
  }

  /** Why the tenant cannot have the target; undefined if it has it now. */
  #whyNot(target: ProfileTarget, tenant: DirectoryTenant, looked: (others: number) => void): EgressLeftOut | undefined {
    if (!hasRoom(target, tenant, this.#index[target.kind], looked)) return 'conditions'
    const shared = sharedBy(target.tenants)
    const needed = Math.max(target.bytes, tenant.lost.get(target.key) ?? 0)
    if (!this.#memory.take(tenant, needed, shared)) return 'room'
    this.#memory.give(tenant, needed - target.bytes, shared)
    tenant.lost.delete(target.key)
    target.tenants.push(tenant)
    return undefined
  }

  #begin(target: ProfileTarget): void {
    const { kind, namespace, name, key } = target
    this.#targets.set(key, target)
    this.#count[kind]++
    this.#index[kind].add(target)
    if (kind === 'service') this.#byName.set(`${namespace}/${name}`, target)
    this.#unfilled[kind].add(target)
  }

  #leave(target: ProfileTarget, profile: Profile): void {
    const { users } = target
    const { tenant } = profile
    const at = users.indexOf(profile)
    // Its tenant lost the target, and so did all its profiles.
    if (at < 0) return
    users.splice(at, 1)
    this.#memory.give(tenant, USE_BYTES)
    if (!users.some((one) => one.tenant === tenant)) this.#endUse(target, tenant)
  }

  /** @param bytes charged to the tenant for it */
  #endUse(target: ProfileTarget, tenant: DirectoryTenant, bytes = target.bytes): void {
    const { kind, namespace, name, key, tenants } = target
    tenants.splice(tenants.indexOf(tenant), 1)
    this.#giveBack(this.#memory, tenant, bytes, sharedBy(tenants))
    // Other profiles still wait for its addresses.
    const isUnfilled = this.#unfilled[kind].delete(target, tenant)
    if (target.isUsed) {
      if (isUnfilled) this.#unfilled[kind].add(target)
      if (tenant.due.delete(target)) this.#findSoon(target)
      return
    }
    tenant.due.delete(target)
    this.#targets.delete(key)
    this.#count[kind]--
    this.#index[kind].delete(target)
    if (kind === 'service') this.#byName.delete(`${namespace}/${name}`)
    this.#dirty.delete(target)
    this.#found.drop(target)
  }

  /** The target's size changed. A tenant without room for more loses the target; other tenants keep it. */
  #resized(target: ProfileTarget, bytes: number): void {
    const kept: DirectoryTenant[] = []
    const lost: DirectoryTenant[] = []
    for (const tenant of target.tenants) {
      const hasRoom = bytes <= 0 || this.#memory.take(tenant, bytes, sharedBy(kept))
      if (bytes < 0) this.#giveBack(this.#memory, tenant, -bytes, sharedBy(kept))
      ;(hasRoom ? kept : lost).push(tenant)
    }
    for (const tenant of lost) {
      const users = target.users.filter((one) => one.tenant === tenant)
      const others = target.users.filter((one) => one.tenant !== tenant)
      target.users.splice(0, target.users.length, ...others)
      this.#memory.give(tenant, USE_BYTES * users.length)
      noteLost(tenant, target)
      this.#endUse(target, tenant, target.bytes - bytes)
      for (const profile of new Set(users)) this.#loses(profile, target)
    }
    if (lost.length > 0) this.#watchWhatIsNeeded()
  }

  #loses(profile: Profile, target: ProfileTarget): void {
    profile.entries = profile.entries.map((entry) => (entry === target ? 'room' : entry))
    if (!profile.isAdmitted) return
    profile.found = undefined
    this.#noteRefused(profile)
    if (isFilled(profile)) this.#resolveSoon(profile)
  }

  #giveBack(room: Quota, tenant: DirectoryTenant, amount: number, shared?: Shared): void {
    if (amount === 0) return
    room.give(tenant, amount, shared)
    this.#isReleased = true
  }

  #noteRefused(profile: Profile): void {
    if (!isRefused(profile)) this.#refused.delete(profile)
    else this.#refused.add(profile)
    if (this.#refused.size > 0) this.#retryLater()
  }

  /** After room was freed, left-out targets may fit. */
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
    const needed = targetKinds.filter((kind) => this.#count[kind] > 0).flatMap((kind) => needs[kind])
    const ended = this.#watched.need(new Set(needed))
    if (ended.includes('slices')) this.#slices.clear()
  }

  // What targets mean

  /** @returns steps charged to other tenants, whose targets select such objects */
  *#moved({ kind, namespace, key, before, now }: Moved): Generator<number, number> {
    const steps = this.#work.steps
    if (kind === 'pods') yield* this.#move('pods', namespace, placed(before), placed(now))
    else if (kind === 'services') yield* this.#moveService(namespace, key, before, now)
    else yield* this.#moveSlice(namespace, key, before, now)
    return this.#work.steps - steps
  }

  *#moveService(namespace: string, key: string, before: IpOwner | undefined, now: IpOwner | undefined) {
    const service = nameIn(key)
    yield* this.#move('services', namespace, placed(before, service), placed(now, service))
    if (before !== undefined && now !== undefined && sameLabels(before, now)) return
    // A target that selects a Service selects the objects behind it.
    for (const object of this.#slices.get(key)?.values() ?? [])
      yield* this.#move('services', namespace, { object, owner: before, service }, { object, owner: now, service })
  }

  *#moveSlice(namespace: string, key: string, before: IpOwner | undefined, now: IpOwner | undefined) {
    const [from, to] = [before && serviceOf(before), now && serviceOf(now)]
    if (before !== undefined && from !== undefined && from !== to) this.#keepSlice(from, key, undefined)
    if (now !== undefined && to !== undefined) this.#keepSlice(to, key, now)
    const of = (object: IpOwner | undefined, service: string | undefined): Placed | undefined =>
      service === undefined
        ? undefined
        : placed(object, nameIn(service), this.#watched.get('services', namespace, service))
    yield* this.#move('services', namespace, of(before, from), of(now, to))
  }

  #keepSlice(service: string, key: string, now: IpOwner | undefined): void {
    const known = this.#slices.get(service) ?? new Map<string, IpOwner>()
    if (now === undefined) known.delete(key)
    else known.set(key, now)
    if (known.size > 0) this.#slices.set(service, known)
    else this.#slices.delete(service)
  }

  *#move(kind: 'pods' | 'services', namespace: string, before: Placed | undefined, now: Placed | undefined) {
    const found = new Set<ProfileTarget>()
    let steps = 1
    for (const service of new Set([before?.service, now?.service])) {
      const named = service === undefined ? undefined : this.#byName.get(`${namespace}/${service}`)
      if (named !== undefined) found.add(named)
    }
    for (const object of new Set([before?.object, before?.owner, now?.object, now?.owner]))
      if (object !== undefined) steps += this.#index[kind].collect(namespace, labelsOf(object), found)
    for (const target of found) {
      steps += 2 * target.conditions
      if (steps > STEPS) {
        yield steps
        steps = 0
      }
      if (!target.isFilled || !target.isUsed) continue
      const removed = before !== undefined && means(target, namespace, before) ? before.object : undefined
      const added = now !== undefined && means(target, namespace, now) ? now.object : undefined
      if (removed !== added) steps += this.#change(target, namespace, removed, added)
    }
    yield steps
  }

  #change(target: ProfileTarget, namespace: string, removed: IpOwner | undefined, added: IpOwner | undefined): number {
    const steps = removed === undefined ? 1 : target.membersOf(namespace) / 64
    const bytes =
      (removed === undefined ? 0 : target.remove(namespace, removed)) +
      (added === undefined ? 0 : target.add(namespace, added))
    if (removed?.mark !== added?.mark) this.#changed(target)
    if (bytes !== 0) this.#resized(target, bytes)
    return 4 + steps
  }

  #changed(target: ProfileTarget): void {
    this.#dirty.add(target)
    this.#settling ??= this.#options.clock.after(this.#options.settle ?? 250, () => {
      this.#settling = undefined
      for (const one of this.#dirty) this.#findSoon(one)
      this.#dirty.clear()
      this.#work.wake()
    })
  }

  /** Charges the tenant whose rest ends first. */
  #findSoon(target: ProfileTarget): void {
    const [first, ...others] = target.tenants
    if (first === undefined) return
    const tenant = others.reduce((least, one) => (one.pace.readyAt < least.pace.readyAt ? one : least), first)
    tenant.due.add(target)
    this.#busy.add(tenant)
  }

  #resolveSoon(profile: Profile): void {
    profile.tenant.stale.add(profile)
    this.#busy.add(profile.tenant)
  }

  #fillable(): EgressTarget['kind'][] {
    return targetKinds.filter((kind) => needs[kind].every((one) => this.#watched.isComplete(one)))
  }

  /** One pass over all objects, for as many targets as allowed. */
  *#fillSome(): Generator<number, void> {
    const { clock } = this.#options
    for (const kind of this.#fillable()) {
      const batch = this.#unfilled[kind].take(clock.now())
      if (batch.length === 0) continue
      const before = this.#work.steps
      if (kind === 'service') for (const target of batch) yield this.#fillNamed(target)
      else yield* this.#fillAll(kind, batch)
      spendFor(batch, this.#work.steps - before, clock.now())
      for (const target of batch) {
        target.isFilled = true
        for (const profile of target.users) if (profile.isAdmitted && isFilled(profile)) this.#resolveSoon(profile)
        yield target.users.length
      }
    }
  }

  #fillNamed(target: ProfileTarget): number {
    const { namespace, name } = target
    const key = `${namespace}/${name}`
    const slices = this.#slices.get(key)
    const service = this.#watched.get('services', namespace, key)
    for (const object of [...(service === undefined ? [] : [service]), ...(slices?.values() ?? [])])
      this.#fill(target, namespace, { object, service: name })
    return 2 + (slices?.size ?? 0)
  }

  *#fillAll(of: 'pods' | 'services', batch: readonly ProfileTarget[]) {
    const index = new TargetIndex<Profile>()
    for (const target of batch) index.add(target)
    yield batch.length
    const found = new Set<ProfileTarget>()
    const isEverywhere = batch.some(({ namespace }) => namespace === '')
    const wanted = new Set(batch.map(({ namespace }) => namespace))
    let steps = 0
    for (const kind of needs[of])
      for (const [namespace, objects] of this.#watched.objects(kind)) {
        if (!isEverywhere && !wanted.has(namespace)) continue
        for (const [key, object] of objects) {
          found.clear()
          const now = this.#placedNow(kind, namespace, key, object)
          steps += 1 + index.collect(namespace, labelsOf(object), found)
          if (now.owner !== undefined) steps += index.collect(namespace, labelsOf(now.owner), found)
          for (const target of found) {
            steps += target.conditions
            this.#fill(target, namespace, now)
            if (steps < STEPS) continue
            yield steps
            steps = 0
          }
          if (steps < STEPS) continue
          yield steps
          steps = 0
        }
      }
    yield steps
  }

  #placedNow(kind: Kind, namespace: string, key: string, object: IpOwner): Placed {
    if (kind === 'pods') return { object }
    if (kind === 'services') return { object, service: nameIn(key) }
    const service = serviceOf(object)
    // An object without a Service has addresses that no target selects.
    if (service === undefined) return { object: { ...object, groups: [] } }
    return { object, service: nameIn(service), owner: this.#watched.get('services', namespace, service) }
  }

  #fill(target: ProfileTarget, namespace: string, now: Placed): void {
    if (target.isUsed && means(target, namespace, now)) this.#resized(target, target.add(namespace, now.object))
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

  /** @param payer is charged for all work of its turn; other tenants with the target are charged here */
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
    // It was changed or deleted, or lost a target meanwhile.
    const isSame = (): boolean => profile.isAdmitted && profile.entries === entries
    if (!isSame()) return
    const fitted = yield* withinRoom(targets)
    if (!isSame()) return
    const lists = fitted === 'whole' ? targets.map(({ value }) => value!) : fitted
    const count = lists.reduce((sum, { groups }) => sum + countOf(groups), 0)
    const hasRoom = this.#published.take(tenant, Math.max(0, count - profile.published))
    const published = hasRoom ? count : 0
    this.#giveBack(this.#published, tenant, Math.max(0, profile.published - published))
    profile.published = published
    profile.found = hasRoom ? fitted : 'no room'
    this.#noteRefused(profile)
    this.#options.changed(profile.key)
  }
}

const labelsOf = ({ metadata }: IpOwner): Labels => metadata?.labels ?? {}

const nameIn = (key: string): string => key.slice(key.indexOf('/') + 1)

const sameTexts = (some: readonly EgressTarget[], others: readonly EgressTarget[]): boolean =>
  some.length === others.length && some.every((one, i) => targetText(one) === targetText(others[i]!))

const sameLabels = (one: IpOwner, other: IpOwner): boolean =>
  labelsOf(one) === labelsOf(other) || JSON.stringify(labelsOf(one)) === JSON.stringify(labelsOf(other))

const isFilled = ({ entries }: Profile): boolean => entries.every((entry) => !isTarget(entry) || entry.isFilled)

/** A target without room for its size would be lost again: do not fill it until there is room. */
function noteLost({ lost }: DirectoryTenant, { key, bytes }: ProfileTarget): void {
  if (lost.size >= MAX_LOST) lost.delete([...lost.keys()][0]!)
  lost.set(key, bytes)
}

const sharedBy = (tenants: readonly DirectoryTenant[]): Shared => ({
  byNamespace: tenants.some(({ namespace }) => namespace !== ''),
  byAny: tenants.length > 0,
})

const placed = (object: IpOwner | undefined, service?: string, owner?: IpOwner): Placed | undefined =>
  object && { object, service, owner }

function means(target: ProfileTarget, namespace: string, { object, owner, service }: Placed): boolean {
  if (object.groups.length === 0 && object.beyond === undefined) return false
  if (target.matches(namespace, labelsOf(object), service)) return true
  return owner !== undefined && target.matches(namespace, labelsOf(owner), service)
}
