/**
 * Measures the control plane on a real Kubernetes with kwok's nodes, beside upstream's figures. Upstream's scale is
 * `--policies 1000 --nodes 1000 --pods 1000 --deployments 100`. The manager and the simulated agents are separate
 * processes; only the manager's CPU and memory count.
 */
import { mkdirSync } from 'node:fs'
import { Option } from 'commander'
import type { Cluster } from '../../test/cluster/cluster.ts'
import { chartValues, imageEnvironment } from '../as-installed.ts'
import { countOption, progress, readOptions } from '../bench.ts'
import { BenchCluster } from './bench-cluster.ts'
import { compile } from './compiled.ts'
import { type Bench, phases } from './phases.ts'
import { type Column, Table } from './table.ts'
import { howToBuild, installUpstream, readCheckout } from './upstream-manager.ts'

interface Given {
  policies: number
  nodes: number
  pods: number
  deployments: number
  qps?: number
  burst?: number
  prof?: string
  asInstalled?: true
  upstream?: string
}

const kinds = Object.keys(phases) as (keyof typeof phases)[]
const { only, qps, burst, prof, asInstalled, upstream, ...scale } = readOptions<Given, keyof typeof phases>({
  command: 'npm run bench:control-plane --',
  about:
    'measure what policies, reports and restarts cost a manager, on a real Kubernetes with nodes that kwok simulates',
  kinds,
  usual: kinds.filter((kind) => kind !== 'upstream'),
  options: [
    countOption('--policies <count>', 'number of applied policies', 300),
    countOption('--nodes <count>', 'number of nodes that kwok simulates', 100),
    countOption('--pods <count>', 'number of pods', 100),
    countOption('--deployments <count>', 'number of restarted Deployments', 30),
    countOption('--qps <count>', 'maximum requests per second of the manager'),
    countOption('--burst <count>', "maximum burst of the manager's requests"),
    new Option('--as-installed', 'give managers the memory settings of the chart and the image'),
    new Option('--prof <folder>', 'folder for a CPU profile of each manager'),
    new Option(
      '--upstream <checkout>',
      `checkout of bytedance/vArmor, built with \`${howToBuild}\`; also measures the kind policies with upstream's manager`,
    )
      .argParser(readCheckout)
      .implies({ only: kinds }),
  ],
})
if (only.includes('upstream') !== (upstream !== undefined)) {
  console.error(
    'error: `--only upstream` needs `--upstream <checkout>`, and `--upstream` needs the kind upstream; see `--help`',
  )
  process.exit(1)
}
if (prof !== undefined) mkdirSync(prof, { recursive: true })

/** Node.js's part of the chart's memory limit of 512 MiB, and the chart's size of the space for new objects. */
const memoryOfChart = ['--max-old-space-size=256', ...chartValues.manager.nodeOptions.split(' ')]
if (asInstalled) Object.assign(process.env, imageEnvironment)

await compile()
progress('children compiled')
const table = new Table()
const common: Omit<Bench, 'cluster' | 'table'> = {
  scale,
  upstream,
  ...(qps !== undefined && { pace: { qps, burst: burst ?? qps } }),
  flags: [
    ...(asInstalled ? memoryOfChart : []),
    ...(prof === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${prof}`]),
  ],
}
/** Measures these phases on a separate cluster. */
async function measure(names: typeof only, column: Column, bring?: (cluster: Cluster) => Promise<void>): Promise<void> {
  if (names.length === 0) return
  const cluster = await BenchCluster.start(bring)
  progress('cluster started')
  try {
    for (const name of names) {
      await phases[name]({ ...common, cluster, table: column })
      progress(`end of ${name}`)
    }
  } finally {
    await cluster.stop()
  }
}
try {
  const isOurs = (name: string): boolean => name !== 'upstream'
  await measure(only.filter(isOurs), table.ours)
  await measure(
    only.filter((name) => !isOurs(name)),
    table.theirs,
    (cluster) => installUpstream(cluster, upstream!),
  )
} finally {
  table.print()
}
