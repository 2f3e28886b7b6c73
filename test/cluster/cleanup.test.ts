import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describeCluster } from './describe-cluster.ts'
import { missingForNodes } from './requirements.ts'
import { eventually } from './wait.ts'

const script = `
const { startCluster } = await import('./test/cluster/cluster.ts')
const cluster = await startCluster({ nodes: process.argv.at(-1) === 'nodes', log: () => undefined })
console.log(cluster.folder.path)
setInterval(() => undefined, 1000)
`

/**
 * Starts a cluster in a separate process.
 * @returns the process, and the folder of the cluster
 */
async function clusterElsewhere(): Promise<{ owner: ChildProcess; folder: string }> {
  const nodes = missingForNodes().length === 0 ? 'nodes' : 'none'
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script, '--', nodes], {
    cwd: join(import.meta.dirname, '..', '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const chunk of owner.stdout!) return { owner, folder: String(chunk).trim() }
  throw new Error('the cluster did not start')
}

describeCluster('a test run that is killed', () => {
  it('leaves nothing behind', async () => {
    const { owner, folder } = await clusterElsewhere()
    expect(existsSync(join(folder, 'etcd'))).to.equal(true)
    const id = folder.slice(-6)
    owner.kill('SIGKILL')
    await eventually('the folder to go', async () => !existsSync(folder))
    expect(readdirSync('/sys/class/net').filter((name) => name.includes(id))).to.deep.equal([])
  })
})
