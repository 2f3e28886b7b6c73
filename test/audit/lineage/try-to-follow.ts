// Run as a child under other conditions (namespaces, capabilities): prints what opening gives and how often it is logged.

import { openLineage } from '../../../src/agent/lineage.ts'
import { noLogger } from '../../../src/base/logger.ts'

let warned = 0
const lineage = openLineage({ ...noLogger, warn: () => void warned++ })
console.log(JSON.stringify({ warned, ...('off' in lineage ? { off: lineage.off } : { off: 'OPEN' }) }))
if ('close' in lineage) lineage.close()
