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
  spec: { affinity?: object; topologySpreadConstraints?: object[]; containers: { args: string[] }[] }
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
    [{ unloadAllBpfProfiles: on, agent: { unloadAllBpfProfiles: { args: null } } }, '--unloadAllBpfProfiles'],
  ] as const)
    it(`and agents have no ${flag} with ${JSON.stringify(values)}`, async () => {
      const manifests = await rendered(values)
      const kind = 'agent' in values ? 'DaemonSet' : 'Deployment'
      expect(templateOf(manifests, kind).spec.containers[0]!.args.join(' ')).not.to.include(flag)
    })
})
