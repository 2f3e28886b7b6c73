import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import { varmorPolicies } from '../../src/kube/own-kinds.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { agentToken, install } from '../../src/sandbox/install.ts'
import { denial } from '../audit/pipeline-world.ts'
import { Child, until } from './child.ts'

const policy = {
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    target: { kind: 'Deployment', name: 'web' },
    policy: {
      enforcer: 'Seccomp',
      mode: 'EnhanceProtect',
      enhanceProtect: { hardeningRules: ['disallow-create-user-ns'] },
    },
  },
} as never

const anyPorts = ['--host', '127.0.0.1', '--webhook-port', '0', '--status-port', '0', '--metrics-port', '0']

describe('varmor manager and varmor agent, each a process', () => {
  let folder: string
  let api: RunningApiServer
  let client: ApiClient
  let connection: KubeConnection
  const limiter = new PriorityLimiter({ qps: 1000, burst: 1000 })
  const children: Child[] = []
  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Child => {
    const child = new Child(args, { POD_NAMESPACE: '', NODE_NAME: '', ...env })
    children.push(child)
    return child
  }
  const at = (...path: string[]): string => join(folder, ...path)

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-roles-'))
    api = await startApiServer()
    writeFileSync(at('kubeconfig'), api.kubeconfig, { mode: 0o600 })
    const config = new KubeConfig()
    config.loadFromString(api.kubeconfig)
    connection = new KubeConnection(config)
    client = new ApiClient({ connection, limiter })
    await install(client, 'varmor')
  })
  afterEach(async () => {
    for (const child of children.splice(0)) await child.end('SIGKILL')
  })
  after(async () => {
    await connection.close()
    limiter.close()
    await api.close()
    rmSync(folder, { recursive: true })
  })

  it('have a policy on the disk of the node, write its violations, and leave in order', async () => {
    const node = await client.create(nodes, { metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux' } } })
    const token = await agentToken(client, 'varmor', { name: 'n1', uid: node.metadata?.uid ?? '' })
    writeFileSync(at('token'), token, { mode: 0o600 })
    writeFileSync(at('audit.log'), '')
    mkdirSync(at('seccomp'))
    const manager = run([
      ...['manager', '--kubeconfig', at('kubeconfig'), '--token-audience', '', '--logFormat', 'json'],
      ...['--webhook-url', 'https://127.0.0.1', ...anyPorts, '--shutdown-delay', '0'],
    ])
    await manager.says('the manager is running')
    const status = /"status":(\d+)/.exec(manager.stdout)?.[1]
    const agent = run(
      [
        ...['agent', '--kubeconfig', at('kubeconfig'), '--manager', `https://127.0.0.1:${status}`],
        ...['--token-file', at('token'), '--seccomp-dir', at('seccomp'), '--apparmor-dir', at('apparmor')],
        ...['--containerd', at('none.sock'), '--auditLogPaths', at('audit.log'), '--log', at('log', 'violations.log')],
        ...['--readiness-host', '127.0.0.1', '--readiness-port', '0', '--workers', '1'],
        ...['--metadata', 'zone=z', '--removeAllSeccompProfiles'],
      ],
      { NODE_NAME: 'n1', AUDIT_EVENT_METADATA: '{"clusterID":"c1"}' },
    )
    await agent.says('waiting for the container runtime')
    await agent.says('the agent is running')
    const readiness = /the agent is running .*port=(\d+)/.exec(agent.stdout)?.[1]
    await client.create(varmorPolicies, policy)
    await until(async () => {
      const found = await client.get(varmorPolicies, { name: 'web', namespace: 'default' })
      return found.status?.ready === true
    })
    const file = at('seccomp', 'varmor-default-web')
    expect(statSync(file).mode & 0o777).to.equal(0o600)
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.have.property('defaultAction', 'SCMP_ACT_ALLOW')
    const report = await (await fetch(`http://127.0.0.1:${readiness}/health/readiness`)).json()
    expect(report).to.deep.include({ ready: true, wanted: 1, loaded: 1 })

    await agent.says('violations are followed')
    appendFileSync(at('audit.log'), denial('/secret', process.pid, Math.floor(Date.now() / 1000)))
    const log = at('log', 'violations.log')
    await until(async () => existsSync(log) && readFileSync(log, 'utf8').endsWith('\n'))
    const line = JSON.parse(readFileSync(log, 'utf8').split('\n')[0] ?? '')
    expect(line).to.deep.include({
      nodeName: 'n1',
      metadata: { clusterID: 'c1', zone: 'z', varmorNamespace: 'varmor' },
    })

    expect(await agent.end()).to.equal(0)
    expect(existsSync(file)).to.equal(false)
    expect(await manager.end()).to.equal(0)
    // As in upstream, both roles log to standard output, in this test one as text and one as JSON, set by their flags.
    expect([manager.stderr, agent.stderr]).to.deep.equal(['', ''])
    const words = manager.stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text).msg)
    expect(words).to.include('the manager is stopping').and.to.include('the manager has stopped')
    expect(agent.stdout).to.match(/ INFO {2}the agent has stopped\n$/)
  })

  it('a manager waits for an API server that does not answer yet, and ends meanwhile on a signal', async () => {
    // A server that accepts connections and closes them.
    const silent = createServer()
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const { port } = silent.address() as AddressInfo
    silent.on('connection', (socket) => socket.destroy())
    const config = api.kubeconfig.replaceAll(api.url, `https://127.0.0.1:${port}`)
    writeFileSync(at('silent'), config, { mode: 0o600 })
    const manager = run(['manager', '--kubeconfig', at('silent'), ...anyPorts])
    await manager.says('the API server does not answer; retrying')
    expect(await manager.end()).to.equal(0)
    silent.close()
  })

  it('a manager that the API server does not know ends with status 1, and says so', async () => {
    const cluster = { server: api.url, 'certificate-authority-data': Buffer.from(api.caPem).toString('base64') }
    const config = {
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 'unknown' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }
    writeFileSync(at('stranger'), JSON.stringify(config), { mode: 0o600 })
    const manager = run(['manager', '--kubeconfig', at('stranger'), ...anyPorts])
    expect(await manager.exited()).to.equal(1)
    expect(manager.stdout).to.match(/failed and stops.*401/)
  })

  it('a manager without the authorities that it is to know API servers by does not start, and names their file', async () => {
    const manager = run([
      ...['manager', '--kubeconfig', at('kubeconfig'), '--webhook-url', 'https://127.0.0.1', ...anyPorts],
      ...['--webhook-client-ca', at('no-ca.crt'), '--shutdown-delay', '0'],
    ])
    expect(await manager.exited()).to.equal(1)
    expect(manager.stdout).to.match(/failed and stops.*cannot read a certificate file: ENOENT.*no-ca\.crt/)
  })

  it('a manager that answers reviews ends at once on a second signal', async () => {
    const manager = run([
      ...['manager', '--kubeconfig', at('kubeconfig'), '--webhook-url', 'https://127.0.0.1', ...anyPorts],
      ...['--shutdown-delay', '600'],
    ])
    await manager.says('the manager is running')
    manager.process.kill('SIGTERM')
    await manager.says('the manager is shutting down: it is no longer ready, and still answers requests for this time')
    expect(await manager.end()).to.equal(1)
    expect(manager.stdout).to.match(/a second signal stopped the manager at once/)
  })

  it('a manager whose port is taken ends with status 1, and names it', async () => {
    const manager = run([
      ...['manager', '--kubeconfig', at('kubeconfig'), ...anyPorts],
      ...['--webhook-port', new URL(api.url).port],
    ])
    expect(await manager.exited()).to.equal(1)
    expect(manager.stdout).to.match(/failed and stops code=EADDRINUSE/)
  })
})
