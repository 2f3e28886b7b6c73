import { compilerDefaults } from '../../actors/compiler/defaults.ts'
import { defaultOptIn } from '../api/annotations.ts'
import { reportSeconds, requestPace, restartLimits } from '../manager/default-limits.ts'
import type { OptionsOf } from './option.ts'
import { clusterOptions, logOptions, metricsOptions } from './shared.ts'
import {
  address,
  choice,
  count,
  countOrDefault,
  dnsName,
  file,
  folder,
  label,
  name,
  names,
  namespaces,
  origin,
  port,
  rate,
  toggle,
  wholeNumber,
} from './types.ts'

/** The options of `varmor manager`. */
export const managerOptions = {
  ...clusterOptions,
  identity: name({
    help: 'name of this manager among the managers',
    without: '$POD_NAME, else host name and process id',
  }),
  host: address({ help: 'address to listen on', without: 'all addresses' }),
  webhookPort: port({
    help: 'port of the webhooks',
    env: 'WEBHOOK_SERVICE_PORT',
    default: 3443,
    value: { from: 'manager.network.webhookPort' },
  }),
  statusPort: port({
    help: "port that receives the agents' reports",
    env: 'STATUS_SERVICE_PORT',
    default: 8080,
    value: { from: 'manager.network.statusPort' },
  }),
  webhookService: dnsName({
    help: 'Service through which the API server reaches the webhooks',
    default: 'varmor-webhook-svc',
  }),
  statusService: dnsName({
    help: 'Service through which agents reach the managers',
    default: 'varmor-status-svc',
  }),
  webhookUrl: origin({
    help: 'https://HOST[:PORT] of the webhooks instead of the Service, for a manager outside the cluster',
  }),
  certificates: folder({
    help: 'folder with tls.crt, tls.key and ca.crt that another program renews',
    without: 'managers run their own CA',
    value: { from: 'certificates.source' },
  }),
  name: names({ help: "additional DNS names and addresses in the manager's certificate", default: [] }),
  webhookMatchLabel: label({
    help: 'label KEY=VALUE that opts a workload in; empty: all workloads',
    default: `${defaultOptIn.key}=${defaultOptIn.value}`,
    upstream: true,
    value: 'manager.webhook.matchLabel',
  }),
  webhookFailurePolicy: choice(['Ignore', 'Fail'], {
    help: 'what the API server does with pods while no manager answers: Ignore admits them, Fail rejects them',
    unit: 'policy',
    default: 'Ignore',
    formerly: 'webhookFailurePolicy',
    value: 'manager.webhook.failurePolicy',
    note: 'See the README of the chart.',
  }),
  webhookExemptNamespaces: namespaces({
    help: 'namespaces whose pods start without a manager and get no profile',
    default: [],
    formerly: 'webhookExemptNamespaces',
    value: 'manager.webhook.exemptNamespaces',
    note: "Pods there are not confined. With Fail, vArmor's own namespace and kube-system are always exempt; with Fail and an empty matchLabel, list all other namespaces that the cluster needs (network, storage).",
  }),
  webhookTimeout: wholeNumber(
    // Kubernetes does not accept a longer timeout.
    { min: 1, max: 30 },
    {
      help: 'seconds that the API server waits for a webhook',
      unit: 'seconds',
      default: 10,
      upstream: true,
      value: 'manager.webhook.timeoutSeconds',
    },
  ),
  webhookClientCa: file({
    help: 'PEM file of CAs; accept reviews only from clients with a certificate of these CAs; reloaded when it changes',
    value: { from: 'manager.webhook.clientCA.configMapName' },
  }),
  webhookClientNames: names({
    help: 'accepted common or DNS names of client certificates',
    without: 'any certificate of the CAs',
    value: 'manager.webhook.clientCA.names',
  }),
  bpfExclusiveMode: toggle({
    help: 'leave AppArmor off for containers that BPF confines, once every node has loaded the BPF profile',
    upstream: true,
    value: { enabled: 'bpfExclusiveMode.enabled', args: 'manager.bpfExclusiveMode.args' },
  }),
  confineInitContainers: toggle({
    help: 'policies that name no containers also confine init containers',
    formerly: 'confineInitContainers',
    value: 'manager.confineInitContainers',
  }),
  restartExistWorkloads: toggle({
    help: 'restart existing workloads for policies with spec.updateExistingWorkloads',
    upstream: true,
    value: { enabled: 'restartExistWorkloads.enabled', args: 'manager.restartExistWorkloads.args' },
  }),
  enableBehaviorModeling: toggle({
    help: 'record the behaviour of workloads for policies in BehaviorModeling mode',
    upstream: true,
    value: 'behaviorModeling.enabled',
  }),
  generalise: toggle({
    help: 'record names exactly as seen; do not replace varying parts by patterns',
    default: true,
    value: 'behaviorModeling.generalise',
    valueHelp:
      'replace varying parts of names by patterns, such as process ids and temporary files; false: models keep names exactly as seen',
  }),
  modelsFolder: folder({
    help: 'folder for models that are too large for the API server',
    default: '/var/lib/varmor/models',
  }),
  enableServiceEgressControl: toggle({
    help: 'enforce BPF egress rules about Services: resolve their addresses and follow changes',
    upstream: true,
    value: 'serviceEgressControl.enabled',
  }),
  enablePodEgressControl: toggle({
    help: 'enforce BPF egress rules about Pods: resolve their addresses and follow changes',
    upstream: true,
    value: 'podEgressControl.enabled',
  }),
  restartsInFlight: count({
    help: 'maximum workloads restarted at the same time',
    default: restartLimits.inFlight,
    value: 'manager.restarts.inFlight',
  }),
  restartsInFlightPerNamespace: count({
    help: 'maximum workloads of one namespace restarted at the same time',
    default: restartLimits.inFlightPerNamespace,
    value: 'manager.restarts.inFlightPerNamespace',
  }),
  restartsPerMinute: count({
    help: 'maximum restarts started per minute',
    default: restartLimits.perMinute,
    value: 'manager.restarts.perMinute',
  }),
  restartsPerMinutePerNamespace: count({
    help: 'maximum restarts started per minute in one namespace',
    default: restartLimits.perMinutePerNamespace,
    value: 'manager.restarts.perMinutePerNamespace',
  }),
  clientRateLimitQPS: rate({
    help: 'maximum requests per second to the API server; 0 = the default',
    default: requestPace.qps,
    upstream: true,
    value: 'manager.clientRateLimit.qps',
  }),
  clientRateLimitBurst: countOrDefault({
    help: 'maximum requests to the API server at once; 0 = the default',
    default: requestPace.burst,
    upstream: true,
    value: 'manager.clientRateLimit.burst',
  }),
  agentUser: name({
    help: "user to which the agents' tokens belong",
    without: 'the service account varmor-agent of the namespace',
    unit: 'user',
    value: { from: 'agent.serviceAccount' },
  }),
  tokenAudience: names({
    help: "audience of the agents' tokens; empty: the API server's default",
    default: ['varmor-manager'],
  }),
  allowUnboundTokens: toggle({
    help: "accept agents' tokens that are bound to neither a node nor a pod; each such token can report for every node",
    value: 'manager.allowUnboundTokens',
    note: 'The kubelet gives agents bound tokens; a token from a Secret is unbound.',
  }),
  reportInterval: count({
    help: 'seconds between two reports of an agent without changes',
    unit: 'seconds',
    default: reportSeconds,
    value: 'manager.reportIntervalSeconds',
  }),
  compileDeadline: count({
    help: 'CPU seconds after which a compilation is stopped and its policy refused',
    unit: 'seconds',
    default: compilerDefaults.deadline / 1_000,
    value: 'manager.compileDeadlineSeconds',
  }),
  shutdownDelay: wholeNumber(
    { min: 0, max: 600 },
    {
      help: 'seconds after SIGTERM in which a manager reports not ready, but still answers requests; 0 = none',
      unit: 'seconds',
      default: 10,
      value: 'manager.shutdownDelaySeconds',
      note: 'API servers and proxies may still send requests to a manager that is not ready. Keep this delay below uninstall.timeoutSeconds.',
    },
  ),
  ...metricsOptions('manager', { enabled: 'metrics.enabled', args: 'manager.metrics.args' }),
  ...logOptions('manager'),
}

export type ManagerArguments = OptionsOf<typeof managerOptions>
