import type { CompilersOptions } from '../../actors/compiler/place-compilers.ts'
import type { ModelSettings } from '../../actors/model/ports.ts'
import type { PolicySettings } from '../../actors/policy.ts'
import type { RolloutSettings } from '../../actors/rollout.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Connection } from '../kube/connection.ts'
import type { ReflectorTiming } from '../kube/reflector.ts'
import type { MetricsListen } from '../metrics/metrics-server.ts'
import type { WebhookOptions } from './admission/webhook-configurations.ts'
import type { RestartLimits, requestPace } from './default-limits.ts'
import type { ElectionTiming } from './leadership.ts'
import type { CertificateKeeperOptions } from './tls/certificate-keeper.ts'

export interface ManagerOptions {
  connection: Connection
  /**
   * vArmor's namespace. It has the Lease, the Secret and the ConfigMap, and is part of the profile names of cluster
   * policies.
   */
  namespace: string
  /** This manager's name for users: the name of its pod. */
  identity: string
  logger: Logger
  reach: ReachOptions
  listen?: ListenOptions
  admission?: AdmissionOptions
  agents?: AgentsOptions
  policy?: Partial<PolicySettings>
  rollout?: Partial<RolloutSettings>
  model?: Partial<ModelSettings>
  restartLimits?: RestartLimits
  compilers?: Pick<CompilersOptions, 'threads' | 'deadline' | 'maxWait' | 'module'>
  timing?: TimingOptions
  /**
   * Folder for models that are too large for an object. It must contain no other files. Default: a temporary folder.
   */
  modelsFolder?: string
  /** Whether models get patterns in place of varying names. Default true. */
  generalise?: boolean
  /**
   * Folder of a certificate that another program maintains; see givenCertificates. Default: managers use their own
   * authority.
   */
  certificates?: string
}

/** How clients reach this manager. */
export interface ReachOptions {
  /** DNS names and addresses by which the API server and the agents reach this manager. */
  names: readonly string[]
  /** How the API server reaches the webhooks. For a manager outside the cluster, a function of the port. */
  webhooks: WebhookOptions['reach'] | ((port: number) => WebhookOptions['reach'])
}

/** Where servers listen. */
export interface ListenOptions {
  /** Default: all addresses. */
  host?: string
  /** Default: upstream's ports. 0: any free port. */
  ports?: { webhook?: number; status?: number }
  /** How metrics are served. False: not at all. Default: as upstream. */
  metrics?: Omit<MetricsListen, 'host'> | false
  /**
   * Bytes that this process may use. They limit the agents' open connections and the objects that are kept. Default:
   * the limit of the process's cgroup.
   */
  memory?: number
  /** If set, only clients with a certificate from these authorities may send reviews. Default: any client may. */
  webhookClients?: WebhookClients
  /**
   * Milliseconds for which a stopping manager still answers, because clients notice late that it is not ready. Default
   * 0.
   */
  shutdownDelay?: number
  /** Clock for `shutdownDelay`. Default: the system's clock. */
  clock?: Clock
}

export interface WebhookClients {
  /** A PEM file with the authorities. It is read again when it changes. */
  file: string
  /** Common or DNS names; the certificate must have one of these. Default: any certificate. */
  names?: readonly string[]
}

export interface AdmissionOptions {
  /** `KEY=VALUE` of the label that opts a workload in; empty: all workloads. */
  optIn?: string
  failurePolicy?: 'Ignore' | 'Fail'
  /** Namespaces whose pods and workloads get no profile. Default: none; with `Fail`, always our own and kube-system. */
  exemptNamespaces?: readonly string[]
  /** Seconds that the API server waits for a webhook. Default 10. */
  timeout?: number
  /** Whether containers that BPF confines on every node run without an AppArmor profile. Default false. */
  bpfExclusive?: boolean
  /** Whether policies without container names also confine init containers. Default false. */
  confineInitContainers?: boolean
  /** Names of RuntimeClasses whose pods have a kernel of their own, so that no policy confines them. Default: none. */
  sandboxedRuntimes?: readonly string[]
  /**
   * Users of managers. Only these users may write ArmorProfiles. Default: this manager's user, if the API server
   * reports it (since Kubernetes 1.28).
   */
  profileWriters?: readonly string[]
}

export interface AgentsOptions {
  /** Seconds between two reports of an agent without changes. */
  reportSeconds?: number
  /** User of the agents' tokens. Default: the service account `varmor-agent` in vArmor's namespace. */
  user?: string
  /** Audiences of the agents' tokens. Empty: the API server's audience. */
  audiences?: readonly string[]
  /** Whether the agents' tokens need not be bound to a node or a pod. Such a token is valid for every node. */
  allowUnboundTokens?: boolean
}

export interface TimingOptions {
  election?: ElectionTiming
  watches?: Partial<ReflectorTiming>
  /** How long certificates are valid, and how often they are checked. */
  certificates?: Pick<CertificateKeeperOptions, 'policy' | 'every' | 'backoff'>
  /** Requests per second to the API server: sustained, and burst. */
  pace?: typeof requestPace
}
