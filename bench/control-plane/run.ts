/**
 * The control plane on a real Kubernetes with kwok's nodes, beside upstream's figures. Upstream's scale is
 * `--policies 1000 --nodes 1000 --pods 1000 --deployments 100`. The manager is a process of its own, and so are the
 * simulated agents; only the manager's CPU and memory are counted.
 */
import { mkdirSync } from 'node:fs'
import { Option } from 'commander'
import { chartValues, imageEnvironment } from '../as-installed.ts'
import { countOption, progress, readOptions } from '../bench.ts'
import { BenchCluster } from './bench-cluster.ts'
import { compile } from './compiled.ts'
import { type Bench, phases } from './phases.ts'
import { Table } from './table.ts'

interface Given {
  policies: number
  nodes: number
  pods: number
  deployments: number
  qps?: number
  burst?: number
  prof?: string
  asInstalled?: true
}

const { only, qps, burst, prof, asInstalled, ...scale } = readOptions<Given, keyof typeof phases>({
  command: 'npm run bench:control-plane --',
  about: 'What a manager takes for policies, reports and restarts, on a real Kubernetes with nodes that kwok pretends.',
  kinds: Object.keys(phases) as (keyof typeof phases)[],
  options: [
    countOption('--policies <count>', 'that are applied', 300),
    countOption('--nodes <count>', 'that kwok pretends', 100),
    countOption('--pods <count>', 'beside them', 100),
    countOption('--deployments <count>', 'that are restarted', 30),
    countOption('--qps <count>', "of the manager's requests"),
    countOption('--burst <count>', "of the manager's requests"),
    new Option('--as-installed', 'give managers the memory that they have where the chart starts them'),
    new Option('--prof <folder>', 'keep a CPU profile of each manager there'),
  ],
})
if (prof !== undefined) mkdirSync(prof, { recursive: true })

/** What Node.js takes of the chart's limit of 512 MiB, and what the chart has it take for new objects. */
const memoryOfChart = ['--max-old-space-size=256', ...chartValues.manager.nodeOptions.split(' ')]
if (asInstalled) Object.assign(process.env, imageEnvironment)

await compile()
progress('children compiled')
const table = new Table()
const cluster = await BenchCluster.start()
progress('cluster started')
const bench: Bench = {
  cluster,
  table,
  scale,
  ...(qps !== undefined && { pace: { qps, burst: burst ?? qps } }),
  flags: [
    ...(asInstalled ? memoryOfChart : []),
    ...(prof === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${prof}`]),
  ],
}
try {
  for (const name of only) {
    await phases[name](bench)
    progress(`end of ${name}`)
  }
} finally {
  await cluster.stop()
  table.print()
}
