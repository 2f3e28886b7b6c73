import { type Command, Option } from 'commander'
import { compilerDefaults } from '../../actors/compiler/defaults.ts'
import { defaultOptIn } from '../manager/admission/opt-in.ts'
import * as paces from '../manager/default-limits.ts'
import { MAX_CONTAINERS, MAX_PROFILES } from '../profile/bpf/limits.ts'
import {
  readCount,
  readDnsName,
  readEventRate,
  readFileCount,
  readLabel,
  readNames,
  readNamespaces,
  readNumber,
  readOrigin,
  readOrigins,
  readPort,
  readRate,
  readRecordsRate,
  readRingSize,
  readSize,
  readVerbosity,
  zeroIs,
} from './read-option.ts'

// Upstream's flags keep their spelling. Some defaults repeat constants of other modules: an import would load the
// module for every command.

export const untilSignal = `
SIGTERM or SIGINT stops it in order; a second signal stops it at once. SIGUSR1 logs its status.
Exit status: 0 a signal stopped it; 1 it could not start, continue or stop in time; 2 misuse.`

function clusterOptions(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'kubeconfig of the cluster; default: $KUBECONFIG, else the service account of the pod, else ~/.kube/config',
    )
    .option('--context <name>', 'context of the kubeconfig; default: its current context')
    .option(
      '--namespace <namespace>',
      'namespace where vArmor is installed; default: $POD_NAMESPACE, else the namespace of the pod, else varmor',
      readDnsName,
    )
}

const logFormatOption = (): Option => new Option('--logFormat <format>', 'format of the log').choices(['text', 'json'])

export function logOptions(command: Command, format: Option = logFormatOption().default('text')): Command {
  return command.addOption(format).option('-v, --verbosity <level>', '1 or more adds debug messages', readVerbosity, 0)
}

/** An option for a port, which upstream's chart sets in the environment. */
const port = (flag: string, what: string, variable: string, fallback: number): Option =>
  new Option(`${flag} <port>`, what).argParser(readPort).env(variable).default(fallback)

function metricsOptions(command: Command): Command {
  return command
    .option('--enableMetrics', 'serve Prometheus metrics', false)
    .addOption(port('--metrics-port', 'port that serves metrics', 'METRICS_SERVICE_PORT', 8081))
    .option(
      '--metrics-cert <file>',
      'PEM file of a certificate; serve metrics over TLS instead of plain HTTP; reloaded when it changes',
    )
    .option('--metrics-key <file>', 'PEM file of the key of that certificate')
}

export function addManager(varmor: Command): void {
  const manager = varmor
    .command('manager')
    .description('compile the policies of a cluster into profiles, track how nodes load them, and confine pods in them')
  clusterOptions(manager)
    .option(
      '--identity <name>',
      'name of this manager among the managers; default: $POD_NAME, else host name and process id',
    )
    .option('--host <address>', 'address to listen on; default: all addresses')
    .addOption(port('--webhook-port', 'port of the webhooks', 'WEBHOOK_SERVICE_PORT', 3443))
    .addOption(port('--status-port', "port that receives the agents' reports", 'STATUS_SERVICE_PORT', 8080))
    .option(
      '--webhook-service <name>',
      'Service through which the API server reaches the webhooks',
      readDnsName,
      'varmor-webhook-svc',
    )
    .option(
      '--status-service <name>',
      'Service through which agents reach the managers',
      readDnsName,
      'varmor-status-svc',
    )
    .option(
      '--webhook-url <url>',
      'https://HOST[:PORT] of the webhooks instead of the Service, for a manager outside the cluster',
      readOrigin,
    )
    .option(
      '--certificates <folder>',
      'folder with tls.crt, tls.key and ca.crt that another program renews; default: managers run their own CA',
    )
    .option('--name <names>', 'additional DNS names and addresses in its certificate', readNames, [])
    .option(
      '--webhookMatchLabel <label>',
      'label KEY=VALUE that opts a workload in; empty: all workloads',
      readLabel,
      defaultOptIn,
    )
    .addOption(
      new Option(
        '--webhookFailurePolicy <policy>',
        'what the API server does with pods while no manager answers: Ignore admits them, Fail rejects them',
      )
        .choices(['Ignore', 'Fail'])
        .default('Ignore'),
    )
    .option(
      '--webhookExemptNamespaces <names>',
      'namespaces whose pods start without a manager and get no profile',
      readNamespaces,
      [],
    )
    .option('--webhookTimeout <seconds>', 'seconds that the API server waits for a webhook', readCount, 10)
    .option(
      '--webhook-client-ca <file>',
      'PEM file of CAs; accept reviews only from clients with a certificate of these CAs; reloaded when it changes',
    )
    .option(
      '--webhook-client-names <names>',
      'common or DNS names; the client certificate must have one of these; default: any certificate of the CAs',
      readNames,
    )
    .option(
      '--bpfExclusiveMode',
      'leave AppArmor off for containers that BPF confines, once every node has loaded the BPF profile',
      false,
    )
    .option('--confineInitContainers', 'policies that name no containers also confine init containers', false)
    .option(
      '--restartExistWorkloads',
      'restart existing workloads for policies with spec.updateExistingWorkloads',
      false,
    )
    .option(
      '--enableBehaviorModeling',
      'record the behaviour of workloads for policies in BehaviorModeling mode',
      false,
    )
    .option('--no-generalise', 'record names exactly as seen; do not replace varying parts by patterns')
    .option(
      '--models-folder <folder>',
      'folder for models that are too large for the API server',
      '/var/lib/varmor/models',
    )
    .option(
      '--enableServiceEgressControl',
      'enforce BPF egress rules about Services: resolve their addresses and follow changes',
      false,
    )
    .option(
      '--enablePodEgressControl',
      'enforce BPF egress rules about Pods: resolve their addresses and follow changes',
      false,
    )
    .option(
      '--restarts-in-flight <count>',
      'maximum workloads restarted at the same time',
      readCount,
      paces.restartLimits.inFlight,
    )
    .option(
      '--restarts-in-flight-per-namespace <count>',
      'maximum workloads of one namespace restarted at the same time',
      readCount,
      paces.restartLimits.inFlightPerNamespace,
    )
    .option(
      '--restarts-per-minute <count>',
      'maximum restarts started per minute',
      readCount,
      paces.restartLimits.perMinute,
    )
    .option(
      '--restarts-per-minute-per-namespace <count>',
      'maximum restarts started per minute in one namespace',
      readCount,
      paces.restartLimits.perMinutePerNamespace,
    )
    .option(
      '--clientRateLimitQPS <rate>',
      'maximum requests per second to the API server; 0 = the default',
      zeroIs(paces.requestPace.qps, readRate),
      paces.requestPace.qps,
    )
    .option(
      '--clientRateLimitBurst <count>',
      'maximum requests to the API server at once; 0 = the default',
      zeroIs(paces.requestPace.burst, readCount),
      paces.requestPace.burst,
    )
    .option(
      '--agent-user <user>',
      "user of the agents' tokens; default: the service account varmor-agent of the namespace",
    )
    .option('--token-audience <names>', "audience of the agents' tokens; empty: the API server's default", readNames)
    .option(
      '--allow-unbound-tokens',
      "accept agents' tokens that are bound to neither a node nor a pod; each such token can report for every node",
      false,
    )
    .option(
      '--report-interval <seconds>',
      'seconds between two reports of an agent without changes',
      readCount,
      paces.reportSeconds,
    )
    .option(
      '--compile-deadline <seconds>',
      'CPU seconds after which a compilation is stopped and its policy refused',
      readCount,
      compilerDefaults.deadline / 1_000,
    )
    .option(
      '--shutdown-delay <seconds>',
      'seconds after SIGTERM in which a manager reports not ready, but still answers requests; 0 = none',
      readNumber(0, 600),
      10,
    )
  metricsOptions(manager)
  logOptions(manager)
    .addHelpText('after', untilSignal)
    .action(async (given) => {
      const { managerCommand } = await import('./manager-command.ts')
      await end(managerCommand({ tokenAudience: ['varmor-manager'], ...given }))
    })
}

export function addAgent(varmor: Command): void {
  const agent = varmor
    .command('agent')
    .description('load the profiles of a cluster, or of a folder of policies, on this node, and log its violations')
  clusterOptions(agent)
    .option('--audit-only', 'only log violations: load no profiles, use no cluster and no container runtime', false)
    .option('--containers <file>', 'with --audit-only: JSON file of containers and policies; reloaded when it changes')
    .option(
      '--policies <folder>',
      'for a node without a cluster: folder of policies, as YAML or JSON files that only root may change',
    )
    .option(
      '--policies-state <file>',
      'with --policies: file that stores the policies in force; they stay when their file becomes invalid',
      '/var/lib/varmor/policies.json',
    )
    .option('--node-name <name>', 'name of this node; default: $NODE_NAME, else the host name')
    .option(
      '--manager <url...>',
      'https://HOST[:PORT] of managers; default: the Service varmor-status-svc',
      readOrigins,
      [],
    )
    .option(
      '--manager-ca <file>',
      "CA file for the managers' certificates; default: the CA that they publish in a ConfigMap",
    )
    .option('--manager-name <name>', "name in the managers' certificates, if it differs from the host of --manager")
    .option(
      '--token-file <file>',
      'file with the token by which managers authenticate the agent',
      '/var/run/secrets/tokens/bound-token',
    )
    .option(
      '--seccomp-dir <folder>',
      'folder for Seccomp profiles; default: /var/lib/kubelet/seccomp, with --policies /var/lib/varmor/seccomp',
    )
    .option('--apparmor-dir <folder>', 'folder for AppArmor profiles', '/etc/apparmor.d')
    .option('--containerd <socket>', 'socket of containerd; it may appear later', '/run/containerd/containerd.sock')
    .option('--cri <socket>', 'socket of another CRI runtime, such as /run/crio/crio.sock; used instead of containerd')
    .option(
      '--containerd-namespaces <names>',
      'with --policies: containerd namespaces to watch for containers',
      readNames,
      ['default', 'k8s.io', 'moby'],
    )
    .option(
      '--docker-dir <folder>',
      'with --policies: data folder of Docker, to read the names of its containers',
      '/var/lib/docker',
    )
    .option(
      '--readiness-port <port>',
      'port of the readiness probe; default: $AGENT_READINESS_PORT, else 9580',
      readPort,
    )
    .option('--readiness-host <address>', 'address that serves the readiness probe; default: all addresses')
    .option('--strict-readiness', 'also report not ready while this node refuses a profile', false)
    .option('--unloadAllAaProfiles', 'unload all AppArmor profiles of vArmor when the agent stops', false)
    .option('--removeAllSeccompProfiles', 'remove all Seccomp profiles of vArmor when the agent stops', false)
    .option(
      '--unloadAllBpfProfiles',
      'end all BPF enforcement of vArmor when the agent stops; without this, enforcement continues',
      false,
    )
    .option('--bpfRingSize <size>', 'kernel memory for BPF records of violations (default: 8M)', readRingSize)
    .option(
      '--bpfContainers <count>',
      'maximum containers confined by BPF at the same time (default: 16383)',
      readNumber(1, MAX_CONTAINERS - 1),
    )
    .option(
      '--bpfProfiles <count>',
      'maximum BPF profiles on the node (default: 1024)',
      readNumber(1, MAX_PROFILES - 2),
    )
    .option('--bpfProfileMemory <size>', 'maximum kernel memory of all BPF profiles together (default: 128M)', readSize)
    .option(
      '--bpfRecordsRate <records[/burst]>',
      'maximum BPF records per second (and burst) for each container and kind; more are only counted; default: no limit',
      readRecordsRate,
    )
    .option(
      '--strictStart',
      'pause new containers until the agent knows them. After an agent crash this also pauses its replacement',
      false,
    )
    .option('--audit-source <kind>', 'source of audit records: multicast, file or kmsg; default: the best that works')
    .option('--auditLogPaths <paths>', 'audit logs, separated by |; the first that exists is followed')
    .option('--log <file>', 'file to which violations are written', '/var/log/varmor/violations.log')
    .option('--metadata <k=v,...>', 'fields added to each violation; they replace those of $AUDIT_EVENT_METADATA')
    .option(
      '--checkpoint <file>',
      'file that stores how far the source has been read, so that a restart loses nothing; none = do not store it;' +
        ' default: violations.checkpoint.json beside the log',
    )
    .option('--from-start', 'on the first start, also read the records that the audit log already holds', false)
    .option('--workers <count>', 'threads that decode records; default: 1, or 2 on 3 or more cores', readCount)
    .option(
      '--violationsPodLabels <keys>',
      'keys of pod labels to add to violations, separated by commas; all = every label',
    )
    .option(
      '--logUntrustedRecords',
      'also log audit records that processes send themselves, marked as untrusted',
      false,
    )
    .option('--violationsMaxSize <size>', 'size at which a log is rotated, such as 10M or 1G', readSize, '10M')
    .option('--violationsMaxFiles <count>', 'maximum rotated files kept for each log', readFileCount, 3)
    .option('--violationsCompress', 'compress rotated files except the newest', false)
    .option(
      '--violationsMaxTotalSize <size>',
      'maximum size of all files of one log; default: the product of size and count',
      readSize,
    )
    .option(
      '--violationsRate <events>',
      'maximum events per second logged for each container; beyond it, only the first of each kind per minute, and a count;' +
        ' default: no limit',
      readEventRate,
    )
    .option('--status-every <seconds>', 'interval at which the counters are logged; default: never', readCount)
    .option('--metrics-host <address>', 'address that serves metrics; default: all addresses')
  metricsOptions(agent)
  logOptions(agent, logFormatOption())
    .addHelpText('after', untilSignal)
    .action(async (given) => {
      const { agentCommand } = await import('./agent-command.ts')
      await end(agentCommand(given))
    })
}

export function addUninstall(varmor: Command): void {
  const command = varmor
    .command('uninstall')
    .description(
      'remove everything vArmor created in the cluster, whether or not its managers still run. `helm uninstall` runs this',
    )
  clusterOptions(command)
    .option('--manager-deployment <name>', 'name of the Deployment of the managers', readDnsName, 'varmor-manager')
    .option('--agent-daemonset <name>', 'name of the DaemonSet of the agents', readDnsName, 'varmor-agent')
    .option(
      '--of-helm',
      "do nothing unless Helm installed the release. The chart's uninstall Job sets this, because kubectl and Argo CD run that Job as soon as they apply it",
      false,
    )
    .option('--keep-policies', 'keep the policies, but remove the finalizers that block their deletion', false)
    .option(
      '--timeout <seconds>',
      'seconds to wait for managers to release workloads, and for pods to stop',
      readCount,
      60,
    )
  logOptions(command)
    .addHelpText(
      'after',
      '\nExit status: 0 done; 1 the cluster refuses or does not answer; 2 misuse, vArmor is in another namespace, or Helm did not install it.',
    )
    .action(async (given) => {
      const { uninstallCommand } = await import('./uninstall-command.ts')
      await end(uninstallCommand(given))
    })
}

/** Ends the process with the exit status of a role. */
export async function end(running: Promise<number>): Promise<void> {
  const [status, { endWith }] = [await running, await import('./role.ts')]
  endWith(status)
}
