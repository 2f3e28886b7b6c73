import { type EgressLeftOut, MAX_TARGET_TEXT } from '../../api/egress-left-out.ts'
import { targetText } from '../../api/egress-target.ts'
import { plainSelector } from '../../api/label-selector.ts'
import type { EgressTarget } from '../../api/types.ts'
import { hasRoom } from './conditions.ts'
import type { DirectoryTenant, Entry, Profile, ProfileTarget } from './profiles.ts'
import type { Quota, Shared } from './room.ts'
import { Target, USE_BYTES } from './target.ts'
import { TargetIndex } from './target-index.ts'
import { Unfilled } from './unfilled.ts'

/** Maximum number of lost targets whose size is remembered, for each tenant. */
const MAX_LOST = 1_024

export interface HeldTargetsOptions {
  memory: Quota
  /** Called when memory was freed: left-out targets may fit now. */
  released(): void
  /** Called when the target has grown beyond the memory limit of the tenant of these profiles. */
  lost(target: ProfileTarget, profiles: ReadonlySet<Profile>): void
  /**
   * Called when the search for the target's addresses must move to another tenant, because its tenant left the target.
   */
  orphaned(target: ProfileTarget): void
  /** Called when the last profile that used the target has left. */
  ended(target: ProfileTarget): void
}

/**
 * The targets of all profiles. Profiles that want equal targets share one target. The whole target counts against the
 * memory limit of each tenant that uses it.
 */
export class HeldTargets {
  readonly #options: HeldTargetsOptions
  readonly #memory: Quota
  readonly #targets = new Map<string, ProfileTarget>()
  readonly #count = { pods: 0, service: 0, services: 0 }
  readonly #byName = new Map<string, ProfileTarget>()
  readonly index = {
    pods: new TargetIndex<Profile>(),
    service: new TargetIndex<Profile>(),
    services: new TargetIndex<Profile>(),
  }
  /** New targets: the existing objects must still be searched for them. */
  readonly unfilled = { pods: new Unfilled(), service: new Unfilled(), services: new Unfilled() }

  constructor(options: HeldTargetsOptions) {
    this.#options = options
    this.#memory = options.memory
  }

  get size(): number {
    return this.#targets.size
  }

  countOf(kind: EgressTarget['kind']): number {
    return this.#count[kind]
  }

  /** The target that names a Service. */
  named(namespace: string, service: string): ProfileTarget | undefined {
    return this.#byName.get(`${namespace}/${service}`)
  }

  /**
   * Adds a target to a profile, or returns why the target is left out.
   * @param looked called with the number of other targets that this took into account
   */
  enter(profile: Profile, wanted: EgressTarget, looked: (others: number) => void): Entry {
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

  /** Charges the target to the tenant. @returns why the tenant cannot have the target; undefined if it can */
  #whyNot(target: ProfileTarget, tenant: DirectoryTenant, looked: (others: number) => void): EgressLeftOut | undefined {
    if (!hasRoom(target, tenant, this.index[target.kind], looked)) return 'conditions'
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
    this.index[kind].add(target)
    if (kind === 'service') this.#byName.set(`${namespace}/${name}`, target)
    this.unfilled[kind].add(target)
  }

  leave(target: ProfileTarget, profile: Profile): void {
    const { users } = target
    const { tenant } = profile
    const at = users.indexOf(profile)
    // `resized` has already removed the target from all profiles of the tenant.
    if (at < 0) return
    users.splice(at, 1)
    this.#memory.give(tenant, USE_BYTES)
    if (!users.some((one) => one.tenant === tenant)) this.#endUse(target, tenant)
  }

  /** @param bytes bytes that the tenant was charged for the target */
  #endUse(target: ProfileTarget, tenant: DirectoryTenant, bytes = target.bytes): void {
    const { kind, namespace, name, key, tenants } = target
    tenants.splice(tenants.indexOf(tenant), 1)
    this.#giveBack(tenant, bytes, sharedBy(tenants))
    // If this tenant was to pay for the search, and other tenants still wait for the target, another tenant must pay.
    const isUnfilled = this.unfilled[kind].delete(target, tenant)
    if (target.isUsed) {
      if (isUnfilled) this.unfilled[kind].add(target)
      if (tenant.due.delete(target)) this.#options.orphaned(target)
      return
    }
    tenant.due.delete(target)
    this.#targets.delete(key)
    this.#count[kind]--
    this.index[kind].delete(target)
    if (kind === 'service') this.#byName.delete(`${namespace}/${name}`)
    this.#options.ended(target)
  }

  /**
   * Call this when the target's size has changed. A tenant whose memory limit it now exceeds loses the target; other
   * tenants keep the target.
   */
  resized(target: ProfileTarget, bytes: number): void {
    const kept: DirectoryTenant[] = []
    const lost: DirectoryTenant[] = []
    for (const tenant of target.tenants) {
      const hasRoom = bytes <= 0 || this.#memory.take(tenant, bytes, sharedBy(kept))
      if (bytes < 0) this.#giveBack(tenant, -bytes, sharedBy(kept))
      ;(hasRoom ? kept : lost).push(tenant)
    }
    for (const tenant of lost) {
      const users = target.users.filter((one) => one.tenant === tenant)
      const others = target.users.filter((one) => one.tenant !== tenant)
      target.users.splice(0, target.users.length, ...others)
      this.#memory.give(tenant, USE_BYTES * users.length)
      noteLost(tenant, target)
      this.#endUse(target, tenant, target.bytes - bytes)
      this.#options.lost(target, new Set(users))
    }
  }

  #giveBack(tenant: DirectoryTenant, amount: number, shared: Shared): void {
    if (amount === 0) return
    this.#memory.give(tenant, amount, shared)
    this.#options.released()
  }
}

/** Remembers the size of a lost target, because the tenant would lose it again until it has that much memory. */
function noteLost({ lost }: DirectoryTenant, { key, bytes }: ProfileTarget): void {
  if (lost.size >= MAX_LOST) lost.delete([...lost.keys()][0]!)
  lost.set(key, bytes)
}

const sharedBy = (tenants: readonly DirectoryTenant[]): Shared => ({
  byNamespace: tenants.some(({ namespace }) => namespace !== ''),
  byAny: tenants.length > 0,
})
