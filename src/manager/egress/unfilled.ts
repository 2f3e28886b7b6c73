import type { DirectoryTenant, ProfileTarget } from './profiles.ts'

/**
 * Maximum targets of one pass over all objects. `conditions`: maximum conditions of the targets that the index cannot
 * find by a label, because each object is compared with these conditions.
 */
const AT_ONCE = { targets: 4_096, conditions: 16 }
/** Cost of a target that the index finds by a label. A condition that is compared with every object costs 1. */
const ANCHORED = 1 / 64

/** New targets for which the existing objects must still be searched, by the tenant that pays for the search. */
export class Unfilled {
  readonly #byTenant = new Map<DirectoryTenant, Set<ProfileTarget>>()

  add(target: ProfileTarget): void {
    const [tenant] = target.tenants
    if (tenant === undefined) return
    const known = this.#byTenant.get(tenant) ?? new Set()
    this.#byTenant.set(tenant, known.add(target))
  }

  /** @returns whether the tenant was to pay for the search */
  delete(target: ProfileTarget, tenant: DirectoryTenant): boolean {
    const known = this.#byTenant.get(tenant)
    if (known?.delete(target) !== true) return false
    if (known.size === 0) this.#byTenant.delete(tenant)
    return true
  }

  /** When the first tenant with targets may work, in milliseconds since the epoch. Infinity if there are no targets. */
  get readyAt(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { pace } of this.#byTenant.keys()) first = Math.min(first, pace.readyAt)
    return first
  }

  /** @returns the targets of one pass, from the tenants that may work now, in turn */
  take(now: number): ProfileTarget[] {
    const batch: ProfileTarget[] = []
    let left = AT_ONCE.conditions
    for (const [tenant, targets] of [...this.#byTenant]) {
      if (tenant.pace.readyAt > now) continue
      for (const target of targets) {
        if (batch.length === AT_ONCE.targets || left <= 0) break
        batch.push(target)
        targets.delete(target)
        if (isForAll(target)) left -= target.conditions
      }
      this.#byTenant.delete(tenant)
      if (targets.size > 0) this.#byTenant.set(tenant, targets)
      if (batch.length === AT_ONCE.targets || left <= 0) break
    }
    return batch
  }
}

const isForAll = ({ places }: ProfileTarget): boolean => places.includes('')

/** Charges the steps of one pass to the targets' tenants, in proportion to the cost of their targets. */
export function spendFor(targets: readonly ProfileTarget[], steps: number, now: number): void {
  const weights = new Map<DirectoryTenant, number>()
  let all = 0
  for (const target of targets) {
    const weight = isForAll(target) ? target.conditions : ANCHORED
    all += weight
    for (const tenant of target.tenants) weights.set(tenant, (weights.get(tenant) ?? 0) + weight)
  }
  for (const [{ pace }, weight] of weights) pace.spend((steps * weight) / all, now)
}
