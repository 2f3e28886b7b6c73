/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export const timeText = (milliseconds: number): string => new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z')

interface Condition {
  status: 'True' | 'False' | 'Unknown'
  lastTransitionTime?: string
}

/** A condition as it is to be: the time of its last transition stays, unless its status is another one. */
export function withTransition<T extends Condition>(
  condition: T,
  before: Condition | undefined,
  now: number,
): T & { lastTransitionTime: string } {
  const same = before?.status === condition.status && before.lastTransitionTime !== undefined
  return { ...condition, lastTransitionTime: same ? before.lastTransitionTime! : timeText(now) }
}
