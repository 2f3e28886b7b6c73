import { PARTLY_ENFORCED } from '../../../actors/policy/policy-status.ts'
import type { AnyPolicy } from '../../../actors/ports.ts'

/** The result of a policy's condition Ready. `unknown`: no leader has handled it yet. */
export const policyStates = ['enforced', 'partly-enforced', 'not-ready', 'unknown'] as const

export type PolicyState = (typeof policyStates)[number]

/** The state of a stored policy. A status can contain any text, so its texts are never used as label values. */
export function policyState({ status }: AnyPolicy): PolicyState {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready')
  if (condition === undefined) return 'unknown'
  if (condition.status !== 'True') return 'not-ready'
  return condition.reason === PARTLY_ENFORCED ? 'partly-enforced' : 'enforced'
}

/** Number of policies in each state. */
export function countStates(...stores: readonly Iterable<AnyPolicy>[]): Record<PolicyState, number> {
  const counts: Record<PolicyState, number> = { enforced: 0, 'partly-enforced': 0, 'not-ready': 0, unknown: 0 }
  for (const policies of stores) for (const policy of policies) counts[policyState(policy)]++
  return counts
}
