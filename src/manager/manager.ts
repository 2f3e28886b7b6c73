import type { PolicySettings } from '../../actors/policy.ts'
import type { AnyPolicy, PolicyEvent, RecordEvent } from '../../actors/ports.ts'
import type { RolloutSettings } from '../../actors/rollout.ts'
import { ActorSystem } from '../../actors/runtime/index.ts'
import { mebibyte } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Change } from '../kube/change.ts'
import { ApiClient } from '../kube/client.ts'
import type { Connection } from '../kube/connection.ts'
import { configMaps, secrets } from '../kube/core-objects.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { LeaderElector } from '../kube/leader-election.ts'
import { PriorityLimiter } from '../kube/limiter.ts'
import type { ReflectorTiming } from '../kube/reflector.ts'
import type { ReflectorObserver } from '../kube/reflector-observer.ts'
import type { Term } from '../kube/term.ts'
import { reviewToken } from '../kube/token-review.ts'
import { policyKey } from './admission/indexed-policy.ts'
import { defaultOptIn, parseOptIn } from './admission/opt-in.ts'
import { PolicyIndex } from './admission/policy-index.ts'
import { Reviewer } from './admission/reviewer.ts'
import { hasAppArmorField } from './admission/server-version.ts'
import {
  mutatingName,
  mutatingWebhookConfigurations,
  validatingName,
  validatingWebhookConfigurations,
  type WebhookOptions,
  webhookConfigurations,
} from './admission/webhook-configurations.ts'
import { ClusterView } from './cluster-view.ts'
import { ClusterWrites } from './cluster-writes.ts'
import { ControlPlane } from './control-plane.ts'
import { metricsRoutes } from './http/metrics-routes.ts'
import { reportHandler } from './http/report-handler.ts'
import { type HttpServer, startServer } from './http/server.ts'
import { statusRoutes } from './http/status-routes.ts'
import { TokenVerifier } from './http/token-verifier.ts'
import { webhookRoutes } from './http/webhook-routes.ts'
import { ManagerMetrics } from './metrics/manager-metrics.ts'
import { BottleneckRestartLimiter, type RestartLimits } from './restart-limiter.ts'
import { CertificateKeeper, type CertificateKeeperOptions } from './tls/certificate-keeper.ts'
import { objectPort } from './tls/object-port.ts'
import { watchObjects } from './tls/watched-objects.ts'

export interface ManagerOptions {
  connection: Connection
  /** Where vArmor is installed: of its Lease, Secret and ConfigMap, and part of the names of cluster policies' profiles. */
  namespace: string
  /** Which manager this is, for people: the name of the pod. */
  identity: string
  logger: Logger
  /** Where servers listen. Default all addresses. */
  host?: string
  /** Upstream's are the default; 0: any that is free. */
  ports?: { webhook?: number; status?: number; metrics?: number }
  /** Whether metrics are served. Default true. */
  serveMetrics?: boolean
  /** DNS names and addresses by which the API server and the agents reach this manager. */
  names: readonly string[]
  /** Where the API server reaches the webhooks. A function gets the port, for a manager outside of the cluster. */
  reach: WebhookOptions['reach'] | ((port: number) => WebhookOptions['reach'])
  /** `KEY=VALUE` of the label that opts a workload in; empty: all workloads. */
  optIn?: string
  failurePolicy?: 'Ignore' | 'Fail'
  /** Seconds that the API server waits for a webhook. Default 10. */
  webhookTimeout?: number
  bpfExclusive?: boolean
  /** Seconds between two reports of an agent that has no news. Default 15. */
  reportSeconds?: number
  /** The user of the agents' tokens. Default: the service account `varmor-agent` of the namespace. */
  agentUser?: string
  /** Audiences that agents' tokens are for; none: those of the API server. */
  audiences?: readonly string[]
  /** Agents' tokens need not say which node they are for: before Kubernetes 1.30 they never do. */
  allowUnboundTokens?: boolean
  restartLimits?: RestartLimits
  policy?: Partial<PolicySettings>
  rollout?: Partial<RolloutSettings>
  /** Milliseconds of the election; for tests. */
  election?: { leaseDuration: number; renewDeadline: number; retryPeriod: number }
  /** Milliseconds of the watches. */
  watches?: Partial<ReflectorTiming>
  /** How long certificates last, and how often they are looked at. */
  certificates?: Pick<CertificateKeeperOptions, 'policy' | 'every' | 'backoff'>
  /** Requests a second to the API server, in the long run and at once. Default 500 and 1,000. */
  pace?: { qps: number; burst: number }
}

/** Of the Secret with the manager's authority and certificate. */
export const certificateName = 'varmor-manager-tls'
/**
 * A policy takes six requests until it is Ready. Upstream's 150 a second would make a thousand of them wait; a server that has other
 * work is spared by the limit of requests under way, and by its own priorities.
 */
export const defaultPace = { qps: 500, burst: 1_000 }

/**
 * Bytes of an answer. While a list is parsed it takes several times its size; one that is longer is asked for page by page, as the
 * nodes of a cluster of more than a thousand are.
 */
export const longestAnswer = 16 * mebibyte

/** Milliseconds that a graceful stop may take for each of its steps. */
const PATIENCE = 5_000

/**
 * A manager: it answers admission reviews and agents as long as it runs, and looks after policies while it leads. Any number
 * of them may run against one API server.
 */
export class Manager {
  readonly metrics: ManagerMetrics
  readonly #options: ManagerOptions
  readonly #client: ApiClient
  readonly #limiter: PriorityLimiter
  readonly #view: ClusterView
  readonly #index: PolicyIndex
  readonly #elector: LeaderElector
  readonly #servers: { webhook?: HttpServer; status?: HttpServer; metrics?: HttpServer } = {}
  readonly #events: EventRecorder
  readonly #restarts: BottleneckRestartLimiter
  #certificates: CertificateKeeper | undefined
  #endWatches: (() => void)[] = []
  #endCertificateWatch: () => Promise<void> = async () => undefined
  #leader: string | null = null
  #synced = false
  #stopping = false
  #term: { controlPlane: ControlPlane; end: () => Promise<void> } | undefined
  /** A term that is being wound up; the next one waits for it. */
  #windingUp: Promise<void> = Promise.resolve()

  constructor(options: ManagerOptions) {
    this.#options = options
    const { connection, namespace, identity, election, logger, pace, watches } = options
    this.#limiter = new PriorityLimiter(pace ?? defaultPace)
    this.metrics = new ManagerMetrics(
      {
        actors: () => this.#term?.controlPlane.stats ?? emptyStats,
        certificates: () => this.#certificates?.expiries,
        isLeader: () => this.#elector.isLeader(),
        policies: () => this.#index.size,
        queues: () => this.#view.depths,
        limiter: this.#limiter,
      },
      { process: true },
    )
    this.#client = new ApiClient({ connection, limiter: this.#limiter, observer: this.metrics.api, longestAnswer })
    this.#view = new ClusterView({
      client: this.#client,
      observer: (plural) => watchObserver(logger, plural),
      ...(watches !== undefined && { timing: watches }),
    })
    this.#index = new PolicyIndex({ installNamespace: namespace })
    this.#elector = new LeaderElector({
      client: this.#client,
      lease: { namespace, name: 'varmor-manager' },
      identity,
      ...election,
      leading: (term) => this.#lead(term),
      ended: (_term, reason) => this.#endTerm(reason),
      observer: {
        leader: (holder) => {
          this.#leader = holder === '' ? null : holder
        },
        failed: (err) => logger.warn({ err }, 'the lease could not be read or written; it is tried again'),
      },
    })
    this.#events = new EventRecorder({
      client: this.#client,
      reportingController: 'varmor.org/manager',
      reportingInstance: identity,
    })
    this.#restarts = new BottleneckRestartLimiter(options.restartLimits)
  }

  /** The ports that servers listen on. */
  get ports(): { webhook: number; status: number; metrics: number } {
    const { webhook, status, metrics } = this.#servers
    return { webhook: webhook?.port ?? 0, status: status?.port ?? 0, metrics: metrics?.port ?? 0 }
  }

  isLeader(): boolean {
    return this.#elector.isLeader()
  }

  /** Resolves when it serves; it then takes part in the election. */
  async start(): Promise<void> {
    const { logger } = this.#options
    this.#indexPolicies()
    this.#view.start()
    await this.#listen(await this.#client.version())
    this.#certificates = this.#certificateKeeper()
    await this.#certificates.start()
    await this.#certificates.settled()
    this.#endCertificateWatch = this.#watchCertificates(this.#certificates)
    this.#synced = await this.#view.synced()
    this.#elector.start()
    logger.info({ ...this.ports, namespace: this.#options.namespace }, 'the manager is running')
  }

  /** Stops leading first, so that another one takes over at once; then lets what was asked of it end. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    await this.#term?.end()
    await this.#elector.stop()
    await this.#windingUp
    await Promise.all(Object.values(this.#servers).map((server) => server.drain(PATIENCE)))
    await this.#endCertificateWatch()
    for (const end of this.#endWatches.splice(0)) end()
    // Together: while the API server is away, each of them takes all of its time.
    await Promise.all([
      this.#certificates?.stop(PATIENCE),
      this.#view.stop(),
      this.#events.stop(PATIENCE),
      this.#restarts.close(),
    ])
    this.#limiter.close()
  }

  async #listen(version: { major: string; minor: string }): Promise<void> {
    const { logger, ports = {}, host, serveMetrics = true } = this.#options
    const common = { log: logger, ...(host !== undefined && { host }) }
    const probes = { isAlive: () => true, isReady: () => this.isReady() }
    // Certificates name the port where the API server finds the webhooks outside of the cluster, so they come after it.
    this.#servers.webhook = await startServer({
      ...common,
      name: 'webhook',
      port: ports.webhook ?? 3443,
      tls: {},
      routes: webhookRoutes({ reviewer: this.#reviewer(version), ...probes }),
    })
    this.#servers.status = await startServer({
      ...common,
      name: 'status',
      port: ports.status ?? 8080,
      tls: {},
      routes: statusRoutes({ report: this.#reports(), ...probes }),
    })
    if (!serveMetrics) return
    this.#servers.metrics = await startServer({
      ...common,
      name: 'metrics',
      port: ports.metrics ?? 8081,
      routes: metricsRoutes(this.metrics.registry),
    })
  }

  /** Reviews can be answered, and whoever asks for one trusts us. */
  isReady(): boolean {
    return this.#synced && !this.#stopping && this.#certificates?.isPublished === true
  }

  #reviewer(version: { major: string; minor: string }): Reviewer {
    const { optIn = defaultOptIn, bpfExclusive = false, namespace } = this.#options
    return new Reviewer({
      index: this.#index,
      isSynced: () => this.#synced,
      mutate: {
        optIn: parseOptIn(optIn),
        appArmorField: hasAppArmorField(version),
        bpfExclusive,
        unnamedContainers: 'all',
        now: Date.now,
      },
      validate: { behaviorModeling: false, installNamespace: namespace },
      observe: (outcome, seconds) => this.metrics.webhook.reviewed(outcome, seconds),
    })
  }

  #reports() {
    const { namespace, reportSeconds = 15, audiences = [], allowUnboundTokens = false } = this.#options
    const verifier = new TokenVerifier({
      review: (token) => reviewToken(this.#client, token, audiences),
      clock: systemClock,
    })
    return reportHandler({
      verify: (token) => verifier.verify(token),
      agentUser: this.#options.agentUser ?? `system:serviceaccount:${namespace}:varmor-agent`,
      allowUnboundTokens,
      leadership: () => ({ leads: this.#term !== undefined && this.isLeader(), leader: this.#leader }),
      take: (report) => {
        if (this.#term === undefined) throw new Error('The term ended while a report came in')
        this.metrics.reports.taken(report)
        return this.#term.controlPlane.report(report)
      },
      intervalSeconds: reportSeconds,
      clock: systemClock,
      observe: (outcome) => this.metrics.reports.answered(outcome),
    })
  }

  #indexPolicies(): void {
    const handle = ({ type, object }: Change<AnyPolicy>): void => {
      if (type === 'deleted') this.#index.delete(policyKey(object))
      else this.#index.set(object)
    }
    for (const reflector of [this.#view.policies, this.#view.clusterPolicies])
      this.#endWatches.push(reflector.subscribe({ name: 'admission', handle }))
  }

  #certificateKeeper(): CertificateKeeper {
    const { namespace, names, reach, failurePolicy, optIn = defaultOptIn, logger, certificates } = this.#options
    const { webhookTimeout } = this.#options
    const { mutating, validating } = webhookConfigurations({
      reach: typeof reach === 'function' ? reach(this.ports.webhook) : reach,
      optIn: parseOptIn(optIn),
      ...(failurePolicy !== undefined && { failurePolicy }),
      ...(webhookTimeout !== undefined && { timeoutSeconds: webhookTimeout }),
    })
    const client = this.#client
    return new CertificateKeeper({
      name: certificateName,
      names,
      secrets: objectPort(client, secrets, namespace),
      configMaps: objectPort(client, configMaps, namespace),
      webhooks: [
        { port: objectPort(client, mutatingWebhookConfigurations), name: mutatingName, fresh: mutating },
        { port: objectPort(client, validatingWebhookConfigurations), name: validatingName, fresh: validating },
      ],
      serve: (credentials) => {
        this.#servers.webhook?.setCredentials(credentials)
        this.#servers.status?.setCredentials(credentials)
      },
      log: logger,
      ...certificates,
    })
  }

  /** What somebody deletes or spoils is put right at once, and what another manager renews is served at once. */
  #watchCertificates(keeper: CertificateKeeper): () => Promise<void> {
    const { namespace, logger, watches } = this.#options
    return watchObjects(
      this.#client,
      [
        { ref: secrets, namespace, name: certificateName },
        { ref: configMaps, namespace, name: `${certificateName}-ca` },
        { ref: mutatingWebhookConfigurations, name: mutatingName },
        { ref: validatingWebhookConfigurations, name: validatingName },
      ],
      () => keeper.changed(),
      {
        ...(watches !== undefined && { timing: watches }),
        failed: (resource, err) => logger.warn({ err, resource }, 'an object cannot be watched; it is tried again'),
      },
    )
  }

  #lead(term: Term): void {
    const { logger, namespace, policy, rollout, optIn = defaultOptIn } = this.#options
    const controlPlane = new ControlPlane({
      view: this.#view,
      api: new ClusterWrites(this.#client.fenced(term), this.#view),
      limiter: this.#restarts,
      event: eventsTo(this.#events),
      count: (name) => this.metrics.counted(name),
      logger,
      policy: { ...policy, installNamespace: namespace },
      // Who is not put into profiles need not be restarted for them.
      rollout: { optIn: parseOptIn(optIn), ...rollout },
    })
    let ended: Promise<void> | undefined
    const end = (): Promise<void> => {
      ended ??= controlPlane.stop(PATIENCE)
      return ended
    }
    this.#term = { controlPlane, end }
    logger.info({ epoch: controlPlane.epoch, ...term.token }, 'this manager leads now')
    // The actors of the term before may still be ending; they write nothing more, but restarts have one limiter.
    void this.#windingUp.then(() => {
      if (this.#term?.controlPlane === controlPlane) controlPlane.start()
    })
  }

  #endTerm(reason: unknown): void {
    const term = this.#term
    this.#term = undefined
    if (term === undefined) return
    this.#options.logger.info({ reason: String(reason) }, 'this manager does not lead any more')
    this.#windingUp = term.end().catch((err: unknown) => {
      this.#options.logger.error({ err }, 'the actors of a term did not end well')
    })
  }
}

const emptyStats = new ActorSystem().stats()

/** What the actors say of a policy becomes an Event on it. */
export function eventsTo(recorder: EventRecorder): RecordEvent {
  return ({ policy, type, reason, note }) => {
    const { apiVersion, kind, metadata } = policy
    const { name, namespace, uid } = metadata
    recorder.record({
      regarding: {
        ...{ apiVersion, kind, name },
        ...(namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
      },
      type,
      reason,
      action: actions[reason],
      note,
    })
  }
}

/** What the manager did when there is such a reason. */
const actions: Record<PolicyEvent['reason'], string> = {
  ProfileCreated: 'Create',
  ProfileUpdated: 'Update',
  ProfileRefused: 'Compile',
  NodeFailed: 'Load',
  RestartBegun: 'Restart',
  RestartPaused: 'Restart',
  RestartDone: 'Restart',
}

const watchObserver = (logger: Logger, plural: string): ReflectorObserver => ({
  failed: (err, delay) => logger.warn({ err, resource: plural, delay }, 'a list or watch failed; it is tried again'),
  handlerFailed: (handler, { key }, err) =>
    logger.error({ err, resource: plural, handler, key }, 'a handler of changes failed'),
  indexFailed: (index, key, err) =>
    logger.error({ err, resource: plural, index, key }, 'an object could not be indexed'),
})
