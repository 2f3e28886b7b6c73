import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Environment } from '@marcbachmann/cel-js'
import { expect } from 'chai'
import { alerts } from '../../deploy/prometheus/alerts.ts'
import { confinementPrefixes } from '../../src/api/annotations.ts'
import { webhookConfigurations } from '../../src/manager/admission/webhook-configurations.ts'
import { parseRole } from '../cli/parse-role.ts'
import { chart, type Manifest } from '../cluster/helm/helm.ts'
import { describeHelm } from './describe-helm.ts'

const policyKind = 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy'

describeHelm(4, 'The chart, as Helm renders it', (helm) => {
  const rendered = (values: object, ...flags: string[]): Promise<Manifest[]> =>
    helm().template(values, '--kube-version', '1.37.2', ...flags)
  const one = (manifests: readonly Manifest[], kind: string, name: string): Manifest =>
    manifests.find((each) => each.kind === kind && each.metadata.name === name)!

  for (const { title, values, secrets } of [
    { title: 'no secret by default', values: {}, secrets: undefined },
    { title: 'the secrets that the user names', values: { imagePullSecrets: [{ name: 'own' }] }, secrets: ['own'] },
    {
      title: 'the secret that is made of a password',
      values: { image: { password: 'p' } },
      secrets: ['varmor-image-pull-secret'],
    },
    {
      title: 'both, each once, as upstream’s values name the one that is made',
      values: { image: { password: 'p' }, imagePullSecrets: [{ name: 'own' }, { name: 'varmor-image-pull-secret' }] },
      secrets: ['own', 'varmor-image-pull-secret'],
    },
  ])
    it(`pulls images with ${title}`, async () => {
      const kinds = ['Deployment', 'DaemonSet', 'Job']
      const pods = (await rendered(values)).flatMap(({ kind, spec }) =>
        kinds.includes(kind) ? [spec as unknown as PodOwner] : [],
      )
      const used = pods.map(({ template }) => template.spec.imagePullSecrets?.map(({ name }) => name))
      expect(used).to.deep.equal([secrets, secrets, secrets])
    })

  for (const [flag, values] of [
    ['--violations-rate=2.5', { agent: { violations: { rate: 2.5 } } }],
    ['--violations-rate=0.5', { agent: { violations: { rate: 0.5 } } }],
    ['--violations-rate=1000000', { agent: { violations: { rate: 1_000_000 } } }],
    ['--bpf-records-rate=0.5', { agent: { bpfRecordsRate: 0.5 } }],
    ['--bpf-records-rate=100/1000', { agent: { bpfRecordsRate: '100/1000' } }],
    ['--clientRateLimitQPS=0.5', { manager: { clientRateLimit: { qps: 0.5 } } }],
  ] as const)
    it(`gives ${flag} as the values say it, which the program takes`, async () => {
      const [args = []] = (await rendered(values)).flatMap(({ spec }) =>
        ((spec as unknown as PodOwner)?.template?.spec.containers ?? []).flatMap(({ args = [] }) =>
          args.includes(flag) ? [args] : [],
        ),
      )
      expect(args).to.include(flag)
      expect(parseRole(args).ignored).to.deep.equal([])
    })

  /** The options that the program reads from the chart's command line, by role. */
  const started = async (values: object): Promise<Record<string, ReturnType<typeof parseRole>>> => {
    const pods = (await rendered(values)).flatMap(({ kind, spec }) =>
      ['Deployment', 'DaemonSet', 'Job'].includes(kind) ? [spec as unknown as PodOwner] : [],
    )
    const lines = pods.flatMap(({ template }) => template.spec.containers.map(({ args = [] }) => args))
    return Object.fromEntries(lines.map((args) => [args[0], parseRole(args)]))
  }
  const upstreams: { title: string; values: object; role: string; options: object; ignored?: string[] }[] = [
    {
      title: 'a switch with a value',
      values: { manager: { args: ['--enableMetrics=true', '--restartExistWorkloads=false'] } },
      ...{ role: 'manager', options: { enableMetrics: true, restartExistWorkloads: false } },
    },
    ...['manager', 'agent', 'uninstall'].map((role) => ({
      title: `one dash, for varmor ${role}`,
      values: { jsonLogFormat: { enabled: true, args: ['-logFormat=json'] } },
      ...{ role, options: { logFormat: 'json' } },
    })),
    {
      title: 'a switch of agents',
      values: { agent: { args: ['--unloadAllAaProfiles=true'] } },
      ...{ role: 'agent', options: { unloadAllAaProfiles: true } },
    },
    {
      title: 'flags of managers, for agents',
      values: { agent: { args: ['--enableBehaviorModeling', '-webhookTimeout=5', '-v=2'] } },
      ...{ role: 'agent', options: { verbosity: 2 }, ignored: ['--enableBehaviorModeling', '-webhookTimeout=5'] },
    },
    {
      title: 'flags that no role has',
      values: { manager: { args: ['--managerIP=::', '--debug', '--v=1'] } },
      ...{ role: 'manager', options: { verbosity: 1 }, ignored: ['--managerIP=::', '--debug'] },
    },
    {
      title: 'zero for the default',
      values: { manager: { args: ['--clientRateLimitQPS=0', '--clientRateLimitBurst=0'] } },
      ...{ role: 'manager', options: { clientRateLimitQPS: 500, clientRateLimitBurst: 1_000 } },
    },
  ]
  for (const { title, values, role, options, ignored = [] } of upstreams)
    it(`starts with arguments of upstream's: ${title}`, async () => {
      const { [role]: made } = await started(values)
      expect(made!.options).to.deep.include(options)
      expect(made!.ignored).to.deep.equal(ignored)
    })

  it('has the Job of an uninstall refuse where others than Helm have started it', async () => {
    expect((await started({}))['uninstall']!.options).to.include({ ofHelm: true, keepPolicies: false })
  })

  for (const { title, flags, has } of [
    { title: 'by the version of Kubernetes, where no cluster is asked', flags: [], has: true },
    { title: 'not for an older one', flags: ['--kube-version', '1.29.9'], has: false },
    { title: 'for the first that has them', flags: ['--kube-version', '1.30.0'], has: true },
    { title: 'not where a cluster has not got the kind', flags: ['--api-versions', 'v1/Pod'], has: false },
    {
      title: 'where a cluster has it, whatever its version',
      flags: ['--kube-version', '1.28.0', ...['v1/Pod', policyKind].flatMap((kind) => ['--api-versions', kind])],
      has: true,
    },
  ])
    it(`has its admission policies ${title}`, async () => {
      const kinds = (await rendered({}, ...flags)).filter(({ kind }) => kind === 'ValidatingAdmissionPolicy')
      expect(kinds).to.have.length(has ? 2 : 0)
    })

  it('says nothing in its notes of admission policies that are missing, where the version has them', async () => {
    const tried = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
    expect(await helm().output(tried, {})).not.to.include('This cluster has no ValidatingAdmissionPolicy')
  })

  for (const [value, agent] of [
    ['bpfRecordsRate', { bpfRecordsRate: 1_000_000 }],
    ['bpfRecordsRate', { bpfRecordsRate: 0.0005 }],
    ['rate', { violations: { rate: 1e9 } }],
    ['rate', { violations: { rate: 0.0005 } }],
  ] as const)
    it(`refuses ${JSON.stringify(agent)}, as the program does`, async () => {
      const { status, stderr } = await helm().run(['template', 'varmor', chart], { agent })
      expect(status).not.to.equal(0)
      expect(stderr).to.match(new RegExp(`${value}': (minimum|maximum)`))
    })

  for (const values of [{ agent: { args: null } }, { manager: { args: null } }, { agent: { securityContext: null } }])
    it(`takes upstream's ${JSON.stringify(values)}`, async () => {
      const tried = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
      expect(await helm().output(tried, values)).to.include('STATUS: pending-install')
    })

  for (const [title, hostNetwork, policies] of [
    ['managers alone, by default', true, ['varmor-manager']],
    ['agents as well, where they are in the network of pods', false, ['varmor-manager', 'varmor-agent']],
  ] as const)
    it(`has network policies of ${title}`, async () => {
      const values = { networkPolicies: { enabled: true }, agent: { network: { hostNetwork } } }
      const found = (await rendered(values)).filter(({ kind }) => kind === 'NetworkPolicy')
      expect(found.map(({ metadata }) => metadata.name)).to.have.members([...policies])
    })

  const cidrs = ['10.0.0.0/16']
  for (const [networkPolicies, isThere] of [
    [{}, false],
    [{ apiServerCIDRs: cidrs }, true],
    [{ agentCIDRs: cidrs }, true],
    [{ enabled: null, apiServerCIDRs: cidrs }, true],
    [{ enabled: false, apiServerCIDRs: cidrs }, false],
    [{ enabled: true }, true],
  ] as const)
    it(`has ${isThere ? '' : 'no '}network policies with ${JSON.stringify(networkPolicies)}`, async () => {
      const found = (await rendered({ networkPolicies })).filter(({ kind }) => kind === 'NetworkPolicy')
      expect(found).to.have.length(isThere ? 1 : 0)
    })

  it('logs in to Docker Hub with a password of no registry', async () => {
    const byDigest = { image: { digest: `sha256:${'0'.repeat(64)}` } }
    const values = { image: { registry: '', password: 'p' }, manager: byDigest, agent: byDigest }
    const secret = one(await rendered(values), 'Secret', 'varmor-image-pull-secret')
    const { data } = secret as unknown as { data: Record<string, string> }
    const { auths } = JSON.parse(Buffer.from(data['.dockerconfigjson']!, 'base64').toString())
    expect(Object.keys(auths)).to.deep.equal(['https://index.docker.io/v1/'])
  })

  it('says that fullnameOverride has no effect', async () => {
    const tried = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
    expect(await helm().output(tried, { fullnameOverride: 'x' })).to.match(
      /have no effect in this version: fullnameOverride\./,
    )
  })

  const note = /agent\.appArmorLsmEnforcer\.resources has no effect/
  const more = { agent: { appArmorLsmEnforcer: { resources: { limits: { memory: '1Gi' } } } } }
  for (const { title, values, isSaid } of [
    { title: 'where both enforcers are on', values: more, isSaid: true },
    { title: 'but not where it is as by default', values: {}, isSaid: false },
    { title: 'but not without BPF', values: { ...more, bpfLsmEnforcer: { enabled: false } }, isSaid: false },
  ])
    it(`says that more memory for AppArmor has no effect, ${title}`, async () => {
      const tried = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
      expect(note.test((await helm().output(tried, values)).replaceAll('\n', ' '))).to.equal(isSaid)
      const agent = one(await rendered(values), 'DaemonSet', 'varmor-agent').spec as unknown as PodOwner
      const { limits } = agent.template.spec.containers[0]!.resources
      expect(limits.memory).to.equal('bpfLsmEnforcer' in values ? '1Gi' : '400Mi')
    })

  it('has metrics of agents found as those of managers are, under the jobs that the alerts ask for', async () => {
    const manifests = await rendered({
      metrics: { enabled: true },
      ...{ manager: { network: { metricsPort: 9101 } }, agent: { network: { metricsPort: 9100 } } },
    })
    const [managers, agents] = ['varmor-metrics-svc', 'varmor-agent-metrics-svc'].map((name) =>
      one(manifests, 'Service', name),
    )
    const annotations = { 'prometheus.io/scrape': 'true', 'prometheus.io/path': '/metrics' }
    expect(managers!.metadata.annotations).to.deep.equal({ ...annotations, 'prometheus.io/port': '9101' })
    expect(agents!.metadata.annotations).to.deep.equal({ ...annotations, 'prometheus.io/port': '9100' })
    const documented = readFileSync(join(chart, '../../../docs/monitoring.md'), 'utf8')
    for (const [alert, service] of [
      ['VarmorAgentDown', agents],
      ['VarmorManagerDown', managers],
    ] as const) {
      expect(alerts.find(({ name }) => name === alert)!.expression).to.include(`job="${service!.metadata.name}"`)
      expect(documented).to.include(`job="${service!.metadata.name}"`)
    }
    const [, jobs] = /job=~"([^"]+)"/.exec(alerts.find(({ name }) => name === 'VarmorRestarts')!.expression)!
    for (const service of [agents, managers]) expect(service!.metadata.name).to.match(new RegExp(`^(${jobs})$`))
  })

  it('has metrics asked for over TLS, where they are served so, by the name that its values ask for', async () => {
    const monitors = ['--api-versions', 'monitoring.coreos.com/v1']
    const manifests = await rendered({ metrics: { enabled: true, tlsSecretName: 'tls' } }, ...monitors)
    for (const name of ['varmor-metrics-svc', 'varmor-agent-metrics-svc'])
      expect(one(manifests, 'Service', name).metadata.annotations).to.include({ 'prometheus.io/scheme': 'https' })
    const comment = /((?: *#.*\n)+) *tlsSecretName:/.exec(readFileSync(join(chart, 'values.yaml'), 'utf8'))![1]
    const asked = manifests.filter(({ kind }) => kind === 'ServiceMonitor')
    expect(asked).to.have.length(2)
    for (const { spec } of asked) {
      const [{ tlsConfig }] = spec!['endpoints'] as [{ tlsConfig: { ca: { secret: object }; serverName: string } }]
      expect(tlsConfig.ca.secret).to.deep.equal({ name: 'tls', key: 'ca.crt' })
      expect(comment).to.include('ca.crt').and.to.include(tlsConfig.serverName.replace('.varmor.', '.NAMESPACE.'))
    }
  })

  it('has new pods of agents where the configuration of the shipper is another one', async () => {
    const pods = async (configuration: string): Promise<object> => {
      const shipper = { enabled: true, image: 'i', receiver: { host: 'h' }, configuration }
      return one(await rendered({ agent: { shipper } }), 'DaemonSet', 'varmor-agent').spec!['template'] as object
    }
    const asItIs = readFileSync(join(chart, '../../shipping/rsyslog.conf'), 'utf8')
    expect(await pods('')).to.deep.equal(await pods(asItIs))
    expect(await pods('')).not.to.deep.equal(await pods(`${asItIs}#`))
  })

  it('is removed without Helm by the image that docs/install.md has built, as a user who can read the kubeconfig', () => {
    const [install, own] = [join(chart, '../../../docs/install.md'), join(chart, 'README.md')].map((page) =>
      readFileSync(page, 'utf8'),
    )
    const [, built] = /docker build .* -t (\S+) /.exec(install!)!
    expect(own).to.include(`docker run --rm --user "$(id -u)" -v ~/.kube:/kube:ro ${built} uninstall `)
  })

  it('keeps the Job of an uninstall that failed, which ends before Helm stops waiting for it', async () => {
    const job = async (values: object) => one(await rendered(values), 'Job', 'varmor-uninstall')
    const { metadata, spec } = await job({})
    expect(metadata.annotations).to.include({
      'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
      'helm.sh/hook-output-log-policy': 'hook-succeeded,hook-failed',
    })
    // The Job's pod may also use its grace period.
    expect(spec!['activeDeadlineSeconds']).to.be.at.most(300 - 30)
    const patient = (await job({ uninstall: { timeoutSeconds: 120 } })).spec!
    expect(patient['activeDeadlineSeconds']).to.equal(60 + 3 * 120)
  })

  it('lets tenants read and write what is theirs, and no ArmorProfile: with rules about pods it has addresses of other namespaces', async () => {
    const manifests = await rendered({})
    const [view, edit, admin] = ['view', 'edit', 'admin'].map((role) =>
      one(manifests, 'ClusterRole', `varmor-policies-${role}`).rules!.map(({ resources, verbs }) => [resources, verbs]),
    )
    const read = ['get', 'list', 'watch']
    const write = ['create', 'update', 'patch', 'delete', 'deletecollection']
    expect(view).to.deep.equal([[['varmorpolicies', 'varmorclusterpolicies', 'armorprofilemodels'], read]])
    expect(edit).to.deep.equal([[['varmorpolicies', 'armorprofilemodels'], write]])
    expect(admin).to.deep.equal([[['varmorclusterpolicies'], write]])
    const aggregated = manifests.filter(({ metadata }) =>
      Object.keys(metadata.labels ?? {}).some((label) => label.startsWith('rbac.authorization.k8s.io/aggregate-to-')),
    )
    expect(aggregated.map(({ metadata }) => metadata.name).sort()).to.deep.equal(
      ['admin', 'edit', 'view'].map((role) => `varmor-policies-${role}`),
    )
  })

  const admissionPolicy = async (name: string): Promise<AdmissionPolicy> => {
    return one(await rendered({}), 'ValidatingAdmissionPolicy', name).spec as unknown as AdmissionPolicy
  }

  describe('with its admission policy of ArmorProfiles', () => {
    const manager = 'system:serviceaccount:varmor:varmor-manager'
    const collector = 'system:serviceaccount:kube-system:generic-garbage-collector'
    let spec: AdmissionPolicy
    before(async () => {
      spec = await admissionPolicy('varmor-profile-writers')
    })

    const profile = { metadata: {}, spec: { a: 1 }, status: {} }
    const model = { metadata: {}, data: { a: 1 }, status: {} }
    const going = { deletionTimestamp: '2026-01-01T00:00:00Z' }
    const rows: [title: string, operation: string, resource: string, before: object, change: object, ...string[]][] = [
      ['make an ArmorProfile', 'CREATE', 'armorprofiles', profile, {}, manager],
      ['change its spec', 'UPDATE', 'armorprofiles', profile, { spec: { a: 2 } }, manager],
      ['change its labels', 'UPDATE', 'armorprofiles', profile, { metadata: { labels: {} } }, manager, collector],
      ['write its status', 'UPDATE', 'armorprofiles/status', profile, { status: { a: 1 } }, manager],
      [
        'let go of one that goes',
        'UPDATE',
        'armorprofiles',
        profile,
        { metadata: going },
        manager,
        collector,
        'tenant',
      ],
      ['change one that goes', 'UPDATE', 'armorprofiles', profile, { metadata: going, spec: {} }, manager],
      ['bring a model', 'CREATE', 'armorprofilemodels', model, {}, manager, collector, 'tenant'],
      ['change a model', 'UPDATE', 'armorprofilemodels', model, { data: { a: 2 } }, manager, collector, 'tenant'],
      ['say that a model is ready', 'UPDATE', 'armorprofilemodels/status', model, { status: { ready: true } }, manager],
    ]
    for (const [title, operation, resource, before, change, ...writers] of rows)
      it(`lets ${['only managers', 'managers and the garbage collector', 'everybody'][writers.length - 1]} ${title}`, () => {
        const users = [manager, collector, 'tenant']
        const may = users.filter((username) =>
          passes(spec, { username, operation, resource, before, after: { ...before, ...change } }),
        )
        expect(may).to.deep.equal(writers)
      })

    it('is about what the managers’ webhook is about where there are no such policies', () => {
      const reach = { url: 'https://127.0.0.1:3443' }
      const { webhooks = [] } = webhookConfigurations({ reach, profileWriters: [manager] }).validating
      const { rules } = webhooks.find(({ name }) => name === 'validateprofile.varmor.org')!
      const about = (all: readonly ResourceRule[]) =>
        all.map(({ resources, operations }) => ({ resources, operations }))
      expect(about(spec.matchConstraints.resourceRules)).to.deep.equal(about(rules as ResourceRule[]))
    })
  })

  describe('with its admission policy of running pods', () => {
    let spec: AdmissionPolicy
    before(async () => {
      spec = await admissionPolicy('varmor-running-pods')
    })

    const { bpf, appArmor, seccomp } = confinementPrefixes
    const is = { [`${bpf}c`]: 'localhost/varmor-demo-web', other: 'x' }
    type Annotations = Record<string, string> | undefined
    const rows: [title: string, before: Annotations, after: Annotations, passes: boolean][] = [
      ...[bpf, appArmor, seccomp].flatMap((prefix): typeof rows => [
        [`takes ${prefix} off`, { [`${prefix}c`]: 'localhost/varmor-demo-web', a: 'b' }, { a: 'b' }, false],
        [
          `changes ${prefix}`,
          { [`${prefix}c`]: 'localhost/varmor-demo-web' },
          { [`${prefix}c`]: 'localhost/varmor-cluster-varmor-weak' },
          false,
        ],
      ]),
      ['opts out', is, { ...is, [`${bpf}c`]: 'unconfined' }, false],
      ['takes all annotations off', is, undefined, false],
      ['says that AppArmor is not switched off', { [`${appArmor}c`]: 'bpf-exclusive/varmor-demo-web' }, {}, false],
      ['changes another annotation', is, { ...is, other: 'y', more: 'z' }, true],
      ['changes no annotation', is, is, true],
      ['has none', undefined, undefined, true],
      ['gets its first', undefined, is, true],
      ['names a profile for a container without one', is, { ...is, [`${bpf}d`]: 'localhost/varmor-demo-web' }, true],
      [
        'changes what names no profile of ours',
        { [`${bpf}c`]: 'unconfined', [`${seccomp}c`]: 'localhost/own' },
        {},
        true,
      ],
      ['changes such a value of another’s', { 'example.org/c': 'localhost/varmor-demo-web' }, {}, true],
    ]
    const podWith = (annotations: Annotations) => ({ metadata: { name: 'web-1', ...(annotations && { annotations }) } })
    for (const [title, before, after, wanted] of rows)
      it(`${wanted ? 'lets an update that' : 'refuses an update that'} ${title}`, () => {
        const update = { operation: 'UPDATE', before: podWith(before), after: podWith(after) }
        for (const resource of ['pods', 'pods/status'])
          expect(passes(spec, { ...update, resource }), resource).to.equal(wanted)
        // For these resources the API server itself preserves annotations.
        for (const resource of ['pods/ephemeralcontainers', 'pods/resize'])
          expect(passes(spec, { ...update, resource }), resource).to.equal(true)
      })

    it('is asked nothing more where no annotation is changed, as when a kubelet writes a status or a controller takes its finalizer off', () => {
      expect(spec.matchConditions.map(({ name }) => name)).to.deep.equal(['annotations-change'])
    })
  })
})

/** Evaluates the policy as the API server does, without other policies. */
function passes(spec: AdmissionPolicy, { username = 'tenant', operation, resource, before, after }: Write): boolean {
  const inScope = spec.matchConstraints.resourceRules.some(
    (rule) => rule.operations.includes(operation) && rule.resources.includes(resource),
  )
  const [, subResource] = resource.split('/')
  const request = { operation, userInfo: { username }, ...(subResource !== undefined && { subResource }) }
  const objects = { object: after, oldObject: operation === 'CREATE' ? null : before }
  const evaluate = (expression: string, variables = {}): unknown => {
    const server = new Environment()
    for (const name of ['request', 'object', 'oldObject', 'variables']) server.registerVariable(name, 'dyn')
    return server.evaluate(expression, { request, ...objects, variables })
  }
  if (!inScope || !spec.matchConditions.every(({ expression }) => evaluate(expression))) return true
  const variables = Object.fromEntries((spec.variables ?? []).map((each) => [each.name, evaluate(each.expression)]))
  return spec.validations.every(({ expression }) => evaluate(expression, variables) === true)
}

interface Write {
  username?: string
  operation: string
  resource: string
  before: object
  after: object
}

interface PodOwner {
  template: {
    spec: {
      imagePullSecrets?: { name: string }[]
      containers: { args?: string[]; resources: { limits: { memory: string } } }[]
    }
  }
}

interface ResourceRule {
  operations: string[]
  resources: string[]
}

interface AdmissionPolicy {
  matchConstraints: { resourceRules: ResourceRule[] }
  matchConditions: { name: string; expression: string }[]
  variables?: { name: string; expression: string }[]
  validations: { expression: string }[]
}
