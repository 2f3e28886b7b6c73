import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { dashboardFile, dashboardText } from '../../deploy/generate-dashboard.ts'
import { managerMetricRows } from '../../deploy/generate-metrics-doc.ts'
import { agentMetricTable } from '../../src/agent/metrics/agent-metrics.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import { varmorPolicies } from '../../src/kube/own-kinds.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { agentToken, install } from '../../src/sandbox/install.ts'
import { denial } from '../audit/pipeline-world.ts'
import { Child, until } from '../cli/child.ts'
import { type Exposition, scrape } from '../metrics/exposition.ts'
import { readQuery } from '../metrics/prom-query.ts'

interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string; legendFormat: string }[]
}
interface Dashboard {
  templating: { list: { type: string; name: string; query: string | { query: string } }[] }
  panels: Panel[]
}

/** Labels that Prometheus adds, and the label of buckets. */
const added = ['instance', 'job', 'le']

const dashboard: Dashboard = JSON.parse(readFileSync(dashboardFile, 'utf8'))
const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })))

describe('the dashboard for Grafana', () => {
  let folder: string
  let api: RunningApiServer
  let connection: KubeConnection
  let agent: Child | undefined
  let manager: Child | undefined
  let ofAgent: Exposition
  let ofManager: Exposition
  const limiter = new PriorityLimiter({ qps: 1000, burst: 1000 })
  const at = (...path: string[]): string => join(folder, ...path)

  /** Starts a manager and an agent as processes, with a policy and a violation. */
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-dashboard-'))
    api = await startApiServer()
    writeFileSync(at('kubeconfig'), api.kubeconfig, { mode: 0o600 })
    const config = new KubeConfig()
    config.loadFromString(api.kubeconfig)
    connection = new KubeConnection(config)
    const client = new ApiClient({ connection, limiter })
    await install(client, 'varmor')
    const node = await client.create(nodes, { metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux' } } })
    writeFileSync(at('token'), await agentToken(client, 'varmor', { name: 'n1', uid: node.metadata?.uid ?? '' }))
    writeFileSync(at('audit.log'), '')
    const anyMetrics = ['--enableMetrics', '--metrics-port', '0']
    manager = new Child([
      ...['manager', '--kubeconfig', at('kubeconfig'), '--token-audience', '', '--host', '127.0.0.1', ...anyMetrics],
      ...['--webhook-url', 'https://127.0.0.1', '--webhook-port', '0', '--status-port', '0', '--logFormat', 'json'],
    ])
    await manager.says('the manager is running')
    const portOf = (name: string): string => new RegExp(`"${name}":(\\d+)`).exec(manager!.stdout)?.[1] ?? ''
    agent = new Child(
      [
        ...['agent', '--kubeconfig', at('kubeconfig'), '--manager', `https://127.0.0.1:${portOf('status')}`],
        ...['--token-file', at('token'), '--seccomp-dir', at('seccomp'), '--apparmor-dir', at('apparmor')],
        ...['--containerd', at('none.sock'), '--auditLogPaths', at('audit.log'), '--log', at('log', 'violations.log')],
        ...[
          '--readiness-host',
          '127.0.0.1',
          '--readiness-port',
          '0',
          '--workers',
          '1',
          '--checkpoint',
          at('checkpoint'),
        ],
        ...[...anyMetrics, '--metrics-host', '127.0.0.1', '--logFormat', 'json'],
      ],
      { NODE_NAME: 'n1' },
    )
    await agent.says('violations are followed')
    const metricsOfManager = Number(portOf('metrics'))
    await client.create(varmorPolicies, {
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        target: { kind: 'Deployment', name: 'web' },
        policy: {
          enforcer: 'Seccomp',
          mode: 'EnhanceProtect',
          enhanceProtect: { hardeningRules: ['disallow-create-user-ns'] },
        },
      },
    } as never)
    appendFileSync(at('audit.log'), denial('/secret', process.pid, Math.floor(Date.now() / 1000)))
    const metricsPort = /"port":(\d+),"msg":"metrics are served"/.exec(agent.stdout)?.[1]
    ofAgent = await until(async () => {
      const found = await scrape(Number(metricsPort))
      const isThere = found.value('varmor_profiles', { state: 'loaded' }) === 1
      return isThere && found.value('varmor_violation_lag_seconds_count') === 1 && found
    })
    ofManager = await until(async () => {
      const found = await scrape(metricsOfManager)
      return (found.value('varmor_profile_processing_success_total') ?? 0) > 0 && found
    })
  })
  after(async () => {
    expect(await agent?.end()).to.equal(0)
    expect(await manager?.end()).to.equal(0)
    await connection.close()
    limiter.close()
    await api.close()
    rmSync(folder, { recursive: true })
  })

  it('is made from its panels; if not: npm run generate', () => {
    expect(readFileSync(dashboardFile, 'utf8')).to.equal(dashboardText())
  })

  it('names only metrics that a running agent or manager has, by labels that they have there', () => {
    const declared = new Map([
      ...managerMetricRows().map(({ name, labels }) => [name, labels] as const),
      ...agentMetricTable.map(({ name, labels = {} }) => [name, Object.keys(labels)] as const),
    ])
    /** Declared labels count too: a counter of errors has no series before the first error. */
    const labelsOf = (name: string): Set<string> => {
      const series = [ofAgent, ofManager].flatMap(({ samples }) => samples.filter((sample) => sample.name === name))
      const plain = name.replace(/_(bucket|sum|count)$/, '')
      return new Set([
        ...added,
        ...series.flatMap(({ labels }) => Object.keys(labels)),
        ...(declared.get(name) ?? declared.get(plain) ?? []),
      ])
    }
    for (const { title, expr, legendFormat } of queries) {
      const { metrics, groupings } = readQuery(expr)
      expect(metrics, title).not.to.deep.equal([])
      for (const { name, labels } of metrics) {
        if (name === 'up') continue
        expect(ofAgent.names.has(name) || ofManager.names.has(name), `${title}: ${name}`).to.equal(true)
        for (const label of labels) expect(labelsOf(name), `${title}: ${name}`).to.include(label)
      }
      const known = new Set(metrics.flatMap(({ name }) => [...labelsOf(name)]))
      const shown = Array.from(legendFormat.matchAll(/\{\{(\w+)\}\}/g), ([, label]) => label!)
      for (const label of [...groupings, ...shown]) expect(known, `${title}: ${label}`).to.include(label)
    }
  })

  it('shows what is of interest at night, of agents and of managers', () => {
    const named = new Set(queries.flatMap(({ expr }) => readQuery(expr).metrics.map(({ name }) => name)))
    const left = agentMetricTable.map(({ name }) => name).filter((name) => !named.has(name))
    expect(left).to.deep.equal([])
    for (const name of ['varmor_webhook_latency_bucket', 'varmor_leader', 'varmor_certificate_expiry_seconds'])
      expect(named).to.include(name)
  })

  it('asks for its variables by a metric that every agent has', () => {
    const asked = dashboard.templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query))
    const labelled = asked.flatMap((query) => /^label_values\((\w+), instance\)$/.exec(query)?.[1] ?? [])
    expect(labelled).to.have.length(1)
    expect(ofAgent.names.has(labelled[0]!)).to.equal(true)
    expect(dashboard.templating.list.map(({ name }) => name)).to.deep.equal(['datasource', 'node'])
    const used = new Set(queries.flatMap(({ expr }) => expr.match(/\$(?!__)\w+/g) ?? []))
    expect([...used]).to.deep.equal(['$node'])
  })

  it('has panels that do not overlap, each with a number of its own', () => {
    const taken = new Set<string>()
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).to.be.at.most(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`), title).to.equal(false)
          taken.add(`${x} ${y}`)
        }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).to.equal(dashboard.panels.length)
  })
})
