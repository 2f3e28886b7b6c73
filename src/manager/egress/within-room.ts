import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'
import { fairShares, sums } from './fair-shares.ts'
import { shareOf } from './found-addresses.ts'
import { eachNamespaceOf } from './shared-found.ts'
import type { Target, Value } from './target.ts'

export type Fitted = Pick<Value, 'groups' | 'omitted'>

/**
 * Decides which addresses of its targets an ArmorProfile gets: `whole` means all addresses. If there are too many, each
 * namespace of the objects gets a fair share, so that one tenant's objects do not displace another tenant's objects.
 */
export function* withinRoom(targets: readonly Target[]): Generator<number, 'whole' | Fitted[]> {
  yield targets.length
  if (targets.reduce((sum, { value }) => sum + value!.cost, 0) <= MAX_EGRESS_ADDRESSES) return 'whole'
  const wanted: (readonly [string, number])[] = []
  for (const target of targets) {
    const all = yield* eachNamespaceOf(target)
    for (const { namespace, cost } of all) wanted.push([namespace, cost])
    yield all.length
  }
  const room = fairShares(sums(wanted), MAX_EGRESS_ADDRESSES)
  const fitted: Fitted[] = []
  for (const target of targets) {
    const { groups, omitted } = yield* shareOf(yield* eachNamespaceOf(target), room)
    fitted.push({ groups, omitted: omitted + target.value!.omitted })
  }
  return fitted
}
