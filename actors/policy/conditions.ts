import { isoTime, type WallMs } from '../../src/base/clock.ts'

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export const timeText = (time: WallMs): string => isoTime(time).replace(/\.\d+Z$/, 'Z')

interface Condition {
  status: 'True' | 'False' | 'Unknown'
  lastTransitionTime?: string
}

/** The condition to write: keeps the time of the last transition if the status has not changed. */
export function withTransition<T extends Condition>(
  condition: T,
  before: Condition | undefined,
  now: WallMs,
): T & { lastTransitionTime: string } {
  const same = before?.status === condition.status && before.lastTransitionTime !== undefined
  return { ...condition, lastTransitionTime: same ? before.lastTransitionTime! : timeText(now) }
}
