import { readFileSync } from 'node:fs'
import { registry } from './helm.ts'

export interface ValueSet {
  name: string
  values: object
  /** A pattern that the notes must match. */
  notes?: RegExp
}

const fixture = new URL('../../fixtures/helm/upstream-values.json', import.meta.url)
const upstream = JSON.parse(readFileSync(fixture, 'utf8'))

/** Sets of values that turn features off, turn features on, or change other defaults. */
export const valueSets: readonly ValueSet[] = [
  { name: 'nothing', values: {} },
  {
    name: 'all values of upstream’s chart, as it has them, but for where the image is',
    values: { ...upstream, image: { ...upstream.image, registry } },
  },
  {
    name: 'what a user of upstream changes',
    values: {
      image: { registry: 'registry.example.org:5000', namespace: 'security', username: 'u', password: 'p' },
      fullnameOverride: 'armor',
      manager: {
        replicaCount: 1,
        image: { tag: 'v0.9.0' },
        args: ['--webhookMatchLabel=', '--v=2', '--enableBpfEnforcer'],
      },
      agent: {
        args: ['--auditLogPaths=/var/log/audit/audit.log'],
        tolerations: [{ effect: 'NoSchedule', operator: 'Exists' }],
      },
      ...{ behaviorModeling: { enabled: true, generalise: false }, podEgressControl: { enabled: true } },
      auditEventMetadata: { clusterID: 'c-1', region: 'cn-beijing' },
    },
    notes: /have no effect in this version: --enableBpfEnforcer, fullnameOverride/,
  },
  { name: 'nodes with CRI-O', values: { agent: { hostPaths: { crio: '/run/crio' } } } },
  {
    name: 'everything on',
    values: {
      forceNamespace: { enabled: true, namespace: 'varmor' },
      certificates: { source: 'secret', secretName: 'own' },
      crds: { keep: true },
      ...{ bpfExclusiveMode: { enabled: true }, jsonLogFormat: { enabled: true } },
      ...{ unloadAllAaProfiles: { enabled: true }, removeAllSeccompProfiles: { enabled: true } },
      unloadAllBpfProfiles: { enabled: true },
      metrics: {
        enabled: true,
        tlsSecretName: 'metrics-tls',
        prometheusRule: { enabled: true },
        dashboard: { enabled: true },
      },
      networkPolicies: {
        enabled: true,
        ...{ apiServerCIDRs: ['10.0.0.0/16'], agentCIDRs: ['10.1.0.0/16', 'fd00::/8'] },
        metricsNamespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
      },
      manager: {
        webhook: {
          ...{ matchLabel: 'example.org/protect=yes', failurePolicy: 'Fail', timeoutSeconds: 5 },
          clientCA: { configMapName: 'front', names: ['front-proxy-client'] },
        },
        ...{ shutdownDelaySeconds: 20, terminationGracePeriodSeconds: 60 },
        confineInitContainers: true,
        restarts: { inFlight: 5, inFlightPerNamespace: 2, perMinute: 60, perMinutePerNamespace: 20 },
        clientRateLimit: { qps: 200, burst: 1_000_000 },
        ...{ reportIntervalSeconds: 20, compileDeadlineSeconds: 4, allowUnboundTokens: true, verbosity: 1 },
        autoscaling: { enabled: true, targetMemoryUtilizationPercentage: 80 },
        image: { digest: `sha256:${'0'.repeat(64)}` },
        serviceAccount: { name: 'manager', annotations: { 'example.org/a': 'b' } },
      },
      agent: {
        ...{ strictReadiness: true, strictStart: true, bpfRingSize: '8M', bpfProfileMemory: '64M' },
        ...{ workers: 2, statusEvery: 60, verbosity: 1 },
        managers: ['https://varmor.example.org:8080'],
        shipper: { enabled: true, image: 'registry.example.org/rsyslog:1', receiver: { host: 'logs.example.org' } },
        audit: { source: 'multicast', logPaths: '/var/log/audit/audit.log', untrustedRecords: true },
        violations: { maxSize: '1G', maxFiles: 5, compress: true, maxTotalSize: '2G', rate: 1.5, podLabels: 'all' },
        securityContext: { capabilities: { add: ['SYS_ADMIN'] } },
      },
    },
    notes: /While no manager answers, the API server rejects new and changed workloads that are opted in/,
  },
  {
    name: 'no pod without a manager, but in namespaces that are named',
    values: {
      manager: { webhook: { matchLabel: '', failurePolicy: 'Fail', exemptNamespaces: ['cni-system', 'storage'] } },
    },
    notes:
      /and in cni-system, storage\..*Every workload is opted in.*get no profile, whatever policies say .*: cni-system, storage\./s,
  },
  { name: 'a certificate of cert-manager', values: { certificates: { source: 'cert-manager' } } },
  {
    name: 'everything off',
    values: {
      ...{ crds: { install: false }, rbac: { aggregateToUserRoles: false }, admissionPolicy: { enabled: false } },
      ...{ appArmorLsmEnforcer: { enabled: false }, bpfLsmEnforcer: { enabled: false } },
      ...{ restartExistWorkloads: { enabled: false }, uninstall: { hook: false }, metrics: { enabled: false } },
      manager: { podDisruptionBudget: { enabled: false }, serviceAccount: { create: false }, priorityClassName: '' },
      agent: { network: { hostNetwork: false }, serviceAccount: { create: false }, priorityClassName: '' },
    },
    notes: /not in the network of the host/,
  },
]

/** Values that the schema or the chart refuses, and a pattern that the error must match. */
export const refusedValues: readonly { values: object; says: RegExp }[] = [
  { values: { manger: {} }, says: /manger/ },
  { values: { manager: { webhook: { failurePolicy: 'fail' } } }, says: /failurePolicy/ },
  { values: { manager: { webhook: { exemptNamespaces: 'cni' } } }, says: /exemptNamespaces/ },
  { values: { manager: { webhook: { exemptNamespaces: ['a,b'] } } }, says: /exemptNamespaces/ },
  { values: { manager: { replicaCount: 'three' } }, says: /replicaCount/ },
  { values: { agent: { violations: { folder: 'log' } } }, says: /folder/ },
  { values: { agent: { violations: { maxFiles: 1000 } } }, says: /maxFiles/ },
  { values: { agent: { violations: { maxSize: '512K' } } }, says: /maxSize/ },
  { values: { agent: { violations: { maxSize: 10_485_760 } } }, says: /maxSize/ },
  { values: { agent: { bpfRingSize: '10M' } }, says: /bpfRingSize/ },
  { values: { agent: { bpfRecordsRate: '1.2.3' } }, says: /bpfRecordsRate/ },
  { values: { manager: { webhook: { matchLabel: 'team=' } } }, says: /matchLabel/ },
  { values: { networkPolicies: { agentCIDRs: ['10.0.0.1'] } }, says: /agentCIDRs/ },
  {
    values: { manager: { terminationGracePeriodSeconds: 10 } },
    says: /manager\.terminationGracePeriodSeconds is 10, but must be more than manager\.shutdownDelaySeconds \(10\)/,
  },
  { values: { agent: { shipper: { enabled: true, image: 'x' } } }, says: /agent\.shipper\.receiver\.host/ },
]
