import type { EgressLeftOut } from '../../api/egress-left-out.ts'
import type { EgressTarget } from '../../api/types.ts'
import { Pace } from './pace.ts'
import type { Quota, Tenant } from './room.ts'
import type { Target } from './target.ts'
import type { Fitted } from './within-room.ts'

export interface DirectoryTenant extends Tenant {
  profiles: number
  /** Targets whose addresses must be found, as work of this tenant. */
  readonly due: Set<ProfileTarget>
  /** Bytes of the targets that this tenant lost, because they grew beyond its memory limit. By key. */
  readonly lost: Map<string, number>
  /** Profiles to admit. */
  readonly arrivals: Set<Profile>
  readonly stale: Set<Profile>
}

/** A wanted target that was admitted, or why it was left out. */
export type Entry = ProfileTarget | EgressLeftOut
export type ProfileTarget = Target<Profile>

export const isTarget = (entry: Entry): entry is ProfileTarget => typeof entry !== 'string'

/** An ArmorProfile with targets. */
export interface Profile {
  readonly key: string
  readonly tenant: DirectoryTenant
  version: string | undefined
  wanted: readonly EgressTarget[]
  /** One entry for each wanted target; the old entries until the profile is admitted. */
  entries: readonly Entry[]
  isAdmitted: boolean
  /** Undefined while the addresses of the targets are unknown. */
  found: 'whole' | 'no room' | readonly Fitted[] | undefined
  /** Number of its addresses that count against the limit for all ArmorProfiles. */
  published: number
}

export const isRefused = ({ entries, found }: Profile): boolean =>
  found === 'no room' || entries.some((entry) => entry === 'room' || entry === 'conditions')

/** Owners of ArmorProfiles with targets. */
export class Tenants {
  readonly #byNamespace = new Map<string, DirectoryTenant>()
  /**
   * Paces of former tenants that still owe waiting. So a tenant cannot avoid the waiting by deleting and recreating its
   * policies.
   */
  readonly #resting = new Map<string, Pace>()

  get size(): number {
    return this.#byNamespace.size
  }

  /** @param namespace empty for cluster policies */
  join(namespace: string): DirectoryTenant {
    const tenant = this.#byNamespace.get(namespace) ?? {
      ...{ namespace, taken: new Map<Quota, number>(), profiles: 0, pace: this.#resting.get(namespace) ?? new Pace() },
      ...{ due: new Set<ProfileTarget>(), stale: new Set<Profile>(), arrivals: new Set<Profile>() },
      lost: new Map<string, number>(),
    }
    this.#byNamespace.set(namespace, tenant)
    tenant.profiles++
    return tenant
  }

  leave(tenant: DirectoryTenant, now: number): void {
    const { namespace, pace } = tenant
    if (--tenant.profiles > 0) return
    this.#byNamespace.delete(namespace)
    for (const [other, { restsUntil }] of this.#resting) if (restsUntil <= now) this.#resting.delete(other)
    if (pace.restsUntil > now) this.#resting.set(namespace, pace)
  }
}
