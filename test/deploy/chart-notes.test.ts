import { expect } from 'chai'
import { parse } from 'yaml'
import { chart } from '../cluster/helm/helm.ts'
import { describeHelm } from './describe-helm.ts'

const on = { enabled: true }
const off = { enabled: false }
const withoutBpf = (agent: object, more: object = {}): object => ({ bpfLsmEnforcer: off, agent, ...more })
const args = (...args: string[]): object => ({ manager: { args } })
const memory = { resources: { limits: { memory: '1Gi' } } }
const labelled = 'the label that opts in (sandbox.varmor.org/enable=true)'
const holdsUp = 'the API server rejects new and changed workloads that are opted in'
const noLabel = 'Every workload is opted in'
const noMetrics = 'Without metrics.enabled these values have no effect: '
const noBpf = 'Without bpfLsmEnforcer these values have no effect: '
const resources = 'agent.bpfLsmEnforcer.resources has no effect'
const crash = 'After a crash of an agent'
const madeUp = 'Any pod that reaches port'
const needsCertificate = 'Managers accept reviews only from clients with a certificate of the CA in the ConfigMap front'
const unconfined = 'Agents run without their own AppArmor profile'

const rows: { title: string; values: object; says?: string[]; isSilent?: string[] }[] = [
  {
    title: 'nothing of what is by default',
    values: {},
    says: [': 3 managers, and an agent', labelled, 'violations to /var/log/varmor/violations.log'],
    isSilent: [holdsUp, noMetrics, noBpf, resources, crash, unconfined, 'no effect'],
  },
  {
    title: 'that any pod may ask where API servers are not known',
    values: { networkPolicies: { agentCIDRs: ['10.0.0.0/16'] } },
    says: [`${madeUp} 3443 of a manager`],
    isSilent: [needsCertificate],
  },
  {
    title: 'nothing of it where they are known by their addresses',
    values: { networkPolicies: { apiServerCIDRs: ['10.0.0.0/16'] } },
    isSilent: [madeUp],
  },
  {
    title: 'it where that is turned off',
    values: { networkPolicies: { enabled: false, apiServerCIDRs: ['10.0.0.0/16'] } },
    says: [madeUp],
  },
  {
    title: 'what becomes of pods until API servers show their certificate',
    values: { manager: { webhook: { clientCA: { configMapName: 'front' } } } },
    says: [needsCertificate, 'pods run without their profiles'],
    isSilent: [madeUp],
  },
  {
    title: 'the same where no pod comes up without managers',
    values: { manager: { webhook: { clientCA: { configMapName: 'front' }, failurePolicy: 'Fail' } } },
    says: [needsCertificate, 'no such workload can be created'],
  },
  { title: 'one manager', values: { manager: { replicaCount: 1 } }, says: [': 1 manager, and'] },
  {
    title: 'how many managers there are where they are scaled',
    values: { manager: { replicaCount: 1, autoscaling: { enabled: true, minReplicas: 2, maxReplicas: 7 } } },
    says: [': 2 to 7 managers, and'],
  },
  {
    title: 'where the log is on nodes whose logs are elsewhere',
    values: { agent: { hostPaths: { log: '/data/log' } } },
    says: ['violations to /data/log/varmor/violations.log'],
  },
  {
    title: 'what flags of managers say',
    values: args('--webhookMatchLabel=', '--webhook-failure-policy=Fail'),
    says: [
      '(no label needed)',
      `${holdsUp} (manager.args: --webhook-failure-policy=Fail), except`,
      `${noLabel} (manager.args: --webhookMatchLabel is empty)`,
    ],
  },
  {
    title: 'what the last of these flags says, with one dash too',
    values: args('--webhookMatchLabel=', '-webhook-failure-policy=Fail', '-webhookMatchLabel=a=b'),
    says: ['(a=b)', holdsUp],
    isSilent: [noLabel],
  },
  {
    title: 'nothing of values that flags change back',
    values: {
      manager: {
        webhook: { matchLabel: '', failurePolicy: 'Fail' },
        args: ['--webhook-failure-policy=Ignore', '--webhookMatchLabel=sandbox.varmor.org/enable=true'],
      },
    },
    says: [labelled],
    isSilent: [holdsUp, noLabel],
  },
  {
    title: 'what flags say by their former names, of which notes name the present ones',
    values: args('-webhookFailurePolicy=Fail', '--webhookExemptNamespaces=cni'),
    says: [
      `${holdsUp} (manager.args: --webhook-failure-policy=Fail), except`,
      '(manager.args: --webhook-exempt-namespaces): cni.',
    ],
  },
  {
    title: 'the values where no flag is given',
    values: { manager: { webhook: { matchLabel: '', failurePolicy: 'Fail' } } },
    says: [
      `${holdsUp} (manager.webhook.failurePolicy: Fail), except`,
      `${noLabel} (manager.webhook.matchLabel is empty)`,
    ],
  },
  {
    title: 'the namespaces of values and of flags',
    values: {
      manager: {
        webhook: { exemptNamespaces: ['cni'] },
        args: ['--webhook-exempt-namespaces=a,b', '-webhook-exempt-namespaces=c'],
      },
    },
    says: ['(manager.webhook.exemptNamespaces; manager.args: --webhook-exempt-namespaces): cni, a, b, c.'],
  },
  {
    title: 'what means nothing without metrics',
    values: { metrics: { prometheusRule: on, dashboard: on, tlsSecretName: 'tls' } },
    says: [`${noMetrics}metrics.prometheusRule, metrics.dashboard, metrics.tlsSecretName.`],
  },
  {
    title: 'nothing of it with metrics',
    values: { metrics: { ...on, prometheusRule: on, dashboard: on, tlsSecretName: 'tls' } },
    isSilent: [noMetrics],
  },
  { title: 'what strict start costs', values: { agent: { strictStart: true } }, says: [crash, unconfined] },
  {
    title: 'that strict start is of BPF',
    values: withoutBpf({ strictStart: true }, { bpfExclusiveMode: on }),
    says: [`${noBpf}bpfExclusiveMode, agent.strictStart.`],
    isSilent: [crash, unconfined],
  },
  { title: 'nothing of BPF where it is off and nothing is asked of it', values: withoutBpf({}), isSilent: [noBpf] },
  { title: 'nothing of BPF where it is on', values: { bpfExclusiveMode: on }, isSilent: [noBpf] },
  {
    title: 'that resources for BPF have no effect without it',
    values: withoutBpf({ bpfLsmEnforcer: memory }),
    says: [`${resources}: without bpfLsmEnforcer`],
  },
  {
    title: 'nothing of resources for BPF with it, or as they are by default',
    values: { agent: { bpfLsmEnforcer: memory } },
    isSilent: [resources],
  },
  { title: 'nothing of resources for BPF that the values do not set', values: withoutBpf({}), isSilent: [resources] },
  {
    title: 'what of upstream’s enforcers means nothing',
    values: {
      agent: {
        appArmorLsmEnforcer: { volumes: [{}], volumeMounts: [{}] },
        bpfLsmEnforcer: { volumes: [{}], volumeMounts: [{}], args: ['--other'] },
      },
    },
    says: [
      'have no effect in this version: agent.appArmorLsmEnforcer.volumeMounts, agent.appArmorLsmEnforcer.volumes, agent.bpfLsmEnforcer.args, agent.bpfLsmEnforcer.volumeMounts, agent.bpfLsmEnforcer.volumes.',
    ],
  },
]

describeHelm(4, 'Notes of the chart', (helm) => {
  for (const { title, values, says = [], isSilent = [] } of rows)
    it(`say ${title}`, async () => {
      const tried = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
      const [, notes = ''] = (await helm().output(tried, values)).split('\nNOTES:\n')
      expect(notes).to.match(/^vArmor /)
      const text = notes.replaceAll('\n', ' ')
      for (const said of says) expect(text).to.include(said)
      for (const unsaid of isSilent) expect(text).not.to.include(unsaid)
    })

  it('know the resources that values.yaml has', async () => {
    const { agent } = parse(await helm().output(['show', 'values', chart])) as {
      agent: Record<'appArmorLsmEnforcer' | 'bpfLsmEnforcer', object>
    }
    const { appArmorLsmEnforcer, bpfLsmEnforcer } = agent
    const tried = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
    for (const bpf of [on, off]) {
      const values = { bpfLsmEnforcer: bpf, agent: { appArmorLsmEnforcer, bpfLsmEnforcer } }
      expect(await helm().output(tried, values)).not.to.include('resources has no effect')
    }
  })
})
