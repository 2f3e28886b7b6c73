import { sourceKinds } from '../audit/source/choose-source.ts'
import { MAX_CONTAINERS, MAX_PROFILES } from '../profile/bpf/limits.ts'
import type { OptionsOf } from './option.ts'
import { clusterOptions, formats, logFormat, metricsOptions, verbosityOf } from './shared.ts'
import {
  address,
  choice,
  count,
  eventRate,
  file,
  folder,
  name,
  names,
  origins,
  port,
  recordsRate,
  ringSize,
  size,
  socket,
  toggle,
  wholeNumber,
  words,
} from './types.ts'

/** The options of `varmor agent`. */
export const agentOptions = {
  ...clusterOptions,
  auditOnly: toggle({ help: 'only log violations: load no profiles, use no cluster and no container runtime' }),
  containers: file({ help: 'with --audit-only: JSON file of containers and policies; reloaded when it changes' }),
  policies: folder({
    help: 'for a node without a cluster: folder of policies, as YAML or JSON files that only root may change',
  }),
  policiesState: file({
    help: 'with --policies: file that stores the policies in force; they stay when their file becomes invalid',
    default: '/var/lib/varmor/policies.json',
  }),
  nodeName: name({ help: 'name of this node', without: '$NODE_NAME, else the host name' }),
  manager: origins({
    help: 'URLs of managers: https://HOST[:PORT]',
    default: [],
    without: 'the Service varmor-status-svc',
    value: 'agent.managers',
  }),
  managerCa: file({
    help: "CA file for the managers' certificates",
    without: 'the CA that they publish in a ConfigMap',
  }),
  managerName: name({ help: "name in the managers' certificates, if it differs from the host of --manager" }),
  tokenFile: file({
    help: 'file with the token by which managers authenticate the agent',
    default: '/var/run/secrets/tokens/bound-token',
  }),
  seccompDir: folder({
    help: 'folder for Seccomp profiles',
    without: '/var/lib/kubelet/seccomp, with --policies /var/lib/varmor/seccomp',
  }),
  apparmorDir: folder({ help: 'folder for AppArmor profiles', default: '/etc/apparmor.d' }),
  containerd: socket({
    help: 'socket of containerd; it may appear later',
    default: '/run/containerd/containerd.sock',
  }),
  cri: socket({
    help: 'socket of another CRI runtime, such as /run/crio/crio.sock; used instead of containerd',
    value: { from: 'agent.hostPaths.crio' },
  }),
  containerdNamespaces: names({
    help: 'with --policies: containerd namespaces to watch for containers',
    default: ['default', 'k8s.io', 'moby'],
  }),
  dockerDir: folder({
    help: 'with --policies: data folder of Docker, to read the names of its containers',
    default: '/var/lib/docker',
  }),
  readinessPort: port({
    help: 'port of the readiness probe',
    without: '$AGENT_READINESS_PORT, else 9580',
    value: { from: 'agent.network.readinessPort' },
  }),
  readinessHost: address({ help: 'address that serves the readiness probe', without: 'all addresses' }),
  strictReadiness: toggle({
    help: 'also report not ready while this node refuses a profile',
    value: 'agent.strictReadiness',
  }),
  unloadAllAaProfiles: toggle({
    help: 'unload all AppArmor profiles of vArmor when the agent stops',
    upstream: true,
    value: { enabled: 'unloadAllAaProfiles.enabled', args: 'agent.unloadAllAaProfiles.args' },
  }),
  removeAllSeccompProfiles: toggle({
    help: 'remove all Seccomp profiles of vArmor when the agent stops',
    upstream: true,
    value: { enabled: 'removeAllSeccompProfiles.enabled', args: 'agent.removeAllSeccompProfiles.args' },
  }),
  unloadAllBpfProfiles: toggle({
    help: 'end all BPF enforcement of vArmor when the agent stops; without this, enforcement continues',
    formerly: 'unloadAllBpfProfiles',
    value: { enabled: 'unloadAllBpfProfiles.enabled', args: 'agent.unloadAllBpfProfiles.args' },
  }),
  bpfRingSize: ringSize({
    help: 'kernel memory for BPF records of violations',
    without: '8M',
    formerly: 'bpfRingSize',
    value: 'agent.bpfRingSize',
  }),
  bpfContainers: wholeNumber(
    { min: 1, max: MAX_CONTAINERS - 1 },
    {
      help: 'maximum containers confined by BPF at the same time',
      without: '16383',
      formerly: 'bpfContainers',
      value: 'agent.bpfContainers',
    },
  ),
  bpfProfiles: wholeNumber(
    { min: 1, max: MAX_PROFILES - 2 },
    { help: 'maximum BPF profiles on the node', without: '1024', formerly: 'bpfProfiles', value: 'agent.bpfProfiles' },
  ),
  bpfProfileMemory: size({
    help: 'maximum kernel memory of all BPF profiles together',
    without: '128M',
    formerly: 'bpfProfileMemory',
    value: 'agent.bpfProfileMemory',
    note: 'This memory counts towards agent.bpfLsmEnforcer.resources.limits.memory: raise that limit by the same amount.',
  }),
  bpfRecordsRate: recordsRate({
    help: 'maximum BPF records per second (and burst) for each container and kind; further records are only counted',
    note: 'A burst follows a slash, as in 100/1000.',
    without: 'no limit',
    formerly: 'bpfRecordsRate',
    value: 'agent.bpfRecordsRate',
  }),
  strictStart: toggle({
    help: 'pause new containers until the agent knows them. After an agent crash this also pauses its replacement',
    formerly: 'strictStart',
    value: 'agent.strictStart',
    onlyWith: 'bpfLsmEnforcer.enabled',
    note: 'Then no container starts on the node until an administrator resumes the agent by hand: see docs/bpf.md. With NRI, strict start is not needed.',
  }),
  auditSource: choice(sourceKinds, {
    help: 'source of audit records: multicast, file or kmsg',
    without: 'the best source that works',
    value: 'agent.audit.source',
  }),
  auditLogPaths: words({
    help: 'audit logs, separated by |; the first that exists is followed',
    without: 'audit.log, then kern.log, if the multicast does not work',
    unit: 'paths',
    upstream: true,
    value: 'agent.audit.logPaths',
  }),
  log: file({
    help: 'file to which violations are written',
    default: '/var/log/varmor/violations.log',
    value: { from: 'agent.violations.folder' },
  }),
  metadata: words({
    help: 'fields added to each violation; they replace fields of the same name in $AUDIT_EVENT_METADATA',
    unit: 'k=v,...',
    value: { from: 'auditEventMetadata' },
  }),
  checkpoint: file({
    help: 'file that stores how far the source has been read, so that a restart loses nothing; none = do not store it',
    without: 'violations.checkpoint.json beside the log',
  }),
  fromStart: toggle({ help: 'on the first start, also read the records that the audit log already contains' }),
  workers: count({
    help: 'threads that decode records',
    without: '1, or 2 on 3 or more cores',
    value: 'agent.workers',
  }),
  violationsPodLabels: words({
    help: 'keys of pod labels to add to violations, separated by commas; all = every label',
    unit: 'keys',
    formerly: 'violationsPodLabels',
    value: 'agent.violations.podLabels',
  }),
  logUntrustedRecords: toggle({
    help: 'also log audit records that processes send themselves, marked as untrusted',
    formerly: 'logUntrustedRecords',
    value: 'agent.audit.untrustedRecords',
  }),
  violationsMaxSize: size({
    help: 'size at which a log is rotated, such as 10M or 1G',
    default: '10M',
    formerly: 'violationsMaxSize',
    value: 'agent.violations.maxSize',
  }),
  violationsMaxFiles: wholeNumber(
    { min: 1, max: 999 },
    {
      help: 'maximum rotated files kept for each log',
      default: 3,
      formerly: 'violationsMaxFiles',
      value: 'agent.violations.maxFiles',
    },
  ),
  violationsCompress: toggle({
    help: 'compress rotated files except the newest',
    formerly: 'violationsCompress',
    value: 'agent.violations.compress',
  }),
  violationsMaxTotalSize: size({
    help: 'maximum size of all files of one log',
    without: 'limited only by the size and the number of files',
    formerly: 'violationsMaxTotalSize',
    value: 'agent.violations.maxTotalSize',
  }),
  violationsRate: eventRate({
    help: 'maximum events per second logged for each container; above this rate, the log has only the first event of each kind per minute, and a count',
    without: 'no limit',
    formerly: 'violationsRate',
    value: 'agent.violations.rate',
  }),
  statusEvery: count({
    help: 'seconds between two log lines with the counters of the agent',
    without: 'never',
    unit: 'seconds',
    value: 'agent.statusEvery',
  }),
  metricsHost: address({ help: 'address that serves metrics', without: 'all addresses' }),
  ...metricsOptions('agent', 'metrics.enabled'),
  logFormat: choice(formats, { ...logFormat, without: 'text, with --audit-only json' }),
  verbosity: verbosityOf('agent'),
}

export type AgentArguments = OptionsOf<typeof agentOptions>
