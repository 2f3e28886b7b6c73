import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Outcome } from '../../actors/compiler/compiler-pool.ts'
import { compilerDefaults } from '../../actors/compiler/defaults.ts'
import { type PlacedCompilers, placeCompilers } from '../../actors/compiler/place-compilers.ts'
import { askCompiler } from '../../actors/policy/ask-compiler.ts'
import { parsePolicyKey } from '../../actors/policy/policy-id.ts'
import { ProfileNames } from '../../actors/policy/profile-names.ts'
import { defaultPolicySettings } from '../../actors/policy.ts'
import type { AnyPolicy } from '../../actors/ports.ts'
import { group, version } from '../api/crds.ts'
import type { ArmorProfile } from '../api/types.ts'
import { logTrouble } from '../base/bug.ts'
import { systemClock } from '../base/clock.ts'
import { HeapTrim } from '../base/heap-trim.ts'
import type { Logger } from '../base/logger.ts'
import type { Route } from '../http/routes.ts'
import { mayAccess } from '../kube/access-review.ts'
import type { Change } from '../kube/change.ts'
import { ApiClient } from '../kube/client.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { PriorityLimiter } from '../kube/limiter.ts'
import { armorProfileModels } from '../kube/own-kinds.ts'
import type { ReflectorObserver } from '../kube/reflector-observer.ts'
import type { Term } from '../kube/term.ts'
import { ownUser, reviewToken } from '../kube/token-review.ts'
import type { EgressControl } from '../profile/context.ts'
import { awaitProfileName } from './admission/await-profile-name.ts'
import { type IndexedPolicy, policyId, policyKey } from './admission/indexed-policy.ts'
import { judgeBy } from './admission/judge.ts'
import { hasBpfOnEveryNode } from './admission/loaded-everywhere.ts'
import { confinementPatch, type MutateOptions } from './admission/mutate.ts'
import { defaultOptIn, parseOptIn } from './admission/opt-in.ts'
import { PolicyIndex } from './admission/policy-index.ts'
import { Reviewer } from './admission/reviewer.ts'
import { hasAppArmorField } from './admission/server-version.ts'
import { agentAccount } from './agent-nodes.ts'
import { Certificates } from './certificates.ts'
import type { Node } from './cluster-resources.ts'
import { ClusterView } from './cluster-view.ts'
import { ClusterWrites } from './cluster-writes.ts'
import { ControlPlane } from './control-plane.ts'
import * as paces from './default-limits.ts'
import { egressSources } from './egress/egress-sources.ts'
import type { AgentHandlerOptions } from './http/agent-handler.ts'
import { modelDataHandler } from './http/model-data-handler.ts'
import { modelRoutes } from './http/model-routes.ts'
import { findNode, withNode } from './http/node-of-token.ts'
import { ReportGate } from './http/report-gate.ts'
import { reportHandler } from './http/report-handler.ts'
import { TokenVerifier } from './http/token-verifier.ts'
import { Leadership } from './leadership.ts'
import { ManagerMetrics } from './metrics/manager-metrics.ts'
import { countModels } from './metrics/model-counts.ts'
import { countStates } from './metrics/policy-states.ts'
import { buildBy } from './models/build-by.ts'
import { ModelFolder } from './models/model-folder.ts'
import { storedModels } from './models/stored-models.ts'
import type { ManagerOptions } from './options.ts'
import { eventsTo, lostEventsTo } from './policy-events.ts'
import { BottleneckRestartLimiter } from './restart-limiter.ts'
import { type Rooms, roomsFor } from './rooms.ts'
import { Servers } from './servers.ts'
import { forgetUninstall } from './uninstall.ts'

/** Milliseconds for each step of a graceful stop. */
const TIMEOUT = 5_000

/**
 * A manager. It answers admission reviews and agents while it runs, and handles policies while it leads. Several
 * managers may run in one cluster.
 */
export class Manager {
  readonly metrics: ManagerMetrics
  readonly #options: ManagerOptions
  readonly #client: ApiClient
  readonly #limiter: PriorityLimiter
  readonly #view: ClusterView
  readonly #rooms: Rooms
  /** The reflectors of Pods, Services and EndpointSlices that a leader runs, by the plural of their kind. */
  readonly #addressed = new Map<string, { outlines: number }>()
  readonly #names: ProfileNames
  readonly #index: PolicyIndex
  readonly #leadership: Leadership
  readonly #servers: Servers
  readonly #events: EventRecorder
  readonly #restarts: BottleneckRestartLimiter
  readonly #compilers: PlacedCompilers
  readonly #reportGate = new ReportGate({
    clock: systemClock,
    isBehind: () => (this.#leadership.controlPlane?.waitingReports ?? 0) >= paces.waitingReports,
  })
  /** A separate gate, so that slow models do not block the reports of nodes. */
  readonly #recordingGate = new ReportGate({
    clock: systemClock,
    isBehind: () => (this.#leadership.controlPlane?.waitingRecordings ?? 0) >= paces.waitingRecordings,
    atOnce: 16,
  })
  readonly #modelFiles: ModelFolder
  readonly #heapTrim: HeapTrim
  #certificates: Certificates | undefined
  #mutating: MutateOptions | undefined
  #endIndexing: (() => void)[] = []
  #reviews = 0
  #synced = false
  #stopping = false

  constructor(options: ManagerOptions) {
    this.#options = options
    const { connection, namespace, identity, logger, listen = {}, restartLimits, timing = {} } = options
    const { pace = paces.requestPace, election, watches } = timing
    this.#limiter = new PriorityLimiter(pace)
    this.#heapTrim = new HeapTrim({
      ...{ clock: systemClock, logger },
      work: () => this.#limiter.started + this.#reviews,
    })
    this.#rooms = roomsFor(listen.memory ?? process.constrainedMemory(), namespace)
    this.metrics = this.#managerMetrics()
    this.#client = new ApiClient({ connection, limiter: this.#limiter, observer: this.metrics.api })
    const client = this.#client
    this.#view = new ClusterView({
      client,
      observer: (plural) => watchObserver(logger, plural),
      rooms: this.#rooms,
      ...(watches !== undefined && { timing: watches }),
    })
    this.#names = new ProfileNames(this.#view, namespace)
    this.#index = new PolicyIndex((id) => this.#names.of(id).name)
    this.#events = new EventRecorder({
      client,
      reportingController: 'varmor.org/manager',
      reportingInstance: identity,
      observer: { lost: lostEventsTo(logger) },
    })
    this.#restarts = new BottleneckRestartLimiter(restartLimits)
    this.#compilers = this.#placedCompilers()
    const modelsFolder = options.modelsFolder ?? join(tmpdir(), `varmor-models-${process.pid}`)
    this.#modelFiles = new ModelFolder(modelsFolder, undefined, undefined, logger)
    this.#leadership = new Leadership({
      ...{ client, namespace, identity, logger, timeout: TIMEOUT },
      ...(election !== undefined && { timing: election }),
      controlPlane: (term) => this.#controlPlane(term),
    })
    this.#servers = new Servers({ logger, listen, metrics: this.metrics, isReady: () => this.isReady() })
  }

  /** The servers' ports. */
  get ports(): Servers['ports'] {
    return this.#servers.ports
  }

  isLeader(): boolean {
    return this.#leadership.isLeader()
  }

  /** Whether this manager can answer reviews, and the API server trusts its certificate. */
  isReady(): boolean {
    return this.#synced && !this.#stopping && this.#certificates?.isPublished === true
  }

  /** Resolves when the manager serves and takes part in the election. */
  async start(): Promise<void> {
    const { logger, namespace } = this.#options
    this.#indexPolicies()
    this.#view.start()
    const compiling = this.#compilers.start()
    const server = await this.#client.version()
    const profileWriters = await this.#profileWriters()
    this.#mutating = this.#mutateOptions(server)
    await this.#servers.start(this.#reviewer(this.#mutating, profileWriters), this.#statusHandlers())
    // Start the servers first: for a manager outside the cluster, the webhook configurations name its port.
    this.#certificates = new Certificates({
      ...this.#options,
      client: this.#client,
      webhookPort: this.ports.webhook,
      profileWriters,
      serve: (credentials) => this.#servers.setCredentials(credentials),
    })
    await this.#certificates.start()
    await Promise.all([compiling, forgetUninstall(this.#client, namespace, logger)])
    this.#synced = await this.#view.synced()
    if (this.#synced && this.#options.policy?.behaviorModeling === true)
      this.#endIndexing.push(await this.#modelFiles.follow(this.#view.models))
    this.#leadership.start()
    this.#heapTrim.start()
    logger.info({ ports: this.ports, namespace }, 'the manager is running')
  }

  /**
   * Stops being ready and leading at once, so that another manager takes over. During the delay it still answers with
   * current data, because API servers and proxies send requests until they notice.
   */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#heapTrim.stop()
    // A manager that never had its stores was never ready, so clients send it no requests.
    const delay = this.#synced ? (this.#options.listen?.shutdownDelay ?? 0) : 0
    if (delay > 0)
      this.#options.logger.info(
        { durationMs: delay },
        'the manager is shutting down: it is no longer ready, and still answers requests for this time',
      )
    const retired = this.#servers.retire(delay)
    // Stop writing webhook configurations: an uninstall, or a manager of the next version, may change them now.
    const ended = Promise.all([this.#leadership.stop(), this.#certificates?.stop(TIMEOUT)])
    await ended.finally(() => retired)
    await this.#servers.drain(TIMEOUT)
    for (const end of this.#endIndexing.splice(0)) end()
    // Stop all at the same time: if the API server does not answer, each stop takes its whole timeout.
    await Promise.all([this.#view.stop(), this.#events.stop(TIMEOUT), this.#restarts.close(), this.#compilers.stop()])
    this.#limiter.close()
  }

  #managerMetrics(): ManagerMetrics {
    return new ManagerMetrics(
      {
        actors: () => this.#leadership.stats,
        certificates: () => this.#certificates?.expiries,
        isLeader: () => this.isLeader(),
        policies: () => this.#index.size,
        policyStates: () => countStates(this.#view.policies.store.values(), this.#view.clusterPolicies.store.values()),
        models: () => countModels(this.#view.models.store.values()),
        queues: () => ({
          ...this.#view.depths,
          compilers: this.#compilers.waiting,
          reports: this.#reportGate.depth.waiting,
          recordings: this.#recordingGate.depth.waiting,
        }),
        outlines: () => this.#outlines,
        eventsLost: () => this.#events.lost,
        failures: () => ({ certificates: this.#certificates?.failures ?? 0 }),
        limiter: this.#limiter,
      },
      { process: true },
    )
  }

  #placedCompilers(): PlacedCompilers {
    const { logger, compilers = {}, admission: { timeout = 10 } = {} } = this.#options
    const { deadline = compilerDefaults.deadline } = compilers
    // Leave a second, so that the API server gets the answer before it gives up.
    const maxWait = Math.max(1_000, (timeout - 1) * 1_000 - deadline)
    const observe = (outcome: Outcome): void => this.metrics.compiled(outcome)
    return placeCompilers({ logger, maxWait, observe, plainAtOnce: true, ...compilers })
  }

  /** Creates the control plane of one term. Its writes fail when the term ends. */
  #controlPlane(term: Term): ControlPlane {
    const { logger, namespace, policy, rollout, model, timing: { watches } = {} } = this.#options
    const { optIn, appArmorField, confineInitContainers, sandboxedRuntimes } = this.#mutating!
    const { pods, services } = this.#egressControl
    const api = new ClusterWrites(this.#client.fenced(term), this.#view)
    return new ControlPlane({
      view: this.#view,
      names: this.#names,
      api,
      models: {
        ...{ api, files: this.#modelFiles, ...(model !== undefined && { settings: model }) },
        build: buildBy(this.#compilers, this.#options.generalise ?? true),
      },
      limiter: this.#restarts,
      compile: askCompiler(this.#compilers),
      confine: (workload) => confinementPatch(workload, this.#index, this.#mutating!),
      winner: ({ kind, metadata: { labels = {}, ...metadata } }) =>
        this.#index.find({ kind, labels, ...metadata })?.key,
      podProfile: ({ metadata: { name, labels = {} } }, namespace) =>
        this.#index.find({ kind: 'Pod', namespace, name, labels }),
      event: eventsTo(this.#events),
      count: (name) => this.metrics.counted(name),
      reported: (taken, ignored) => this.metrics.reports.taken(taken, ignored),
      logger,
      policy: { ...policy, installNamespace: namespace },
      agents: agentAccount(this.#agentUser),
      reportSeconds: this.#options.agents?.reportSeconds,
      ...((pods || services) && {
        egress: egressSources({
          client: this.#client,
          observer: (plural) => watchObserver(logger, plural),
          ...(watches !== undefined && { timing: watches }),
          ...{ rooms: this.#rooms.addressed, running: this.#addressed },
        }),
      }),
      // Do not restart workloads that would get no profile.
      rollout: { optIn, appArmorField, confineInitContainers, sandboxedRuntimes, ...rollout },
    })
  }

  /** The users that may write ArmorProfiles; undefined if our own user is unknown. */
  async #profileWriters(): Promise<readonly string[] | undefined> {
    const { admission = {}, logger } = this.#options
    if (admission.profileWriters !== undefined) return admission.profileWriters
    const user = await ownUser(this.#client)
    if (user === undefined)
      logger.warn(
        {},
        'the API server does not tell this manager its user name: every client whose RBAC rules allow it may write ArmorProfiles',
      )
    return user === undefined ? undefined : [user]
  }

  #mutateOptions(version: { major: string; minor: string }): MutateOptions {
    const { optIn = defaultOptIn, bpfExclusive = false, confineInitContainers = false } = this.#options.admission ?? {}
    const { sandboxedRuntimes = [] } = this.#options.admission ?? {}
    return {
      optIn: parseOptIn(optIn),
      appArmorField: hasAppArmorField(version),
      bpfExclusive: (policy) => bpfExclusive && this.#hasBpfEverywhere(policy),
      ...{ confineInitContainers, sandboxedRuntimes },
      now: systemClock.wall,
    }
  }

  #reviewer(mutate: MutateOptions, profileWriters: readonly string[] | undefined): Reviewer {
    const { namespace } = this.#options
    return new Reviewer({
      index: this.#index,
      isSynced: () => this.#synced,
      settled: (key) => awaitProfileName(this.#names, parsePolicyKey(key), systemClock),
      mutate,
      validate: {
        behaviorModeling: this.#options.policy?.behaviorModeling ?? false,
        judge: judgeBy(this.#compilers, { installNamespace: namespace, egressControl: this.#egressControl }),
        profileWriters,
        takesMore: (of) => this.#view.policies.takesMore(of),
      },
      observe: (outcome, seconds) => {
        this.#reviews++
        this.metrics.webhook.reviewed(outcome, seconds)
      },
    })
  }

  get #egressControl(): EgressControl {
    return this.#options.policy?.egressControl ?? defaultPolicySettings.egressControl
  }

  /** Outlines of all kinds that this manager keeps, by the plural of the kind. */
  get #outlines(): Record<string, number> {
    const addressed = Array.from(this.#addressed, ([plural, { outlines }]): [string, number] => [plural, outlines])
    return { ...this.#view.outlines, ...Object.fromEntries(addressed) }
  }

  get #agentUser(): string {
    const { namespace, agents } = this.#options
    return agents?.user ?? `system:serviceaccount:${namespace}:varmor-agent`
  }

  /**
   * Whether all nodes that must load the profile have loaded it, including its BPF part. It reads the status of the
   * ArmorProfile, which every manager has.
   */
  #hasBpfEverywhere({ namespace, profile: name }: IndexedPolicy): boolean {
    return hasBpfOnEveryNode(this.#view.profile(namespace || this.#options.namespace, name))
  }

  #statusHandlers(): Parameters<Servers['start']>[1] {
    const { policy } = this.#options
    const ofAgents = this.#ofAgents()
    const report = reportHandler({
      ...ofAgents,
      gate: this.#reportGate,
      take: (report) => this.#leading().report(report),
      observe: (outcome) => this.metrics.reports.answered(outcome),
    })
    if (policy?.behaviorModeling !== true) return { report }
    const data = modelDataHandler({
      ...ofAgents,
      gate: this.#recordingGate,
      take: (report) => this.#leading().recorded(report),
    })
    return { report, data, models: this.#modelRoutes(ofAgents) }
  }

  #modelRoutes({ leadership, clock }: AgentHandlerOptions): Route {
    const client = this.#client
    const { audiences = [] } = this.#options.agents ?? {}
    const verifier = new TokenVerifier({
      // Any user of the cluster can cause this request, so all other requests have priority. The API server decides on
      // the user's rights later.
      review: (token) => reviewToken(client, token, audiences, { class: 'stranger' }),
      isExpected: () => true,
      clock,
    })
    return modelRoutes({
      clock,
      verify: (token, address) => verifier.verify(token, address),
      mayAccess: (user, verb, target) =>
        mayAccess(client, user, { verb, group, version, resource: armorProfileModels.plural, ...target }),
      ...storedModels({
        ...{ client, api: new ClusterWrites(client, this.#view), files: this.#modelFiles, leadership },
        profile: (key) => this.#view.profiles.store.get(key),
      }),
    })
  }

  #leading(): ControlPlane {
    const { controlPlane } = this.#leadership
    if (controlPlane === undefined) throw new Error('The leadership term ended while a report arrived')
    return controlPlane
  }

  #ofAgents(): AgentHandlerOptions {
    const { audiences = [], allowUnboundTokens = false } = this.#options.agents ?? {}
    const agentUser = this.#agentUser
    const isExpected = (username: string): boolean => username === agentUser
    const { namespace = this.#options.namespace } = agentAccount(agentUser) ?? {}
    const verifier = new TokenVerifier({
      review: async (token, known) => {
        const options = { class: known ? 'read' : 'stranger' } as const
        const verdict = await reviewToken(this.#client, token, audiences, options)
        // Do not look up pods for other users: each user of the cluster can create valid tokens.
        if (!('user' in verdict && isExpected(verdict.user.username))) return verdict
        return withNode(verdict, findNode(this.#client, namespace, options))
      },
      isExpected,
      clock: systemClock,
    })
    const leadership = this.#leadership
    return {
      verify: (token, address) => verifier.verify(token, address),
      agentUser,
      allowUnboundTokens,
      leadership: () => ({
        leads: leadership.controlPlane !== undefined && this.isLeader(),
        leader: leadership.leader,
      }),
      clock: systemClock,
    }
  }

  #indexPolicies(): void {
    const handle = ({ type, object }: Change<AnyPolicy>): void => {
      this.#names.policyChanged(policyId(object))
      if (type === 'deleted') this.#index.delete(policyKey(object))
      else this.#index.set(object)
    }
    for (const reflector of [this.#view.policies, this.#view.clusterPolicies])
      this.#endIndexing.push(reflector.subscribe({ name: 'admission', handle }))
    const handleProfile = ({ object: { metadata } }: Change<ArmorProfile>): void =>
      this.#names.profileChanged({ namespace: metadata.namespace ?? '', name: metadata.name })
    this.#endIndexing.push(
      this.#view.profiles.subscribe({ name: 'admission', handle: handleProfile }),
      this.#names.subscribe((key) => {
        const policy = this.#view.policy(parsePolicyKey(key))
        if (policy !== undefined) this.#index.set(policy)
      }),
    )
    const forget = ({ type, key }: Change<Node>): void => {
      if (type === 'deleted') this.metrics.reports.forget(key)
    }
    this.#endIndexing.push(this.#view.nodes.subscribe({ name: 'metrics', handle: forget }))
  }
}

const watchObserver = (logger: Logger, plural: string): ReflectorObserver => ({
  failed: (err, delay) =>
    logTrouble(logger, err, { err, resource: plural, retryMs: delay }, 'a list or watch failed; retrying'),
  handlerFailed: (handler, { key }, err) =>
    logger.error({ err, resource: plural, handler, object: key }, 'a handler of changes failed'),
  unfit: (count, reason) =>
    logger.error(
      { resource: plural, count, reason },
      'some entries of a list from the API server are unusable; keeping their last known state, and applying all other entries',
    ),
  indexFailed: (index, key, err) =>
    logger.error({ err, resource: plural, index, object: key }, 'cannot index an object'),
})
