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
import type { ElectionTiming } from './leadership.ts'
import type { RestartLimits, requestPace } from './paces.ts'
import type { CertificateKeeperOptions } from './tls/certificate-keeper.ts'

export interface ManagerOptions {
  connection: Connection
  /** Where vArmor is installed: of its Lease, Secret and ConfigMap, and part of the names of cluster policies' profiles. */
  namespace: string
  /** Which manager this is, for people: the name of the pod. */
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
  compilers?: Pick<CompilersOptions, 'threads' | 'deadline' | 'longestWait' | 'module'>
  timing?: TimingOptions
  /** Where models are kept that are too large for an object, and nothing else. Default: among the files that are for a while only. */
  modelsFolder?: string
  /** Whether models have patterns in place of names that vary. Default true. */
  generalise?: boolean
  /** Folder of a certificate that somebody else keeps; see givenCertificates. Default: managers have an authority of their own. */
  certificates?: string
}

/** How others reach this manager. */
export interface ReachOptions {
  /** DNS names and addresses by which the API server and the agents do. */
  names: readonly string[]
  /** Where the API server finds the webhooks. A function gets the port, for a manager outside of the cluster. */
  webhooks: WebhookOptions['reach'] | ((port: number) => WebhookOptions['reach'])
}

/** Where servers listen. */
export interface ListenOptions {
  /** Default all addresses. */
  host?: string
  /** Upstream's are the default; 0: any that is free. */
  ports?: { webhook?: number; status?: number }
  /** How metrics are served; false: they are not. Default: as upstream's. */
  metrics?: Omit<MetricsListen, 'host'> | false
  /** Bytes that this process may take: so many connections of agents stay open as fit. Default: what its cgroup allows. */
  memory?: number
  /** Reviews are taken only from clients with a certificate of the authorities in this file. Default: from any client. */
  webhookClients?: WebhookClients
  /**
   * Milliseconds for which a manager that ends goes on answering, because others learn late that it is not ready any more. Default 0.
   */
  shutdownDelay?: number
  /** Of that delay. Default: the system's. */
  clock?: Clock
}

export interface WebhookClients {
  /** PEM; it is read again when it changes. */
  file: string
  /** Common or DNS names, one of which the certificate must have. Default: any certificate. */
  names?: readonly string[]
}

export interface AdmissionOptions {
  /** `KEY=VALUE` of the label that opts a workload in; empty: all workloads. */
  optIn?: string
  failurePolicy?: 'Ignore' | 'Fail'
  /** Whose pods and workloads are put into no profile. Default: none; with `Fail`, our own and kube-system in any case. */
  exemptNamespaces?: readonly string[]
  /** Seconds that the API server waits for a webhook. Default 10. */
  timeout?: number
  /** Containers that BPF protects on every node get no AppArmor profile. Default false. */
  bpfExclusive?: boolean
  /** Policies that name no containers confine init containers too. Default false. */
  confineInitContainers?: boolean
  /** Users that managers are, who alone may write ArmorProfiles. Default: the one that this manager is, if the server says (from Kubernetes 1.28). */
  profileWriters?: readonly string[]
}

export interface AgentsOptions {
  /** Seconds between two reports of an agent that has nothing new to say. */
  reportSeconds?: number
  /** The user of their tokens. Default: the service account `varmor-agent` of the namespace. */
  user?: string
  /** Audiences that their tokens are for; none: those of the API server. */
  audiences?: readonly string[]
  /** Their tokens need be bound to neither a node nor a pod; such a token speaks for every node. */
  allowUnboundTokens?: boolean
}

export interface TimingOptions {
  election?: ElectionTiming
  watches?: Partial<ReflectorTiming>
  /** How long certificates last, and how often they are looked at. */
  certificates?: Pick<CertificateKeeperOptions, 'policy' | 'every' | 'backoff'>
  /** Requests a second to the API server, in the long run and at once. */
  pace?: typeof requestPace
}
