import { readAuditState } from '../../../src/audit/source/audit-addon.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'

/** Prints what the kernel's audit says of itself, or why it may not be asked. */
try {
  console.log(JSON.stringify(await readAuditState()))
} catch (error) {
  if (!(error instanceof AuditSourceError)) throw error
  console.log(JSON.stringify({ code: error.code, remedy: error.remedy }))
}
