import { type Shares, sharesOf } from '../../enforcer/bpf/shares.ts'
import { CONDITIONS, type Tenant } from './room.ts'
import type { Target } from './target.ts'
import type { TargetIndex } from './target-index.ts'

const shares = sharesOf(CONDITIONS)

/**
 * Whether a tenant may have the target: each object is compared with all conditions of those whose label it has, and of those that ask for
 * no label. The bound holds for each label by itself.
 */
export function hasRoom<P>(target: Target<P>, tenant: Tenant, index: TargetIndex<P>): boolean {
  const first = target.conditions
  const byPlace = new Map<string, Shares>(
    target.places.map((place) => [place, { all: first, namespaces: first, one: first }]),
  )
  for (const { place, other } of index.beside(target)) {
    const sum = byPlace.get(place)!
    sum.all += other.conditions
    if (other.uses.some((use) => use.tenant === tenant)) sum.one += other.conditions
    if (other.uses.some((use) => use.tenant.namespace !== '')) sum.namespaces += other.conditions
  }
  const isOfNamespace = tenant.namespace !== ''
  for (const sum of byPlace.values()) {
    if (sum.all > shares.all) return false
    if (isOfNamespace && (sum.one > shares.one || sum.namespaces > shares.namespaces)) return false
  }
  return true
}
