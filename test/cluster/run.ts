/** The cluster tier: tests on a real Kubernetes. Two processes run at a time, each with one cluster for its tests. */
import { Command } from 'commander'
import { type Job, runMocha, sideBySide } from './jobs.ts'

/**
 * These tests kill servers, or make the cluster forget its history. The last tests of this order leave the most behind.
 */
const harmful = ['api', 'broken-control-plane', 'reflector-convergence', 'control-plane']
const harmfulFiles = harmful.map((name) => `test/cluster/${name}.test.ts`)
/**
 * The test needs a cluster without nodes of other tests: a pod on a leftover node never runs.
 */
const seccomp = 'test/cluster/seccomp.test.ts'
/** The test swaps the runtimes of its nodes, and counts all nodes of its cluster. */
const reports = 'test/cluster/seccomp-reports.test.ts'
/** These tests build an image, and install into their own cluster. */
const helm = ['chart', 'image', 'release', 'install'].map((name) => `test/cluster/helm/${name}.test.ts`)
/** These tests install into a cluster whose servers they kill. */
const lives = ['from-upstream', 'lifecycle'].map((name) => `test/cluster/helm/${name}.test.ts`)
/** The test needs Helm, which the tests above build. */
const rendered = 'test/deploy/chart.test.ts'
/** The test installs into its own cluster and is short, so it runs beside the end of the long tests. */
const shipper = 'test/cluster/helm/shipper.test.ts'
/** The test restarts managers repeatedly for some minutes, in its own cluster. */
const leaving = 'test/cluster/leaving-managers.test.ts'
/** These tests need no cluster. */
const nri = 'test/cluster/nri.test.ts'
const runtimes = 'test/cluster/runtimes.test.ts'
const others = [
  'test/cluster/**/*.test.ts',
  ...[seccomp, reports, nri, runtimes, shipper, leaving, ...helm, ...lives, ...harmfulFiles].flatMap((file) => [
    '--ignore',
    file,
  ]),
]

const program = new Command('test:cluster')
  .option('--grep <text>', 'only tests whose title matches')
  .option('--one', 'one process after the other, which print as they go')
  .action(async ({ grep, one }: { grep?: string; one?: true }) => {
    const flags = ['--config', 'test/cluster/.mocharc.json', ...(grep === undefined ? [] : ['--grep', grep])]
    const job = (name: string, seconds: number, files: readonly string[]): Job => ({
      name,
      seconds,
      run: (print) => runMocha([...flags, ...files], print),
    })
    const jobs = [
      job('a cluster that is harmed', 360, harmfulFiles),
      // This job starts before the longer next job, because the two would otherwise start nodes at the same time.
      job('Seccomp on real nodes', 350, [seccomp]),
      job('a cluster for kubectl and nodes', 340, others),
      job('reports of Seccomp', 200, [reports]),
      job('an installation with Helm', 330, helm),
      job('the life of an installation', 300, lives),
      job('managers that are replaced', 200, [leaving]),
      job('shipping from an installation', 100, [shipper]),
      job('NRI and runtimes of containerd', 60, [nri, runtimes]),
      job('the chart, as Helm renders it', 20, [rendered]),
    ]
    process.exitCode = (await sideBySide(jobs, one ? 1 : 2)) ? 0 : 1
  })
await program.parseAsync()
