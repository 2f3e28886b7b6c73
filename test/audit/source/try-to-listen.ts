// Runs as a child under other conditions (namespaces, capabilities). Prints the result of opening the source as JSON.
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { MulticastSource } from '../../../src/audit/source/multicast.ts'

try {
  const source = new MulticastSource()
  source.close()
  console.log(JSON.stringify({ code: 'OPEN', stats: source.stats() }))
} catch (error) {
  if (!(error instanceof AuditSourceError)) throw error
  console.log(JSON.stringify({ code: error.code, context: error.context }))
}
