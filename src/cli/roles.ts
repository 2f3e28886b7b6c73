import { type Command, Option } from 'commander'
import { compilerDefaults } from '../../actors/compiler/defaults.ts'
import { defaultOptIn } from '../manager/admission/opt-in.ts'
import * as paces from '../manager/paces.ts'
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

// Flags that upstream has keep its spelling. Defaults that are also constants of a room are repeated here: reading them would
// load the room for every command.

export const untilSignal = `
SIGTERM and SIGINT end it in order; a second one at once. SIGUSR1 logs how it stands.
Exit status: 0 a signal ended it; 1 it could not start, go on, or end in time; 2 misuse.`

function clusterOptions(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'of the cluster; default: $KUBECONFIG, the service account of the pod, ~/.kube/config',
    )
    .option('--context <name>', 'of the kubeconfig, instead of its current one')
    .option(
      '--namespace <namespace>',
      'where vArmor is installed; default: $POD_NAMESPACE, the namespace of the pod, varmor',
      readDnsName,
    )
}

const logFormatOption = (): Option => new Option('--logFormat <format>', 'of the log').choices(['text', 'json'])

export function logOptions(command: Command, format: Option = logFormatOption().default('text')): Command {
  return command
    .addOption(format)
    .option('-v, --verbosity <level>', 'from 1 on the log has what helps to find a mistake', readVerbosity, 0)
}

/** A port that upstream's chart gives in the environment. */
const port = (flag: string, what: string, variable: string, fallback: number): Option =>
  new Option(`${flag} <port>`, what).argParser(readPort).env(variable).default(fallback)

function metricsOptions(command: Command): Command {
  return command
    .option('--enableMetrics', 'serve metrics for Prometheus', false)
    .addOption(port('--metrics-port', 'of the metrics', 'METRICS_SERVICE_PORT', 8081))
    .option('--metrics-cert <file>', 'PEM; metrics by TLS instead of plain HTTP; read again when it is renewed')
    .option('--metrics-key <file>', 'of that certificate')
}

export function addManager(varmor: Command): void {
  const manager = varmor
    .command('manager')
    .description('make policies of a cluster into profiles, follow how nodes load them, and put pods into them')
  clusterOptions(manager)
    .option('--identity <name>', 'which manager this is; default: $POD_NAME, host name and process')
    .option('--host <address>', 'where it listens; default: all addresses')
    .addOption(port('--webhook-port', 'of the webhooks', 'WEBHOOK_SERVICE_PORT', 3443))
    .addOption(port('--status-port', "of the agents' reports", 'STATUS_SERVICE_PORT', 8080))
    .option(
      '--webhook-service <name>',
      'Service by which the API server finds the webhooks',
      readDnsName,
      'varmor-webhook-svc',
    )
    .option('--status-service <name>', 'Service by which agents find the managers', readDnsName, 'varmor-status-svc')
    .option(
      '--webhook-url <url>',
      'https://HOST[:PORT] instead of the Service, for a manager outside of the cluster',
      readOrigin,
    )
    .option(
      '--certificates <folder>',
      'with tls.crt, tls.key and ca.crt that somebody else renews; default: managers have an authority of their own',
    )
    .option('--name <names>', 'further names and addresses in its certificate', readNames, [])
    .option('--webhookMatchLabel <label>', 'KEY=VALUE that opts a workload in; empty: all', readLabel, defaultOptIn)
    .addOption(
      new Option(
        '--webhookFailurePolicy <policy>',
        'whether workloads come up while no manager answers: Ignore lets them',
      )
        .choices(['Ignore', 'Fail'])
        .default('Ignore'),
    )
    .option(
      '--webhookExemptNamespaces <names>',
      'namespaces whose pods come up without a manager, and are put into no profile',
      readNamespaces,
      [],
    )
    .option('--webhookTimeout <seconds>', 'that the API server waits for a webhook', readCount, 10)
    .option(
      '--webhook-client-ca <file>',
      'PEM; take reviews only from clients with a certificate of these authorities; read again when it changes',
    )
    .option(
      '--webhook-client-names <names>',
      'common or DNS names, one of which that certificate must have; default: any certificate',
      readNames,
    )
    .option('--bpfExclusiveMode', 'no AppArmor for containers that BPF protects, once every node has loaded it', false)
    .option('--confineInitContainers', 'policies that name no containers mean init containers, too', false)
    .option('--restartExistWorkloads', 'heed spec.updateExistingWorkloads of policies', false)
    .option('--enableBehaviorModeling', 'record what workloads do, for policies of the mode BehaviorModeling', false)
    .option('--no-generalise', 'models have the names that were seen, and no patterns in place of those that vary')
    .option(
      '--models-folder <folder>',
      'where models are kept that are too large for the API server',
      '/var/lib/varmor/models',
    )
    .option('--enableServiceEgressControl', 'BPF rules about Services: find their addresses, and follow them', false)
    .option('--enablePodEgressControl', 'BPF rules about Pods: find their addresses, and follow them', false)
    .option(
      '--restarts-in-flight <count>',
      'workloads that are restarted at a time',
      readCount,
      paces.restartLimits.inFlight,
    )
    .option(
      '--restarts-in-flight-per-namespace <count>',
      'the same, of one namespace',
      readCount,
      paces.restartLimits.inFlightPerNamespace,
    )
    .option(
      '--restarts-per-minute <count>',
      'restarts that begin in a minute',
      readCount,
      paces.restartLimits.perMinute,
    )
    .option(
      '--restarts-per-minute-per-namespace <count>',
      'the same, of one namespace',
      readCount,
      paces.restartLimits.perMinutePerNamespace,
    )
    .option(
      '--clientRateLimitQPS <rate>',
      'requests a second to the API server; 0: the default',
      zeroIs(paces.requestPace.qps, readRate),
      paces.requestPace.qps,
    )
    .option(
      '--clientRateLimitBurst <count>',
      'requests at once; 0: the default',
      zeroIs(paces.requestPace.burst, readCount),
      paces.requestPace.burst,
    )
    .option('--agent-user <user>', "of the agents' tokens; default: the service account varmor-agent of the namespace")
    .option('--token-audience <names>', "that agents' tokens are for; empty: the API server's", readNames)
    .option(
      '--allow-unbound-tokens',
      "take agents' tokens that are bound to neither a node nor a pod: each of them speaks for every node",
      false,
    )
    .option(
      '--report-interval <seconds>',
      'between two reports of an agent with nothing new',
      readCount,
      paces.reportSeconds,
    )
    .option(
      '--compile-deadline <seconds>',
      'after which a policy is too costly to compile, and refused',
      readCount,
      compilerDefaults.deadline / 1_000,
    )
    .option(
      '--shutdown-delay <seconds>',
      'seconds for which a manager answers after SIGTERM, while it is not ready any more; 0 = none',
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
    .description(
      'load the profiles of a cluster, or of a folder of policies, on this node, and write its violations to a log',
    )
  clusterOptions(agent)
    .option('--audit-only', 'only report: load no profiles, talk to no cluster and no runtime', false)
    .option('--containers <file>', 'with --audit-only: containers and policies, as JSON; read again when it changes')
    .option('--policies <folder>', 'of policies, as YAML or JSON files that only root may change: without a cluster')
    .option(
      '--policies-state <file>',
      'with --policies: remembers what is in force, which stays when a file gets a mistake',
      '/var/lib/varmor/policies.json',
    )
    .option('--node-name <name>', 'of this node; default: $NODE_NAME, the host name')
    .option(
      '--manager <url...>',
      'https://HOST[:PORT] of managers; default: the Service varmor-status-svc',
      readOrigins,
      [],
    )
    .option('--manager-ca <file>', 'CA of their certificates; default: what they publish in a ConfigMap')
    .option('--manager-name <name>', 'that their certificates are for, where their URLs have another one')
    .option('--token-file <file>', 'token that the managers know us by', '/var/run/secrets/tokens/bound-token')
    .option(
      '--seccomp-dir <folder>',
      'where the kubelet looks for profiles; default: /var/lib/kubelet/seccomp, with --policies /var/lib/varmor/seccomp',
    )
    .option('--apparmor-dir <folder>', 'where AppArmor profiles are kept', '/etc/apparmor.d')
    .option('--containerd <socket>', 'of the runtime; it need not be there yet', '/run/containerd/containerd.sock')
    .option(
      '--cri <socket>',
      'of another runtime, such as /run/crio/crio.sock: it is asked by CRI alone, instead of containerd',
    )
    .option('--containerd-namespaces <names>', 'with --policies: whose containers are looked at', readNames, [
      'default',
      'k8s.io',
      'moby',
    ])
    .option(
      '--docker-dir <folder>',
      "with --policies: Docker's, where the names of its containers are",
      '/var/lib/docker',
    )
    .option('--readiness-port <port>', 'where the kubelet asks; default: $AGENT_READINESS_PORT, 9580', readPort)
    .option('--readiness-host <address>', 'where that listens; default: all addresses')
    .option('--strict-readiness', 'not ready either while a profile is refused', false)
    .option('--unloadAllAaProfiles', 'unload all AppArmor profiles of vArmor at the end', false)
    .option('--removeAllSeccompProfiles', 'remove all seccomp profiles of vArmor at the end', false)
    .option('--unloadAllBpfProfiles', 'end all BPF enforcement of vArmor at the end, which else goes on', false)
    .option('--bpfRingSize <size>', "kernel memory for BPF's records of violations (default: 8M)", readRingSize)
    .option(
      '--bpfContainers <count>',
      'that can be in BPF profiles at once (default: 16383)',
      readNumber(1, MAX_CONTAINERS - 1),
    )
    .option('--bpfProfiles <count>', 'that the node can have of BPF (default: 1024)', readNumber(1, MAX_PROFILES - 2))
    .option('--bpfProfileMemory <size>', "of the kernel's, that these may have together (default: 128M)", readSize)
    .option(
      '--bpfRecordsRate <records[/burst]>',
      'a second, container and kind that BPF records, and at once; of the others their number is logged. Default: all',
      readRecordsRate,
    )
    .option(
      '--strictStart',
      'stop what starts in a container before it is known, until it is; after a crash, the next agent too',
      false,
    )
    .option('--audit-source <kind>', 'multicast, file or kmsg instead of the best that can be used')
    .option('--auditLogPaths <paths>', 'audit logs to follow, the first that exists, with | between them')
    .option('--log <file>', 'where violations are written', '/var/log/varmor/violations.log')
    .option('--metadata <k=v,...>', 'added to each violation, over $AUDIT_EVENT_METADATA')
    .option(
      '--checkpoint <file>',
      'remembers how far a source was read, so that a restart loses nothing; none: begin anew each time;' +
        ' default: violations.checkpoint.json beside the log',
    )
    .option('--from-start', 'on the first start, read what the audit log already holds', false)
    .option(
      '--workers <count>',
      'threads that decode; default: one, or two where there are three cores and more',
      readCount,
    )
    .option('--violationsPodLabels <keys>', 'labels of pods in their violations, with commas between them, or all')
    .option('--logUntrustedRecords', 'write what processes send as audit records, too, as their violations', false)
    .option('--violationsMaxSize <size>', 'at which a log is rotated, as 10M or 1G', readSize, '10M')
    .option('--violationsMaxFiles <count>', 'old files that are kept of a log', readFileCount, 3)
    .option('--violationsCompress', 'compress old files of a log, but not the newest', false)
    .option('--violationsMaxTotalSize <size>', 'of all files of a log; default: what size and count give', readSize)
    .option(
      '--violationsRate <events>',
      'a second and container that go into the log; of the others the first of each kind in a minute, and their number.' +
        ' Default: all',
      readEventRate,
    )
    .option('--status-every <seconds>', 'log the counters this often', readCount)
    .option('--metrics-host <address>', 'where metrics are served; default: all addresses')
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
    .description('remove what vArmor has made in a cluster, with its help or without; the chart does this when it goes')
  clusterOptions(command)
    .option('--manager-deployment <name>', 'of the managers', readDnsName, 'varmor-manager')
    .option('--agent-daemonset <name>', 'of the agents', readDnsName, 'varmor-agent')
    .option(
      '--of-helm',
      "remove nothing where Helm has not installed it; for the chart's Job, which others than Helm start at once",
      false,
    )
    .option('--keep-policies', 'leave policies, but nothing that keeps them from being deleted', false)
    .option('--patience <seconds>', 'for managers that free workloads, and for pods that end', readCount, 60)
  logOptions(command)
    .addHelpText(
      'after',
      '\nExit status: 0 done; 1 the cluster refuses or does not answer; 2 misuse, or it is elsewhere or not of Helm.',
    )
    .action(async (given) => {
      const { uninstallCommand } = await import('./uninstall-command.ts')
      await end(uninstallCommand(given))
    })
}

/** Ends with what a role returns. */
export async function end(running: Promise<number>): Promise<void> {
  const [status, { endWith }] = [await running, await import('./role.ts')]
  endWith(status)
}
