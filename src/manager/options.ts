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
  /** The namespace of vArmor: of its Lease, Secret and ConfigMap, and part of cluster policies' profile names. */
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
  /** Folder for models that are too large for an object, and for nothing else. Default: a temporary folder. */
  modelsFolder?: string
  /** Whether models have patterns in place of varying names. Default true. */
  generalise?: boolean
  /**
   * Folder of a certificate that another program maintains; see givenCertificates. Default: managers use their own
   * authority.
   */
  certificates?: string
}

/** How clients reach this manager. */
export interface ReachOptions {
  /** DNS names and addresses for the API server and the agents. */
  names: readonly string[]
  /** The webhooks' address for the API server. A function gets the port, for a manager outside the cluster. */
  webhooks: WebhookOptions['reach'] | ((port: number) => WebhookOptions['reach'])
}

/** Where servers listen. */
export interface ListenOptions {
  /** Default: all addresses. */
  host?: string
  /** Default: upstream's; 0: any free port. */
  ports?: { webhook?: number; status?: number }
  /** How metrics are served; false: not at all. Default: as upstream. */
  metrics?: Omit<MetricsListen, 'host'> | false
  /** Bytes that this process may use: they limit the agents' open connections. Default: the limit of its cgroup. */
  memory?: number
  /** Accepts reviews only from clients with a certificate of the authorities in this file. Default: from any client. */
  webhookClients?: WebhookClients
  /**
   * Milliseconds for which a stopping manager continues to answer, because clients notice its unreadiness late. Default
   * 0.
   */
  shutdownDelay?: number
  /** Clock of that delay. Default: the system's. */
  clock?: Clock
}

export interface WebhookClients {
  /** PEM; read again when it changes. */
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
  /** Containers that BPF confines on every node get no AppArmor profile. Default false. */
  bpfExclusive?: boolean
  /** Policies without container names also confine init containers. Default false. */
  confineInitContainers?: boolean
  /**
   * Users of managers, which alone may write ArmorProfiles. Default: this manager's user, if the server shows it (from
   * Kubernetes 1.28).
   */
  profileWriters?: readonly string[]
}

export interface AgentsOptions {
  /** Seconds between two reports of an agent without news. */
  reportSeconds?: number
  /** The user of their tokens. Default: the service account `varmor-agent` of the namespace. */
  user?: string
  /** Audiences of their tokens; none: the API server's. */
  audiences?: readonly string[]
  /** Their tokens need not be bound to a node or a pod; such a token speaks for every node. */
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
