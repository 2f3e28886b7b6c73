import { mebibyte } from '../../base/bytes.ts'
import { type Shares, sharesOf } from '../../enforcer/bpf/shares.ts'

import type { Pace } from './pace.ts'

/**
 * Maximum bytes of the targets of all policies and of their objects. The chart's memory limit for a manager includes
 * these bytes.
 */
export const TARGET_MEMORY = 96 * mebibyte
/** Maximum addresses in the statuses of all ArmorProfiles. Every manager keeps all statuses in memory. */
export const PUBLISHED_ADDRESSES = 4 * mebibyte
/**
 * Maximum selector conditions that an object is compared with, for each of its labels. The same limit holds for all
 * selectors without a label.
 */
export const CONDITIONS = 1_024

/** An owner of policies. `namespace` is empty for cluster policies. */
export interface Tenant {
  readonly namespace: string
  /** Amounts that the tenant has taken, by quota. */
  readonly taken: Map<Quota, number>
  readonly pace: Pace
}

/** Which other tenants use the target already. A target of several tenants counts only once in the totals. */
export interface Shared {
  byNamespace: boolean
  byAny: boolean
}

const alone: Shared = { byNamespace: false, byAny: false }

/**
 * A limit on an amount, such as bytes. A quarter is reserved for cluster policies, and one namespace may take half of
 * the rest. The BPF memory of nodes is divided in the same way.
 */
export class Quota {
  readonly shares: Shares
  #all = 0
  #namespaces = 0

  constructor(all: number) {
    this.shares = sharesOf(all)
  }

  get taken(): number {
    return this.#all
  }

  /** @returns whether there was room */
  take(tenant: Tenant, amount: number, { byNamespace, byAny }: Shared = alone): boolean {
    const own = (tenant.taken.get(this) ?? 0) + amount
    const namespaces = this.#namespaces + (tenant.namespace === '' || byNamespace ? 0 : amount)
    const all = this.#all + (byAny ? 0 : amount)
    const isBounded = tenant.namespace !== ''
    if (isBounded && (own > this.shares.one || namespaces > this.shares.namespaces)) return false
    if (all > this.shares.all) return false
    tenant.taken.set(this, own)
    this.#namespaces = namespaces
    this.#all = all
    return true
  }

  give(tenant: Tenant, amount: number, { byNamespace, byAny }: Shared = alone): void {
    tenant.taken.set(this, (tenant.taken.get(this) ?? 0) - amount)
    if (tenant.namespace !== '' && !byNamespace) this.#namespaces -= amount
    if (!byAny) this.#all -= amount
  }
}
