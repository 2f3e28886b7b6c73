import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { seededRandom } from '../../../src/base/random.ts'
import { type RunningApiServer, startApiServer } from '../../../src/sandbox/api-server/start-api-server.ts'
import { type RunningControllers, startControllers } from '../../../src/sandbox/controllers/start-controllers.ts'
import { FakeNodes } from '../../../src/sandbox/nodes/fake-nodes.ts'
import { outsideKubelets } from '../../../src/sandbox/outside-nodes.ts'
import { sandboxClock } from '../../../src/sandbox/sandbox-clock.ts'
import { builtKubectl } from '../../cluster/binaries/kubectl.ts'
import { inProcessClient } from '../in-process-connection.ts'
import { BehavingRuntime } from './behaving-runtime.ts'

const workload = (kind: string, name: string, more: string): string => `
apiVersion: apps/v1
kind: ${kind}
metadata: { name: ${name} }
spec:
  ${more}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: main, image: "image:1" }] }
`

describe('kubectl on the sandbox', () => {
  const kubectlPath = builtKubectl()
  let server: RunningApiServer
  let controllers: RunningControllers
  let nodes: FakeNodes
  let folder = ''
  const problems: string[] = []

  const kubectl = async (...words: string[]): Promise<string> => {
    const env = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig'), HOME: folder }
    const { stdout } = await promisify(execFile)(kubectlPath!, words, { env })
    return stdout
  }

  before(async function () {
    if (!kubectlPath) return this.skip()
    const clock = sandboxClock
    const random = seededRandom(1)
    const runtime = new BehavingRuntime({ clock, behaviour: () => ({ readyAfter: 50, stopAfter: 20 }) })
    server = await startApiServer({ nodes: outsideKubelets(() => server) })
    folder = await mkdtemp(join(tmpdir(), 'varmor-kubectl-'))
    await writeFile(join(folder, 'kubeconfig'), server.kubeconfig, { mode: 0o600 })
    const user = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
    const client = inProcessClient(server.client(user), { clock, random })
    controllers = startControllers({
      client,
      clock,
      random,
      failed: (what, error) => problems.push(`${what} ${error}`),
    })
    const descriptions = ['a', 'b', 'c'].map((name) => ({ name }))
    const failed = (what: string, error: unknown): unknown => problems.push(`${what} ${error}`)
    nodes = await FakeNodes.start({ client, clock, random, runtime, nodes: descriptions, failed })
    const manifest = [
      workload('Deployment', 'web', 'replicas: 3'),
      workload('StatefulSet', 'db', 'replicas: 2\n  serviceName: db'),
      workload('DaemonSet', 'agent', 'minReadySeconds: 0'),
    ].join('---')
    await writeFile(join(folder, 'workloads.yaml'), manifest)
  })

  after(async () => {
    nodes?.stop()
    controllers?.stop()
    await server?.close()
    if (folder !== '') await rm(folder, { recursive: true })
    expect(problems).to.deep.equal([])
  })

  const status = (what: string): Promise<string> => kubectl('rollout', 'status', what, '--timeout=30s')
  const rolledOut = { web: 'deployment/web', db: 'statefulset/db', agent: 'daemonset/agent' }

  it('sees ready nodes', async () => {
    expect(await kubectl('get', 'nodes', '--no-headers')).to.match(
      /^a +Ready +<none> .*v1\.37\.2\nb +Ready .*\nc +Ready/,
    )
  })

  it('applies workloads and waits until they run', async () => {
    await kubectl('apply', '-f', join(folder, 'workloads.yaml'))
    expect(await status(rolledOut.web)).to.contain('deployment "web" successfully rolled out')
    expect(await status(rolledOut.db)).to.contain('partitioned roll out complete: 2 new pods have been updated')
    expect(await status(rolledOut.agent)).to.contain('daemon set "agent" successfully rolled out')
    const pods = await kubectl('get', 'pods', '--no-headers')
    expect(
      pods
        .trim()
        .split('\n')
        .filter((line) => /1\/1 +Running +0/.test(line)),
    ).to.have.length(8)
  })

  it('restarts each kind', async () => {
    for (const what of Object.values(rolledOut)) {
      await kubectl('rollout', 'restart', what)
      await status(what)
    }
    const stamps = await kubectl(
      'get',
      'pods',
      '-o',
      'jsonpath={.items[*].metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}',
    )
    expect(stamps.split(' ')).to.have.length(8)
  })

  it('shows the history and goes back in it', async () => {
    await kubectl('set', 'image', 'deployment/web', 'main=image:2')
    await status(rolledOut.web)
    await kubectl('rollout', 'undo', rolledOut.web)
    await status(rolledOut.web)
    const history = await kubectl('rollout', 'history', rolledOut.web)
    expect(history.match(/^\d+/gm)).to.deep.equal(['1', '3', '4'])
    expect(await kubectl('get', 'pods', '-o', 'jsonpath={.items[*].spec.containers[0].image}')).to.not.contain(
      'image:2',
    )
  })

  it('scales', async () => {
    await kubectl('scale', 'deployment/web', 'statefulset/db', '--replicas=4')
    await status(rolledOut.web)
    await status(rolledOut.db)
    expect((await kubectl('get', 'pods', '-l', 'app in (web, db)', '-o', 'name')).trim().split('\n')).to.have.length(8)
  })

  it('says that nothing runs whose logs could be read', async () => {
    const refused = await kubectl('logs', 'db-0').catch((error: Error) => error.message)
    expect(refused).to.include('the nodes of this sandbox are simulated')
  })

  it('deletes workloads with their pods', async () => {
    await kubectl('delete', '-f', join(folder, 'workloads.yaml'), '--wait')
    await kubectl('wait', '--for=delete', 'pods', '--all', '--timeout=30s')
    expect(await kubectl('get', 'pods,replicasets', '-o', 'name')).to.equal('')
  })
})
