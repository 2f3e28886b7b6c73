/** The cluster tier: tests on a real Kubernetes, in two processes side by side, each with one cluster for all of its tests. */
import { Command } from 'commander'
import { type Job, runMocha, sideBySide } from './jobs.ts'

/** They kill servers, or make the cluster forget. In this order: the last ones leave the most behind. */
const harmful = ['api', 'broken-control-plane', 'reflector-convergence', 'control-plane']
const harmfulFiles = harmful.map((name) => `test/cluster/${name}.test.ts`)
const others = ['test/cluster/**/*.test.ts', ...harmfulFiles.flatMap((file) => ['--ignore', file])]

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
    const jobs = [job('a cluster that is harmed', 200, harmfulFiles), job('a cluster with real nodes', 199, others)]
    process.exitCode = (await sideBySide(jobs, one ? 1 : 2)) ? 0 : 1
  })
await program.parseAsync()
