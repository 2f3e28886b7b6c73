import { type Shares, sharesOf } from '../../enforcer/bpf/shares.ts'
import { CONDITIONS, type Tenant } from './room.ts'
import type { Target, User } from './target.ts'
import type { TargetIndex } from './target-index.ts'

const shares = sharesOf(CONDITIONS)

/**
 * Whether the tenant may add the target. Each object is compared with all targets under its labels, and with all
 * targets without a label. So the number of conditions under each label is limited.
 * @param looked called with the number of other targets that were counted
 */
export function hasRoom<P extends User>(
  target: Target<P>,
  tenant: Tenant,
  index: TargetIndex<P>,
  looked: (others: number) => void,
): boolean {
  return target.places.every((place) => {
    const sum: Shares = { all: target.conditions, namespaces: target.conditions, one: target.conditions }
    let others = 0
    for (const other of index.at(target.namespace, place)) {
      if (other === target) continue
      others++
      sum.all += other.conditions
      if (other.tenants.includes(tenant)) sum.one += other.conditions
      if (other.tenants.some(({ namespace }) => namespace !== '')) sum.namespaces += other.conditions
    }
    looked(others)
    const isWithin = sum.one <= shares.one && sum.namespaces <= shares.namespaces
    return sum.all <= shares.all && (tenant.namespace === '' || isWithin)
  })
}
