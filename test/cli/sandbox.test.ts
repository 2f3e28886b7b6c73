import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { systemClock } from '../../src/base/clock.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { armorProfiles, varmorPolicies } from '../../src/kube/own-kinds.ts'
import { defineResource } from '../../src/kube/resources.ts'
import { nodes, workloadResources } from '../../src/manager/cluster-resources.ts'
import { Child, until } from './child.ts'

interface Pod extends KubeObject {
  spec: { containers: { securityContext?: { seccompProfile?: object } }[] }
  status?: { phase?: string }
}

const pods = defineResource<Pod>({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })

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

const deployment = {
  metadata: { name: 'web', namespace: 'default', labels: { 'sandbox.varmor.org/enable': 'true' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web' }] } },
  },
} as never

describe('varmor sandbox', () => {
  let folder: string
  let child: Child | undefined
  const limiter = new PriorityLimiter({ qps: 1000, burst: 1000 })
  const connections: KubeConnection[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-sandbox-test-'))
  })
  afterEach(async () => {
    await child?.end('SIGKILL')
    for (const connection of connections.splice(0)) await connection.close()
    rmSync(folder, { recursive: true, force: true })
  })
  after(() => limiter.close())

  const clientOf = (kubeconfig: string): ApiClient => {
    const config = new KubeConfig()
    config.loadFromFile(kubeconfig)
    const connection = new KubeConnection(config, { clock: systemClock })
    connections.push(connection)
    return new ApiClient({ connection, limiter })
  }
  const start = async (...args: string[]): Promise<{ running: Child; kubeconfig: string }> => {
    const running = new Child(['sandbox', ...args])
    child = running
    await running.says('Ctrl-C stops the sandbox')
    return { running, kubeconfig: /export KUBECONFIG=(\S+)/.exec(running.stdout)?.[1] ?? '' }
  }
  const ready = (client: ApiClient) =>
    until(async () => {
      const found = await client.get(varmorPolicies, { name: 'web', namespace: 'default' })
      return found.status?.ready === true && found
    })
  const runningPods = (client: ApiClient) =>
    until(async () => {
      const { items } = await client.list(pods, { namespace: 'default' })
      return items.length === 2 && items.every(({ status }) => status?.phase === 'Running') && items
    })

  it('says how to use it, and is gone without a trace on Ctrl-C', async () => {
    const { running, kubeconfig } = await start('--nodes', '2')
    expect(running.stdout)
      .to.match(/2 nodes, node-1 to node-2/)
      .and.to.match(/kubectl apply -f -/)
    expect(statSync(kubeconfig).mode & 0o777).to.equal(0o600)
    const { items } = await clientOf(kubeconfig).list(nodes)
    expect(items.map(({ metadata }) => metadata?.name)).to.deep.equal(['node-1', 'node-2'])
    expect(await running.end('SIGINT')).to.equal(0)
    expect(existsSync(kubeconfig)).to.equal(false)
    expect(running.stderr).to.equal('')
  })

  it('goes on where it ended with --data: the same kubeconfig, policy and pods, and no write to what is as it should be', async () => {
    const data = join(folder, 'data')
    const first = await start('--nodes', '2', '--data', data)
    expect(statSync(data).mode & 0o777).to.equal(0o700)
    const client = clientOf(first.kubeconfig)
    await client.create(workloadResources.Deployment, deployment)
    await client.create(varmorPolicies, policy)
    await ready(client)
    await runningPods(client)
    const before = {
      policy: await client.get(varmorPolicies, { name: 'web', namespace: 'default' }),
      profile: await client.get(armorProfiles, { name: 'varmor-default-web', namespace: 'default' }),
      pods: (await client.list(pods, { namespace: 'default' })).items.map(({ metadata }) => metadata?.uid).sort(),
    }
    expect(await first.running.end()).to.equal(0)

    const second = await start('--nodes', '2', '--data', data, '-v', '1')
    expect(second.kubeconfig).to.equal(first.kubeconfig)
    // The client of the first run still works, because address and authority are unchanged.
    const found = await client.get(varmorPolicies, { name: 'web', namespace: 'default' })
    expect(found).to.deep.equal(before.policy)
    await second.running.says('this manager is now the leader')
    // The new manager, which listens on other ports, admits a new pod.
    const more = { spec: { template: { metadata: { labels: { more: 'x' } } } } }
    const web = { name: 'web', namespace: 'default' }
    await client.patch(workloadResources.Deployment, web, { type: 'merge', patch: more })
    await until(async () => {
      const { items } = await client.list(pods, { namespace: 'default' })
      const young = items.filter(({ metadata }) => !before.pods.includes(metadata?.uid))
      return young.length >= 1 && young.every(isConfined)
    })
    const after = await client.get(varmorPolicies, { name: 'web', namespace: 'default' })
    expect(after).to.deep.equal(before.policy)
    const profile = await client.get(armorProfiles, { name: 'varmor-default-web', namespace: 'default' })
    expect(profile).to.deep.equal(before.profile)
    expect(await second.running.end()).to.equal(0)
  })

  it('ends with status 1 and says what to do when its port is taken, or what it kept is no more', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    try {
      child = new Child(['sandbox', '--port', `${port}`])
      expect(await child.exited()).to.equal(1)
      expect(child.stderr).to.match(/is taken.*choose another port with --port/)
    } finally {
      server.close()
    }
    writeFileSync(join(folder, 'objects.json'), '{')
    child = new Child(['sandbox', '--data', folder])
    expect(await child.exited()).to.equal(1)
    expect(child.stderr).to.include('remove the file to start without saved objects')
    expect(readFileSync(join(folder, 'objects.json'), 'utf8')).to.equal('{')
  })
})

const isConfined = ({ spec }: Pod): boolean =>
  spec.containers.every(({ securityContext }) => securityContext?.seccompProfile !== undefined)
