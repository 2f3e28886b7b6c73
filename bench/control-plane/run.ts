/**
 * The control plane on a real Kubernetes with kwok's nodes, beside upstream's figures:
 *   npm run bench:control-plane -- [--policies 300] [--nodes 100] [--pods 100] [--deployments 30] [--phases policies,fleet,reports,restarts]
 * Upstream's scale is `--policies 1000 --nodes 1000 --pods 1000 --deployments 100`. The manager is a process of its own, and so are
 * the simulated agents; only the manager's CPU and memory are counted. `--prof FOLDER` keeps CPU profiles of each manager there.
 */
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BenchCluster } from './bench-cluster.ts'
import { compile } from './compiled.ts'
import { type Bench, phases } from './phases.ts'
import { Table } from './table.ts'

const { values } = parseArgs({
  options: {
    policies: { type: 'string', default: '300' },
    nodes: { type: 'string', default: '100' },
    pods: { type: 'string', default: '100' },
    deployments: { type: 'string', default: '30' },
    phases: { type: 'string', default: Object.keys(phases).join(',') },
    qps: { type: 'string' },
    burst: { type: 'string' },
    prof: { type: 'string' },
  },
})

const chosen = values.phases.split(',')
for (const name of chosen)
  if (!(name in phases)) throw new Error(`There is no phase ${name}; there are: ${Object.keys(phases).join(', ')}`)
if (values.prof !== undefined) mkdirSync(values.prof, { recursive: true })

await compile()
const table = new Table()
const cluster = await BenchCluster.start()
const bench: Bench = {
  cluster,
  table,
  scale: {
    policies: Number(values.policies),
    nodes: Number(values.nodes),
    pods: Number(values.pods),
    deployments: Number(values.deployments),
  },
  ...(values.qps !== undefined && { pace: { qps: Number(values.qps), burst: Number(values.burst ?? values.qps) } }),
  flags: values.prof === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.prof}`],
}
try {
  for (const name of chosen) {
    console.log(name)
    await phases[name as keyof typeof phases](bench)
  }
} finally {
  await cluster.stop()
  table.print()
}
