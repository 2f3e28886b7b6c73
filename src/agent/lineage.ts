import type { ForkStats } from '../audit/lineage/fork-addon.ts'
import { Forks } from '../audit/lineage/forks.ts'
import { AuditSourceError } from '../audit/source/audit-source-error.ts'
import type { Logger } from '../base/logger.ts'

/** What the node's forks are followed with, or why they are not. */
export type Lineage = Forks | { readonly off: AuditSourceError['code'] }

/**
 * Follows the node's forks, so that a violation is reported with its container although its process has ended. Where that is not
 * possible it says why, once, and /proc alone is asked.
 */
export function openLineage(logger: Logger, procRoot = '/proc', open = Forks.open): Lineage {
  try {
    return open({ procRoot })
  } catch (error) {
    if (!(error instanceof AuditSourceError)) throw error
    const { code, message, remedy, context } = error
    logger.warn(
      { code, problem: message, remedy, ...context },
      'forks cannot be followed: violations of processes that die at once may lack their containers',
    )
    return { off: code }
  }
}

/** undefined where forks are not followed. */
export const forkStats = (lineage: Lineage | undefined): ForkStats | undefined =>
  lineage instanceof Forks ? lineage.stats() : undefined

/** Counters, for a line of the log. */
export const lineageStatus = (lineage: Lineage): object =>
  lineage instanceof Forks ? (lineage.stats() ?? { off: 'CLOSED' }) : lineage
