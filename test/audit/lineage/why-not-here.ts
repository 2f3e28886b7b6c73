import { Forks } from '../../../src/audit/lineage/forks.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { hasCompiler } from '../../native/c-program.ts'

/** The reason why a test cannot follow forks here; undefined if it can. */
export function whyNoForks(): string | undefined {
  if (!hasCompiler) return 'no gcc'
  try {
    Forks.open({ entries: 4096 }).close()
    return undefined
  } catch (error) {
    if (error instanceof AuditSourceError) return `${error.code}: ${error.remedy}`
    throw error
  }
}
