// Run as a child under other conditions (namespaces, capabilities): prints what opening gives and how often it is
// logged.

import { Lineage } from '../../../src/agent/lineage.ts'
import { noLogger } from '../../../src/base/logger.ts'

let warned = 0
const lineage = new Lineage({ logger: { ...noLogger, warn: () => void warned++ } })
await lineage.start()
console.log(JSON.stringify({ warned, off: 'OPEN', ...(lineage.forks === undefined && lineage.status) }))
lineage.close()
