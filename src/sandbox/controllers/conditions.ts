import { conditionOf } from './pod-state.ts'
import type { Condition } from './types.ts'

/** The conditions without one type. */
export const withoutCondition = (conditions: readonly Condition[], type: string): Condition[] =>
  conditions.filter((condition) => condition.type !== type)

/**
 * The conditions with this one. One of the same status and reason stays as it is; a transition is only a change of the
 * status.
 */
export function withCondition(conditions: readonly Condition[], condition: Condition): Condition[] {
  const current = conditionOf(conditions, condition.type)
  if (current?.status === condition.status && current.reason === condition.reason) return [...conditions]
  const same = current?.status === condition.status && current.lastTransitionTime
  const next = same ? { ...condition, lastTransitionTime: current.lastTransitionTime! } : condition
  return [...withoutCondition(conditions, condition.type), next]
}
