import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { alerts } from '../../deploy/prometheus/alerts.ts'
import { READINESS_PATH } from '../../src/agent/lifecycle/readiness.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import { varmorClusterPolicies, varmorPolicies } from '../../src/kube/own-kinds.ts'
import { startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { install } from '../../src/sandbox/install.ts'
import { builtKubectl } from '../cluster/binaries/kubectl.ts'
import { result } from '../cluster/command.ts'

describe('the remedies of the alerts', () => {
  /** The first command of a remedy that starts with this text. */
  const commandOf = (alert: string, start: string): string =>
    Array.from(
      alerts.find(({ name }) => name === alert)!.remedy.matchAll(/`(kubectl [^`]+)`/g),
      ([, one]) => one!,
    ).find((one) => one.startsWith(start))!

  it('of VarmorNodeNotReady show what a node lacks, at the address where an agent of the chart listens', async () => {
    const report = { ready: false, missing: ['varmor-default-web'] }
    const agent = createServer(({ url }, response) => response.writeHead(503).end(url + JSON.stringify(report)))
    await once(agent.listen(0, '127.0.0.2'), 'listening')
    try {
      const { port } = agent.address() as AddressInfo
      const env = { ...process.env, POD_IP: '127.0.0.2', AGENT_READINESS_PORT: String(port) }
      const inAgent = commandOf('VarmorNodeNotReady', 'kubectl -n varmor exec').replace(
        /^kubectl -n varmor exec POD -- /,
        '',
      )
      const { stdout } = await result('sh', ['-c', inAgent], { env })
      expect(stdout).to.equal(READINESS_PATH + JSON.stringify(report))
    } finally {
      agent.close()
    }
    const daemonSet = readFileSync(new URL('../../deploy/helm/varmor/templates/agent/daemonset.yaml', import.meta.url))
    expect(daemonSet.toString()).to.include('name: POD_IP').and.to.include('name: AGENT_READINESS_PORT')
  })

  const kubectl = builtKubectl()
  it(`of VarmorPoliciesNotReady show why${kubectl === undefined ? ' (skipped: needs kubectl, which the tests of the cluster build)' : ''}`, async function () {
    if (kubectl === undefined) this.skip()
    const api = await startApiServer()
    const config = new KubeConfig()
    config.loadFromString(api.kubeconfig)
    const connection = new KubeConnection(config)
    const limiter = new PriorityLimiter({ qps: 1000, burst: 1000 })
    const folder = mkdtempSync(join(tmpdir(), 'varmor-alerts-'))
    try {
      const client = new ApiClient({ connection, limiter })
      await install(client, 'varmor')
      const policy = {
        target: { kind: 'Deployment', name: 'web' },
        policy: { enforcer: 'Seccomp', mode: 'AlwaysAllow' },
      }
      const conditions = [
        { type: 'Created', status: 'True', message: 'is not shown' },
        { type: 'Ready', status: 'False', reason: 'Why', message: 'it takes too long' },
      ].map((one) => ({ lastTransitionTime: '2026-01-01T00:00:00Z', reason: 'Other', ...one }))
      const made = await client.create(varmorPolicies, {
        ...{ metadata: { name: 'web', namespace: 'default' }, spec: policy },
      } as never)
      await client.updateStatus(varmorPolicies, {
        ...made,
        status: { conditions, profileName: 'varmor-default-web', ready: false },
      } as never)
      await client.create(varmorClusterPolicies, { metadata: { name: 'all' }, spec: policy } as never)
      writeFileSync(join(folder, 'kubeconfig'), api.kubeconfig, { mode: 0o600 })
      const env = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig'), HOME: folder }
      const { stdout, stderr } = await result(
        'sh',
        ['-c', commandOf('VarmorPoliciesNotReady', 'kubectl get').replace('kubectl', kubectl!)],
        { env },
      )
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/))
      expect(lines, stderr).to.deep.equal([
        ['NAMESPACE', 'NAME', 'READY', 'WHY'],
        ['default', 'web', 'False', 'it takes too long'],
        ['<none>', 'all', '<none>', '<none>'],
      ])
    } finally {
      rmSync(folder, { recursive: true })
      limiter.close()
      await connection.close()
      await api.close()
    }
  })
})
