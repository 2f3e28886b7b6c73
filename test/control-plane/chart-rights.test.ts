import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { parse } from 'yaml'
import type { VarmorPolicy } from '../../src/api/types.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { serviceAccounts } from '../../src/kube/core-objects.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import { issueServing, newAuthority } from '../../src/manager/tls/issue.ts'
import { failure } from '../../src/sandbox/api-server/handlers/handle-request.ts'
import { requestInfo } from '../../src/sandbox/api-server/http/request-info.ts'
import { queryOf } from '../../src/sandbox/api-server/request.ts'
import { forbidden } from '../../src/sandbox/api-server/status.ts'
import { install } from '../../src/sandbox/install.ts'
import { parseRole } from '../cli/parse-role.ts'
import type { ServedRequest } from '../cluster/audit-log.ts'
import { chart, type Helm, type Manifest } from '../cluster/helm/helm.ts'
import { kubeconfig } from '../cluster/kubeconfig.ts'
import { type Right, refused, rightsOf, rightText, unusedRights } from '../cluster/rights.ts'
import { eventually } from '../cluster/wait.ts'
import { describeHelm } from '../deploy/describe-helm.ts'
import { EmbeddedTarget } from './embedded-target.ts'
import { apply, applyWorkload, findProfile, policyThat, remove, settled } from './hands.ts'
import { enabled, policy, workload } from './samples.ts'
import { installNamespace, quick, World } from './world.ts'

const on = { enabled: true }
const off = { enabled: false }
/** All values that give rights to managers. */
const everything = { restartExistWorkloads: on, serviceEgressControl: on, podEgressControl: on, behaviorModeling: on }
const manager = `system:serviceaccount:${installNamespace}:varmor-manager`

/** Values that change the managers' rights. `takes` lists the rights that each removes, besides object names. */
const switches: { title: string; values: object; takes: string[] }[] = [
  {
    title: 'restartExistWorkloads.enabled: false',
    values: { restartExistWorkloads: off },
    takes: ['patch daemonsets.apps', 'patch deployments.apps', 'patch statefulsets.apps'],
  },
  {
    title: 'neither restarts nor rules about Pods',
    values: { restartExistWorkloads: off, podEgressControl: off },
    takes: [
      ...['list pods', 'patch daemonsets.apps', 'patch deployments.apps', 'patch statefulsets.apps'],
      'watch pods',
    ],
  },
  {
    title: 'manager.args: [--restartExistWorkloads=false, -enablePodEgressControl=0]',
    values: { manager: { args: ['--restartExistWorkloads=false', '-enablePodEgressControl=0'] } },
    takes: [
      ...['list pods', 'patch daemonsets.apps', 'patch deployments.apps', 'patch statefulsets.apps'],
      'watch pods',
    ],
  },
  { title: 'podEgressControl.enabled: false', values: { podEgressControl: off }, takes: ['watch pods'] },
  {
    title: 'serviceEgressControl.enabled: false',
    values: { serviceEgressControl: off },
    takes: [
      ...['list endpointslices.discovery.k8s.io', 'list services', 'watch endpointslices.discovery.k8s.io'],
      'watch services',
    ],
  },
  {
    title: 'behaviorModeling.enabled: false',
    values: { behaviorModeling: off },
    takes: [
      ...['create armorprofilemodels.crd.varmor.org', 'create subjectaccessreviews.authorization.k8s.io'],
      ...['get armorprofilemodels.crd.varmor.org', 'patch armorprofilemodels.crd.varmor.org'],
      'update armorprofilemodels/status.crd.varmor.org',
    ],
  },
  {
    title: 'certificates.source: secret',
    values: { certificates: { source: 'secret' } },
    takes: [
      ...['create secrets in varmor', 'get secrets varmor-manager-tls in varmor'],
      ...['list secrets varmor-manager-tls in varmor', 'update secrets varmor-manager-tls in varmor'],
      'watch secrets varmor-manager-tls in varmor',
    ],
  },
]

/** Switches that change no rights, with the reason. */
const withoutRights = [
  // Metrics, logs and kernel features are not objects of the API server.
  ...['metrics', 'metrics.prometheusRule', 'metrics.dashboard', 'metrics.serviceMonitor', 'jsonLogFormat'],
  ...['appArmorLsmEnforcer', 'bpfLsmEnforcer', 'bpfExclusiveMode', 'agent.ownAppArmorProfile', 'agent.shipper'],
  ...['unloadAllAaProfiles', 'removeAllSeccompProfiles', 'unloadAllBpfProfiles', 'agent.network.hostNetwork'],
  ...['agent.strictStart', 'agent.strictReadiness', 'agent.audit.untrustedRecords', 'agent.violations.compress'],
  // Helm creates or omits these objects.
  ...['crds.install', 'networkPolicies', 'admissionPolicy', 'manager.autoscaling', 'manager.podDisruptionBudget'],
  ...['rbac.aggregateToUserRoles', 'manager.serviceAccount.create', 'agent.serviceAccount.create', 'forceNamespace'],
  // These switches change how managers use their rights.
  ...['behaviorModeling.generalise', 'manager.confineInitContainers', 'manager.allowUnboundTokens'],
]
/** Switches of the uninstall Job. */
const ofUninstall: Record<string, string[]> = {
  'crds.keep': ['delete varmorclusterpolicies.crd.varmor.org', 'delete varmorpolicies.crd.varmor.org'],
  'uninstall.hook': [],
}

const render = (helm: Helm, values: object): Promise<Manifest[]> => helm.template(values, '--kube-version', '1.37.2')

/** Rights of the accounts whose names match, as text without account names. */
const rightsIn = (manifests: readonly Manifest[], component: RegExp): Right[] =>
  manifests.filter(({ kind, metadata }) => /Role$/.test(kind) && component.test(metadata.name)).flatMap(rightsOf)
const texts = (rights: readonly Right[]): string[] => [...new Set(rights.map(rightText))].sort()
const without = (all: readonly string[], some: readonly string[]): string[] => all.filter((one) => !some.includes(one))

/** Requests to the API server of a manager that has exactly these rights. */
async function requestsOf(helm: Helm, values: object): Promise<{ rights: Right[]; requests: ServedRequest[] }> {
  const manifests = await render(helm, values)
  const rights = rightsIn(manifests, /^varmor-manager$/)
  const { spec } = manifests.find(({ kind }) => kind === 'Deployment')! as unknown as {
    spec: { template: { spec: { containers: { args: string[] }[] } } }
  }
  const { options } = parseRole(spec.template.spec.containers[0]!.args)
  const folder = mkdtempSync(join(tmpdir(), 'varmor-given-'))
  if (options['certificates'] !== undefined) await giveCertificate(folder)
  const embedded = await EmbeddedTarget.start()
  const requests: ServedRequest[] = []
  try {
    embedded.api.server.intercept = async (request, user, handle) => {
      const { isResource, verb, group, namespace, resource, subresource, name } = requestInfo(request)
      // Every authenticated user may ask for its own identity.
      if (user.name !== manager || !isResource || resource === 'selfsubjectreviews') return handle()
      const [, named = ''] = /^metadata\.name=(.+)$/.exec(queryOf(request).get('fieldSelector') ?? '') ?? []
      const asked: ServedRequest = {
        ...{ user: user.name, verb, group, namespace, name: name || named, isForbidden: false },
        resource: subresource === '' ? resource : `${resource}/${subresource}`,
      }
      const isForbidden = refused(rights, [{ ...asked, isForbidden: true }]).length > 0
      requests.push({ ...asked, isForbidden })
      if (isForbidden) return failure(forbidden({ group, resource }, name, 'RBAC'))
      const response = await handle()
      // A patch that creates an object also needs the right to create it.
      if (verb === 'patch' && 'code' in response && response.code === 201)
        requests.push({ ...asked, verb: 'create', name: '' })
      return response
    }
    await runManager(embedded, options, folder)
  } finally {
    await embedded.stop()
    rmSync(folder, { recursive: true })
  }
  return { rights, requests }
}

async function giveCertificate(folder: string): Promise<void> {
  const validity = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 30 * 86_400_000 }
  const authority = await newAuthority(validity)
  const { certificate, key } = await issueServing(authority, ['127.0.0.1', 'localhost'], validity)
  for (const [name, text] of Object.entries({
    'ca.crt': authority.certificate,
    'tls.crt': certificate,
    'tls.key': key,
  }))
    writeFileSync(join(folder, name), text)
}

/**
 * Runs a manager with these command-line options from its start to its end. For each switch there is a policy that the
 * switch affects.
 */
async function runManager(embedded: EmbeddedTarget, options: Record<string, unknown>, folder: string): Promise<void> {
  const target = {
    name: 'embedded' as const,
    kubeconfig: embedded.kubeconfig,
    kubeconfigs: { manager: await managerKubeconfig(embedded) },
    addNode: (name: string) => embedded.addNode(name),
    removeNode: (name: string) => embedded.removeNode(name),
    interrupt: () => embedded.interrupt(),
  }
  const isOn = (option: string): boolean => options[option] === true
  const world = await World.start(target, 1, {
    policy: {
      ...quick.policy,
      restartExistingWorkloads: isOn('restartExistWorkloads'),
      behaviorModeling: isOn('enableBehaviorModeling'),
      egressControl: { pods: isOn('enablePodEgressControl'), services: isOn('enableServiceEgressControl') },
    },
    ...(options['certificates'] !== undefined && { certificates: folder }),
  })
  try {
    await world.leading()
    const namespace = await world.namespace('rights')
    const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const
    const workloads = kinds.map((kind) =>
      workload(namespace, kind.toLowerCase(), { kind, labels: enabled, app: 'web' }),
    )
    for (const one of workloads) await applyWorkload(world, one)
    for (const one of workloads) await settled(world, one)
    const policies = kinds.map((kind) => policy(namespace, kind.toLowerCase(), { kind, restart: true }))
    for (const one of policies) await apply(world, one)
    for (const one of policies)
      await policyThat(
        world,
        one,
        'to be in force',
        ({ status }) => status?.ready === true && (status.restart?.done === true || !isOn('restartExistWorkloads')),
        60_000,
      )
    const about = policy(namespace, 'about', { enforcer: 'BPF', app: 'other' }) as VarmorPolicy
    const egress = {
      ...(isOn('enablePodEgressControl') && { toPods: [{ podSelector: { matchLabels: { app: 'web' } } }] }),
      ...(isOn('enableServiceEgressControl') && { toServices: [{ namespace: 'default', name: 'kubernetes' }] }),
    }
    if (Object.keys(egress).length > 0)
      Object.assign(about.spec.policy, { enhanceProtect: { bpfRawRules: { network: { egress } } } })
    await apply(world, about)
    await policyThat(world, about, 'to be in force', ({ status }) => status?.ready === true, 60_000)
    // Sends the same Event twice: the first creates it, and the second increases its count.
    for (const [i, rule] of ['disallow-mount', 'disallow-umount', 'disallow-mount'].entries()) {
      Object.assign(about.spec.policy.enhanceProtect!, { hardeningRules: [rule] })
      await apply(world, about)
      await eventually(`change ${i} of the ArmorProfile`, async () => {
        const { spec } = (await findProfile(world, about)) ?? {}
        return JSON.stringify(spec?.source).includes(rule)
      })
    }
    for (const one of [...policies, about]) await remove(world, one)
  } finally {
    await world.stop()
  }
}

async function managerKubeconfig(embedded: EmbeddedTarget): Promise<string> {
  const config = new KubeConfig()
  config.loadFromString(embedded.kubeconfig)
  const connection = new KubeConnection(config)
  const limiter = new PriorityLimiter({ qps: 1_000, burst: 1_000 })
  const client = new ApiClient({ connection, limiter })
  try {
    await install(client, installNamespace)
    const account = { name: 'varmor-manager', namespace: installNamespace }
    await client.create(serviceAccounts, { metadata: account })
    const { status } = await client.createSubresource<{ status: { token: string } }>(
      serviceAccounts,
      { ...account, subresource: 'token' },
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 24 * 3600 } },
    )
    const { server, caData } = config.getCurrentCluster()!
    return kubeconfig(server, Buffer.from(caData!, 'base64').toString(), status)
  } finally {
    limiter.close()
    await connection.close()
  }
}

/**
 * Rights for permanent clusters, for models, and for kinds that the in-memory server lacks.
 * test/cluster/control-plane.test.ts uses them.
 */
const heldInCluster = [
  'create armorprofilemodels.crd.varmor.org',
  'create subjectaccessreviews.authorization.k8s.io',
  'get armorprofilemodels.crd.varmor.org',
  'patch armorprofilemodels.crd.varmor.org',
  'patch varmorclusterpolicies.crd.varmor.org',
  'update armorprofilemodels/status.crd.varmor.org',
  'update configmaps varmor-manager-tls-ca in varmor',
  'update mutatingwebhookconfigurations.admissionregistration.k8s.io varmor-resource-mutating-webhook-cfg',
  'update secrets varmor-manager-tls in varmor',
  'update validatingwebhookconfigurations.admissionregistration.k8s.io varmor-policy-validating-webhook-cfg',
  'update varmorclusterpolicies/status.crd.varmor.org',
  'watch endpointslices.discovery.k8s.io',
]

describeHelm(4, 'rights for each switch of the chart', (helm) => {
  let unusedWithAll: string[]
  let allRights: string[]

  it('are not refused to a manager with all switches on', async () => {
    const { rights, requests } = await requestsOf(helm(), everything)
    expect(refused(rights, requests)).to.deep.equal([])
    unusedWithAll = unusedRights(rights, requests)
    allRights = texts(rights)
    expect(unusedWithAll.sort()).to.deep.equal(heldInCluster)
  })

  for (const { title, values, takes } of switches)
    it(`are fewer by what nothing takes with ${title}`, async () => {
      const { rights, requests } = await requestsOf(helm(), { ...everything, ...values })
      expect(refused(rights, requests)).to.deep.equal([])
      expect(without(allRights, texts(rights))).to.deep.equal([...takes].sort())
      // A right belongs to a switch if it is used with all switches on, and not used without this switch.
      expect(without(unusedRights(rights, requests), unusedWithAll)).to.deep.equal([])
    })

  it('are known for every switch of values.yaml', async () => {
    const known = [
      ...[...Object.keys(everything), ...withoutRights].map((path) => path.replace(/\.enabled$/, '')),
      ...Object.keys(ofUninstall),
    ]
    const found = switchesIn(parse(readFileSync(join(chart, 'values.yaml'), 'utf8')))
    expect(found.map(({ name }) => name).sort()).to.have.members(known.sort())
    const defaults = await render(helm(), {})
    for (const { name, path, value, isDefault } of found) {
      const before =
        isDefault && needs[name] === undefined ? defaults : await render(helm(), valuesAt(path, value, needs[name]))
      const after = await render(helm(), valuesAt(path, !value, needs[name]))
      const differ = (component: RegExp): string[] => {
        const [one, other] = [before, after].map((manifests) => texts(rightsIn(manifests, component)))
        return [...without(one!, other!), ...without(other!, one!)].sort()
      }
      if (withoutRights.includes(name)) expect(differ(/^varmor-(manager|agent|uninstall)$/), name).to.deep.equal([])
      if (name in ofUninstall) {
        expect(differ(/^varmor-(manager|agent)$/), name).to.deep.equal([])
        if (ofUninstall[name]!.length > 0) expect(differ(/^varmor-uninstall$/), name).to.deep.equal(ofUninstall[name])
      }
      if (name === 'uninstall.hook') expect(rightsIn(after, /^varmor-uninstall$/)).to.deep.equal([])
    }
  })
})

/** Other values that the chart requires for a switch. */
const needs: Record<string, object> = {
  'agent.shipper': { image: 'i', receiver: { host: 'h' } },
}

interface Switch {
  name: string
  path: string[]
  value: boolean
  /** False: values.yaml has null. */
  isDefault: boolean
}

/** All values that are on or off. */
function switchesIn(values: object, path: string[] = []): Switch[] {
  return Object.entries(values).flatMap(([key, value]): Switch[] => {
    const here = [...path, key]
    // Null: the value is on if another value needs it.
    if (typeof value === 'boolean' || (key === 'enabled' && value === null)) {
      const name = (key === 'enabled' ? path : here).join('.')
      // Kubernetes interprets a securityContext, so its switches do not count.
      return /securityContext/i.test(name)
        ? []
        : [{ name, path: here, value: value === true, isDefault: value !== null }]
    }
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? switchesIn(value, here) : []
  })
}

const valuesAt = (path: readonly string[], value: boolean, more: object = {}): object =>
  path.reduceRight<object>(
    (inner, key, i) => ({ [key]: inner, ...(i === path.length - 1 && more) }),
    value as unknown as object,
  )
