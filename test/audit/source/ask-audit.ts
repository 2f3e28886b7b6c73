import { readAuditState } from '../../../src/audit/source/audit-addon.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'

/** Prints the state of the kernel's audit system, or the reason why it cannot be read. */
try {
  console.log(JSON.stringify(await readAuditState()))
} catch (error) {
  if (!(error instanceof AuditSourceError)) throw error
  console.log(JSON.stringify({ code: error.code, remedy: error.remedy }))
}
