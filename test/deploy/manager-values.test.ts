import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Manifest } from '../cluster/helm/helm.ts'
import { describeHelm } from './describe-helm.ts'

const upstream = JSON.parse(
  readFileSync(new URL('../fixtures/helm/upstream-values.json', import.meta.url), 'utf8'),
) as Upstream

interface Upstream {
  manager: { topologySpreadConstraints: object[] }
}

interface Template {
  metadata: { labels: Record<string, string> }
  spec: {
    affinity?: object
    topologySpreadConstraints?: object[]
    terminationGracePeriodSeconds: number
    containers: { args: string[]; volumeMounts?: object[] }[]
    volumes?: object[]
  }
}

describeHelm(4, 'Managers of the chart', (helm) => {
  const rendered = (values: object, version = '1.37.2'): Promise<Manifest[]> =>
    helm().template(values, '--kube-version', version)
  const templateOf = (manifests: readonly Manifest[], kind: string): Template =>
    manifests.find((each) => each.kind === kind)!.spec!['template'] as Template
  const managersWith = async (manager: object): Promise<Template> =>
    templateOf(await rendered({ manager }), 'Deployment')

  for (const [version, apiVersion] of [
    ['1.21.0', 'autoscaling/v2beta2'],
    ['1.22.17', 'autoscaling/v2beta2'],
    ['1.23.0', 'autoscaling/v2'],
    ['1.37.2', 'autoscaling/v2'],
  ] as const)
    it(`are scaled by ${apiVersion} of Kubernetes ${version}, which has it`, async () => {
      const manifests = await rendered({ manager: { autoscaling: { enabled: true } } }, version)
      expect(manifests.find(({ kind }) => kind === 'HorizontalPodAutoscaler')!.apiVersion).to.equal(apiVersion)
    })

  const labels = (component: string) => ({ matchLabels: { 'app.kubernetes.io/component': component } })
  const term = (component: string) => ({ topologyKey: 'zone', labelSelector: labels(component) })
  const others = {
    podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('varmor-manager-x'), term('varmor-agent')] },
  }
  for (const { title, manager, selects } of [
    { title: 'by default', manager: {}, selects: 3 },
    { title: 'with another name', manager: { name: 'controller' }, selects: 3 },
    {
      title: 'with another name and what upstream’s values have',
      ...{ manager: { ...upstream.manager, name: 'controller' }, selects: 3 },
    },
  ])
    it(`stay apart ${title}: what selects them has the label that they have`, async () => {
      const { metadata, spec } = await managersWith(manager)
      const component = metadata.labels['app.kubernetes.io/component']!
      const selectors = JSON.stringify([spec.affinity, spec.topologySpreadConstraints])
      const selected = Array.from(selectors.matchAll(/"app.kubernetes.io\/component":"([^"]+)"/g), ([, one]) => one)
      expect(selected).to.deep.equal(Array<string>(selects).fill(component))
    })

  it('keep a selector that is of others', async () => {
    const { spec } = await managersWith({ name: 'controller', affinity: others })
    expect(spec.affinity).to.deep.include(others)
  })

  it('are removed by a Job on the nodes where they may be', async () => {
    const nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'arch', operator: 'In', values: ['x'] }] }],
      },
    }
    const job = async (values: object) => templateOf(await rendered(values), 'Job').spec.affinity
    expect(await job({})).to.equal(undefined)
    expect(await job({ manager: { affinity: null } })).to.equal(undefined)
    expect(await job({ manager: { affinity: { nodeAffinity } } })).to.deep.equal({ nodeAffinity })
  })

  const noDelay = { shutdownDelaySeconds: null }
  for (const [manager, delay, grace] of [
    [{}, 10, 40],
    [{ shutdownDelaySeconds: 0 }, 0, 30],
    [{ shutdownDelaySeconds: 60 }, 60, 90],
    [{ shutdownDelaySeconds: 60, terminationGracePeriodSeconds: 61 }, 60, 61],
    [{ terminationGracePeriodSeconds: null }, 10, 40],
    [noDelay, 10, 40],
  ] as const)
    it(`have the time to answer after SIGTERM, and then to end, with ${JSON.stringify(manager)}`, async () => {
      const { spec } = await managersWith(manager)
      // Without a value, the program uses its own default, which equals the chart's.
      const flags = spec.containers[0]!.args.filter((arg) => arg.startsWith('--shutdown-delay'))
      expect(flags).to.deep.equal(manager === noDelay ? [] : [`--shutdown-delay=${delay}`])
      expect(spec.terminationGracePeriodSeconds).to.equal(grace)
    })

  it('take reviews from clients of an authority, where a ConfigMap has one', async () => {
    const { spec: usual } = await managersWith({})
    expect(usual.containers[0]!.args.join(' ')).not.to.include('--webhook-client')
    const clientCA = { configMapName: 'front', key: 'client-ca-file', names: ['front-proxy-client', 'a.example.org'] }
    const { spec } = await managersWith({ webhook: { clientCA } })
    expect(spec.containers[0]!.args).to.include.members([
      '--webhook-client-ca=/etc/varmor/client-ca/ca.crt',
      '--webhook-client-names=front-proxy-client,a.example.org',
    ])
    expect(spec.volumes).to.deep.include({
      name: 'client-ca',
      configMap: { name: 'front', items: [{ key: 'client-ca-file', path: 'ca.crt' }] },
    })
    expect(spec.containers[0]!.volumeMounts).to.deep.include({
      ...{ name: 'client-ca', mountPath: '/etc/varmor/client-ca', readOnly: true },
    })
  })

  for (const [version, allowUnboundTokens, isAllowed] of [
    ['1.21.0', null, false],
    ['1.29.0', false, false],
    ['1.37.2', true, true],
  ] as const)
    it(`${isAllowed ? 'take' : 'refuse'} tokens that are bound to nothing on ${version} with ${allowUnboundTokens}`, async () => {
      const { args } = templateOf(await rendered({ manager: { allowUnboundTokens } }, version), 'Deployment').spec
        .containers[0]!
      expect(args.includes('--allow-unbound-tokens')).to.equal(isAllowed)
    })

  for (const [version, mayList] of [
    ['1.21.0', true],
    ['1.29.9', true],
    ['1.30.0', false],
    ['1.37.2', false],
  ] as const)
    it(`may ${mayList ? 'look up pods of agents' : 'look up no pods'} on ${version}, where nothing else needs it`, async () => {
      const manifests = await rendered({ restartExistWorkloads: { enabled: false } }, version)
      const may = manifests
        .filter(({ kind, metadata }) => /Role$/.test(kind) && metadata.name === 'varmor-manager')
        .filter(({ rules = [] }) => rules.some(({ resources }) => resources.includes('pods')))
      expect(may.map(({ kind }) => kind)).to.deep.equal(mayList ? ['Role'] : [])
    })

  const on = { enabled: true }
  for (const [values, flag] of [
    [{ jsonLogFormat: { ...on, args: null } }, '--logFormat'],
    [{ metrics: on, manager: { metrics: { args: null } } }, '--enableMetrics'],
    [{ manager: { restartExistWorkloads: { args: null } } }, '--restartExistWorkloads'],
    [{ bpfExclusiveMode: on, manager: { bpfExclusiveMode: { args: null } } }, '--bpfExclusiveMode'],
    [{ unloadAllAaProfiles: on, agent: { unloadAllAaProfiles: { args: null } } }, '--unloadAllAaProfiles'],
    [
      { removeAllSeccompProfiles: on, agent: { removeAllSeccompProfiles: { args: null } } },
      '--removeAllSeccompProfiles',
    ],
    [{ unloadAllBpfProfiles: on, agent: { unloadAllBpfProfiles: { args: null } } }, '--unload-all-bpf-profiles'],
  ] as const)
    it(`and agents have no ${flag} with ${JSON.stringify(values)}`, async () => {
      const manifests = await rendered(values)
      const kind = 'agent' in values ? 'DaemonSet' : 'Deployment'
      expect(templateOf(manifests, kind).spec.containers[0]!.args.join(' ')).not.to.include(flag)
    })
})
