// Runs as a child under other conditions (namespaces, capabilities). Prints the result of opening the fork tree, and
// the number of log lines about it.

import { Lineage } from '../../../src/agent/violations/lineage.ts'
import { noLogger } from '../../../src/base/logger.ts'

let warned = 0
const lineage = new Lineage({ logger: { ...noLogger, warn: () => void warned++ } })
await lineage.start()
console.log(JSON.stringify({ warned, off: 'OPEN', ...(lineage.forks === undefined && lineage.status) }))
lineage.close()
