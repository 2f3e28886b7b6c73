import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { systemClock } from '../../src/base/clock.ts'
import type { Attempt } from '../../src/kube/caller.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { configMaps, namespaces, secrets } from '../../src/kube/core-objects.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import type { KubeObject, ResourceRef } from '../../src/kube/objects.ts'
import { armorProfiles, varmorClusterPolicies, varmorPolicies } from '../../src/kube/own-kinds.ts'
import { leases } from '../../src/kube/resources.ts'
import {
  mutatingName,
  mutatingWebhookConfigurations,
  validatingName,
  validatingWebhookConfigurations,
} from '../../src/manager/admission/webhook-configurations.ts'
import { pods, workloadResources } from '../../src/manager/cluster-resources.ts'
import { ElsewhereError, forgetUninstall, uninstall } from '../../src/manager/uninstall.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { install } from '../../src/sandbox/install.ts'
import { eventually } from '../cluster/wait.ts'

const namespace = 'varmor'
const spec = {
  target: { kind: 'Deployment', name: 'web' },
  policy: { enforcer: 'Seccomp', mode: 'RuntimeDefault' },
}
const marker = { metadata: { name: 'varmor-uninstall', namespace } }
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

describe('uninstall, without a manager and without agents', () => {
  let api: RunningApiServer
  let client: ApiClient
  let requests: string[]
  beforeEach(async () => {
    api = await startApiServer()
    const config = new KubeConfig()
    config.loadFromString(api.kubeconfig)
    requests = []
    const observer = { started: ({ verb, resource }: Attempt) => void requests.push(`${verb} ${resource}`) }
    client = new ApiClient({ connection: new KubeConnection(config), limiter: new PriorityLimiter(), observer })
    await install(client, namespace)
    await leftBehind()
  })
  afterEach(async () => {
    await client.close()
    await api.close()
  })

  /** Creates the objects that killed managers leave behind. */
  async function leftBehind(): Promise<void> {
    const held = (finalizer: string, name: string, where?: string) => ({
      metadata: {
        name,
        ...(where !== undefined && { namespace: where }),
        finalizers: [finalizer, 'example.org/other'],
      },
    })
    const mine = 'varmor.org/vp-protection'
    await client.create(namespaces, { metadata: { name: 'team' } })
    await client.create(varmorPolicies, { ...held(mine, 'web', 'team'), spec } as never)
    await client.create(varmorClusterPolicies, { ...held(mine, 'all'), spec } as never)
    await client.create(armorProfiles, {
      ...held('varmor.org/ap-protection', 'varmor-team-web', 'team'),
      spec: {
        profile: { name: 'varmor-team-web', enforcer: 'Seccomp', mode: 'enforce' },
        ...{ target: spec.target, behaviorModeling: { enable: false, duration: 0 }, updateExistingWorkloads: false },
      },
    } as never)
    const clientConfig = { url: 'https://127.0.0.1:1/validate' }
    const webhook = (name: string) => ({
      metadata: { name },
      webhooks: [{ name: 'a.varmor.org', clientConfig, sideEffects: 'None', admissionReviewVersions: ['v1'] }],
    })
    await client.create(mutatingWebhookConfigurations, webhook(mutatingName))
    await client.create(validatingWebhookConfigurations, webhook(validatingName))
    await client.create(secrets, { metadata: { name: 'varmor-manager-tls', namespace } })
    await client.create(configMaps, { metadata: { name: 'varmor-manager-tls-ca', namespace } })
    await client.create(leases, { metadata: { name: 'varmor-manager', namespace }, spec: {} } as never)
  }

  const run = (keepPolicies: boolean, areCertain = false, ofHelm = false): Promise<string[]> =>
    uninstall({
      ...{ client, namespace, keepPolicies, manager: 'varmor-manager', agent: 'varmor-agent', areCertain, ofHelm },
      ...{ timeout: 0, clock: systemClock, logger: silent },
    })

  const kinds = [armorProfiles, mutatingWebhookConfigurations, validatingWebhookConfigurations, leases] as ResourceRef[]
  const objects = async (refs: readonly ResourceRef[]): Promise<KubeObject[]> =>
    (await Promise.all(refs.map((ref) => client.list(ref)))).flatMap(({ items }) => items)
  const finalizers = (found: KubeObject[]): unknown[] => found.flatMap(({ metadata }) => metadata?.finalizers ?? [])
  const others = async (): Promise<void> => {
    for (const ref of [varmorPolicies, varmorClusterPolicies, armorProfiles] as unknown as ResourceRef[])
      for (const { metadata: { name = '', namespace } = {} } of (await client.list(ref)).items)
        await client.patch(
          ref,
          { name, ...(namespace !== undefined && { namespace }) },
          { type: 'merge', patch: { metadata: { finalizers: null } } },
        )
  }

  it('leaves nothing but what others hold, and is done again without harm', async () => {
    await run(false)
    await run(false)
    const policies = await objects([varmorPolicies, varmorClusterPolicies, armorProfiles] as unknown as ResourceRef[])
    expect(policies).to.have.length(3)
    expect(finalizers(policies)).to.deep.equal(['example.org/other', 'example.org/other', 'example.org/other'])
    await others()
    expect(await objects([...kinds, varmorPolicies, varmorClusterPolicies] as unknown as ResourceRef[])).to.deep.equal(
      [],
    )
    for (const ref of [secrets, configMaps] as ResourceRef[])
      expect((await client.list(ref, { namespace })).items.filter(ours)).to.deep.equal([])
  })

  it('waits for the pods of agents, also after an interrupted run, and names those that do not end', async () => {
    const labels = { app: 'agent' }
    const containers = [{ name: 'agent', image: 'agent' }]
    const daemonSets = workloadResources.DaemonSet as unknown as ResourceRef
    const { metadata = {} } = await client.create(daemonSets, {
      metadata: { name: 'varmor-agent', namespace },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
    } as never)
    const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'varmor-agent', uid: metadata.uid! }
    const ownerReferences = [{ ...owner, controller: true, blockOwnerDeletion: true }]
    await client.create(pods, {
      metadata: { name: 'agent-1', namespace, labels, ownerReferences },
      spec: { nodeName: 'node-1', containers },
    } as never)
    // An interrupted uninstall left this ConfigMap. Agents ignore a ConfigMap that is older than they are.
    await client.create(configMaps, marker)
    const marked: string[][] = []
    for (const time of ['first', 'second']) {
      requests = []
      expect(await run(false), time).to.deep.equal(['agent-1'])
      const end = requests.indexOf('delete daemonsets')
      marked.push(requests.slice(0, end).filter((request) => /^(create|delete) configmaps$/.test(request)))
    }
    // The second run keeps the ConfigMap, because ending agents would not find it during a replacement.
    expect(marked).to.deep.equal([['delete configmaps', 'create configmaps'], ['create configmaps']])
    await client.delete(pods, { name: 'agent-1', namespace }, { gracePeriodSeconds: 0 })
    expect(await run(false)).to.deep.equal([])
    await eventually('the DaemonSet to be gone', async () => (await objects([daemonSets])).length === 0)
  })

  const workload = async (kind: 'Deployment' | 'DaemonSet', metadata: object): Promise<void> => {
    const labels = { app: 'one' }
    const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } }
    await client.create(workloadResources[kind], {
      metadata,
      spec: { selector: { matchLabels: labels }, template },
    } as never)
  }
  const left = async (): Promise<KubeObject[]> =>
    objects([...kinds, varmorPolicies, varmorClusterPolicies] as unknown as ResourceRef[])

  const byName = { 'app.kubernetes.io/name': 'varmor' }
  const byComponent = (component: string) => ({
    'app.kubernetes.io/name': 'armor',
    'app.kubernetes.io/component': component,
  })
  for (const [kind, where, labels, title] of [
    ['Deployment', { name: 'varmor-manager', namespace: 'team' }, byName, ''],
    ['DaemonSet', { name: 'varmor-nodes', namespace }, byName, ''],
    ['Deployment', { name: 'varmor-manager', namespace: 'team' }, byComponent('varmor-manager'), ', by nameOverride'],
    ['DaemonSet', { name: 'varmor-agent', namespace: 'team' }, byComponent('varmor-agent'), ', by nameOverride'],
    [
      'DaemonSet',
      { name: 'varmor-agent', namespace: 'team' },
      { ...byComponent('varmor-agent'), ...byName },
      ', found twice',
    ],
  ] as const) {
    it(`removes nothing where the ${kind} is called ${where.namespace}/${where.name}${title}, and says how to name it`, async () => {
      await workload(kind, { ...where, labels })
      const before = await left()
      const refused = await run(false).catch((error: unknown) => error)
      expect(refused).to.be.instanceOf(ElsewhereError)
      const flag = kind === 'Deployment' ? '--manager-deployment' : '--agent-daemonset'
      expect((refused as Error).message)
        .to.include(`there is no ${kind} varmor/`)
        .and.to.include(`, but ${where.namespace}/${where.name}; nothing was removed: `)
        .and.to.include(`give --namespace ${where.namespace} ${flag} ${where.name}`)
      expect(await left()).to.deep.equal(before)
      expect(before).to.have.length(6)
    })
  }

  const annotations = { 'meta.helm.sh/release-name': 'varmor', 'meta.helm.sh/release-namespace': namespace }
  for (const { title, manager, agent, applied, refused } of [
    { title: 'neither is of Helm', manager: {}, agent: {}, refused: 'Deployment varmor/varmor-manager' },
    { title: 'one is not of Helm', manager: { annotations }, agent: {}, refused: 'DaemonSet varmor/varmor-agent' },
    { title: 'the only one is not of Helm', agent: {}, refused: 'DaemonSet varmor/varmor-agent' },
    {
      title: 'kubectl has applied one of Helm since',
      manager: { annotations: { ...annotations, 'kubectl.kubernetes.io/last-applied-configuration': '{}' } },
      agent: { annotations },
      refused: 'Deployment varmor/varmor-manager',
    },
    {
      title: 'Argo CD has applied one of Helm since',
      manager: { annotations },
      agent: { annotations },
      applied: true,
      refused: 'DaemonSet varmor/varmor-agent',
    },
    { title: 'both are of Helm', manager: { annotations }, agent: { annotations } },
    { title: 'the only one is of Helm', agent: { annotations } },
    { title: 'none is there, as after one that was broken off' },
  ])
    it(`as the chart's Job ${refused === undefined ? 'removes all' : 'removes nothing'} where ${title}`, async () => {
      if (manager !== undefined) await workload('Deployment', { name: 'varmor-manager', namespace, ...manager })
      if (agent !== undefined) await workload('DaemonSet', { name: 'varmor-agent', namespace, ...agent })
      if (applied === true) {
        const metadata = { name: 'varmor-agent', namespace, labels: { its: 'own' } }
        const object = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata }
        await client.apply(workloadResources.DaemonSet, object as never, { fieldManager: 'argocd-controller' })
      }
      const before = await left()
      requests = []
      const done = await run(false, true, true).catch((error: unknown) => error)
      if (refused === undefined) {
        expect(done).to.deep.equal([])
        await others()
        expect(await left()).to.deep.equal([])
        return
      }
      expect(done).to.be.instanceOf(ElsewhereError)
      expect((done as Error).message)
        .to.include(`the ${refused}; `)
        .and.to.include('nothing was removed. Render the chart with uninstall.hook=false, delete this Job')
      expect(await left()).to.deep.equal(before)
      expect(requests.filter((request) => /^(delete|patch)/.test(request))).to.deep.equal([])
    })

  it('asks for nothing elsewhere where its names are certain, as the Job of the chart may not', async () => {
    await run(false, true)
    expect(requests.filter((request) => /^list (deployments|daemonsets)/.test(request))).to.deep.equal([])
    requests = []
    await run(false)
    expect(requests).to.include.members(['list deployments', 'list daemonsets'])
  })

  it('is forgotten by a manager that starts, where it was broken off', async () => {
    await client.create(configMaps, marker)
    const warnings: string[] = []
    const logger = { ...silent, warn: (_: object, message: string) => void warnings.push(message) }
    for (const _ of ['first', 'second']) await forgetUninstall(client, namespace, logger)
    expect(warnings.join()).to.match(
      /^removing the ConfigMap of an interrupted uninstall; .* would remove all profiles/,
    )
    const left = (await client.list(configMaps, { namespace })).items.map(({ metadata }) => metadata?.name)
    expect(left).not.to.include('varmor-uninstall')
  })

  it('keeps policies if asked, which can then be deleted', async () => {
    await run(true)
    const policies = await objects([varmorPolicies, varmorClusterPolicies] as unknown as ResourceRef[])
    expect(policies.map(({ metadata }) => metadata?.name)).to.have.members(['web', 'all'])
    expect(policies.every(({ metadata }) => metadata?.deletionTimestamp === undefined)).to.equal(true)
    expect(finalizers(policies)).to.deep.equal(['example.org/other', 'example.org/other'])
    await others()
    expect(await objects(kinds)).to.deep.equal([])
  })
})

const ours = ({ metadata }: KubeObject): boolean => metadata?.name?.startsWith('varmor') === true
