import { isoTime, type WallMs } from '../../src/base/clock.ts'
import type { Workload } from '../ports.ts'

/**
 * The annotation that changes a pod template, like the annotation of `kubectl rollout restart`, and gives the reasons:
 * `<change>@<RFC 3339>`, one entry for each change, the newest last. Each policy keeps the entries of other policies.
 */
export const RESTARTED_AT = 'sandbox.varmor.org/restartedAt'

/**
 * Maximum number of entries that are written and read; the owner of a workload can write more. Dropping an old entry is
 * safe: a workload whose template names the profile, or that another policy confines, is not restarted.
 */
const MAX_ENTRIES = 16

const entriesOf = (workload: Workload): string[] =>
  (workload.spec.template.metadata?.annotations?.[RESTARTED_AT] ?? '')
    .split(',')
    .filter((entry) => entry !== '')
    .slice(-MAX_ENTRIES)

/** When the workload was restarted for the change, in milliseconds since the epoch; undefined if it was not. */
export function restartedAt(workload: Workload, change: string): number | undefined {
  const entry = entriesOf(workload).find((one) => one.startsWith(`${change}@`))
  if (entry === undefined) return undefined
  const time = Date.parse(entry.slice(change.length + 1))
  return Number.isNaN(time) ? 0 : time
}

/** The annotation after a restart at `time` for the change. */
export function withRestart(workload: Workload, change: string, time: WallMs): string {
  const others = entriesOf(workload).filter((one) => !one.startsWith(`${change}@`))
  return [...others, `${change}@${isoTime(time)}`].slice(-MAX_ENTRIES).join(',')
}
