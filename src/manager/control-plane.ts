import { randomUUID } from 'node:crypto'
import { distribute, forgetNode, forgetReports, type Reporting } from '../../actors/node-profile/distribute.ts'
import { type NodeProfileMessage, nodeProfileFamily, nodeProfileKey } from '../../actors/node-profile.ts'
import { Acknowledgements } from '../../actors/policy/acknowledgements.ts'
import { ownerOf } from '../../actors/policy/desired.ts'
import { idOf, keyOfPolicy } from '../../actors/policy/policy-id.ts'
import type { ProfileNames } from '../../actors/policy/profile-names.ts'
import {
  defaultPolicySettings,
  type PolicyMessage,
  type PolicyPorts,
  type PolicySettings,
  policyFamily,
} from '../../actors/policy.ts'
import type {
  AnyPolicy,
  ControlPlaneApi,
  CounterName,
  RecordEvent,
  RestartLimiter,
  Workload,
} from '../../actors/ports.ts'
import {
  defaultRolloutSettings,
  type RolloutMessage,
  type RolloutPorts,
  type RolloutSettings,
  rolloutFamily,
} from '../../actors/rollout.ts'
import { ActorSystem, type Family, type SystemStats } from '../../actors/runtime/index.ts'
import type { AgentReport, ReportAnswer } from '../api/agent-report.ts'
import { whyNotMade } from '../api/made-by-manager.ts'
import type { ModelAnswer, ModelReport } from '../api/model-report.ts'
import type { ArmorProfile, ArmorProfileModel } from '../api/types.ts'
import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import type { Change } from '../kube/change.ts'
import { keyOf } from '../kube/objects.ts'
import { type AgentAccount, AgentNodes } from './agent-nodes.ts'
import { isAnotherBoot, isAnotherNode, type Node } from './cluster-resources.ts'
import type { ClusterView } from './cluster-view.ts'
import { reportInterval, reportPace, reportSeconds } from './default-limits.ts'
import { EgressDirectory, type EgressSources } from './egress/egress-directory.ts'
import { Models, type ModelsOptions, modelFamilyName } from './models/models.ts'
import { UncoveredNodes } from './nodes-without-agent.ts'

export interface ControlPlaneOptions {
  view: ClusterView
  /**
   * Profile names of the view's policies. The control plane registers all policies and ArmorProfiles when it starts.
   */
  names: ProfileNames
  api: ControlPlaneApi
  limiter: RestartLimiter
  compile: PolicyPorts['compile']
  /** The patch that admission of a changed workload gives. */
  confine: RolloutPorts['confine']
  winner: RolloutPorts['winner']
  podProfile: RolloutPorts['podProfile']
  event: RecordEvent
  count: (name: CounterName) => void
  /** Called with the accepted part of a report, and the number of entries about unknown nodes or ArmorProfiles. */
  reported?: (taken: AgentReport, ignored: number) => void
  logger: Logger
  policy: Partial<PolicySettings> & Pick<PolicySettings, 'installNamespace'>
  rollout?: Partial<RolloutSettings>
  /** Sources of Pods and Services for egress rules that select them. Absent: no addresses are looked up. */
  egress?: EgressSources
  /** Options for the models that agents record. */
  models: Pick<ModelsOptions, 'api' | 'files' | 'build' | 'settings'>
  /** Seconds between two reports of an agent without changes, in a small cluster. */
  reportSeconds?: number | undefined
  /** The service account whose DaemonSets show which nodes should have an agent. Absent: the nodes that report. */
  agents?: AgentAccount | undefined
  /** One clock for the actors and for the facts about nodes, because their times are compared. */
  clock?: Clock
  random?: Random
}

/** Whether an agent can run on the node: it needs Linux and a kubelet. */
export const runsAgents = ({ metadata }: Node): boolean => {
  const labels = metadata?.labels ?? {}
  return (labels['kubernetes.io/os'] ?? 'linux') === 'linux' && labels['type'] !== 'virtual-kubelet'
}

/** Whether the node accepts new pods. */
export const takesPods = ({ spec, status }: Node): boolean =>
  spec?.unschedulable !== true &&
  status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

/**
 * Maximum actors that wait for the API at the same time. The limiter orders their requests by urgency. With fewer
 * places, actors that write a status would delay actors that write ArmorProfiles.
 */
const MAX_WAITING = 4_096

/**
 * The actors of a leading manager, for one term. Their state is a cache: a new term starts only from the state of the
 * API server.
 */
export class ControlPlane {
  /** Identifies this term. A changed epoch tells agents that the new leader lacks their reports. */
  readonly epoch = randomUUID()
  readonly #options: ControlPlaneOptions
  readonly #system: ActorSystem
  readonly #clock: Clock
  readonly #acknowledgements: Acknowledgements
  readonly #policies: Family<PolicyMessage>
  readonly #nodeProfiles: Family<NodeProfileMessage>
  readonly #rollouts: Family<RolloutMessage>
  readonly #reporting: Reporting
  readonly #unsubscribe: (() => void)[] = []
  readonly #agentNodes: AgentNodes
  readonly #uncovered: UncoveredNodes
  readonly #egress: EgressDirectory | undefined
  readonly #models: Models
  #expiry: Timer | undefined
  #checkAll: Timer | undefined
  /** Running rollouts, which are told about changed workloads. */
  readonly #rolling = new Set<string>()

  constructor(options: ControlPlaneOptions) {
    this.#options = options
    const { logger, clock = systemClock, random = Math.random } = options
    this.#clock = clock
    this.#acknowledgements = new Acknowledgements(clock.now())
    this.#agentNodes = new AgentNodes(options.agents)
    const { view } = options
    const node = (name: string) => view.nodes.store.get(name)
    this.#uncovered = new UncoveredNodes({ nodes: this.#acknowledgements.nodes, stores: view, node })
    this.#system = new ActorSystem({
      clock,
      random,
      logger,
      concurrency: MAX_WAITING,
    })
    const { egress } = options
    this.#egress =
      egress && new EgressDirectory({ reflect: egress, clock, changed: (key) => this.#addressesChanged(key) })
    this.#models = new Models({
      ...{ system: this.#system, view, ...options.models },
      expected: () => this.#acknowledgements.nodes.desiredNames(),
    })
    this.#nodeProfiles = this.#nodeProfileFamily()
    this.#rollouts = this.#rolloutFamily()
    this.#policies = this.#policyFamily()
    this.#reporting = {
      acknowledgements: this.#acknowledgements,
      nodeProfiles: this.#nodeProfiles,
      nodeExists: (node) => options.view.nodes.store.get(node) !== undefined,
      profileExists: (key, uid) => this.#profileExists(key, uid),
      now: () => clock.now(),
    }
  }

  get #settings(): PolicySettings {
    return { ...defaultPolicySettings, ...this.#options.policy }
  }

  get stats(): SystemStats {
    return this.#system.stats()
  }

  /** Whether all actors are idle until a timer fires, an answer arrives, or an object changes. */
  get quiet(): boolean {
    return this.#system.environment.dispatcher.quiet
  }

  /** Starts with the view's content and follows its changes. Call it when the view is synced. */
  start(): void {
    const { view, names } = this.#options
    knowAll(names, view)
    this.#agentNodes.follow(view.workloads('DaemonSet', this.#options.agents?.namespace))
    // Add all nodes before the first policy. Otherwise a profile on the nodes that are known so far would count as
    // loaded on all nodes.
    for (const node of view.nodes.store.values()) this.#nodeIs(node)
    this.#follow(view.nodes.subscribe({ name: 'control-plane', handle: (change) => this.#nodeChanged(change) }))
    const policyChanged = ({ object }: Change<AnyPolicy>): void => {
      this.#options.names.policyChanged(idOf(object))
      this.#watched(keyOfPolicy(idOf(object)))
    }
    this.#follow(view.policies.subscribe({ name: 'control-plane', handle: policyChanged }))
    this.#follow(view.clusterPolicies.subscribe({ name: 'control-plane', handle: policyChanged }))
    const profileChanged = (change: Change<ArmorProfile>): void => this.#profileChanged(change)
    this.#follow(view.profiles.subscribe({ name: 'control-plane', handle: profileChanged }))
    this.#follow(view.models.subscribe({ name: 'control-plane', handle: (change) => this.#modelChanged(change) }))
    this.#follow(names.subscribe((key) => this.#poll(key)))
    for (const reflector of Object.values(view.workloadsOf))
      this.#follow(reflector.subscribe({ name: 'control-plane', handle: (change) => this.#workloadChanged(change) }))
  }

  /** Number of nodes that must load profiles. */
  get nodes(): number {
    return this.#acknowledgements.nodes.desired
  }

  /** Report messages that their actors have not handled yet. */
  get waitingReports(): number {
    return this.#system.queued(this.#nodeProfiles.name)
  }

  /** Messages that the models' actors have not handled yet. */
  get waitingRecordings(): number {
    return this.#system.queued(modelFamilyName)
  }

  /** Takes an agent's report. */
  report(report: AgentReport): ReportAnswer {
    const { taken, needsComplete } = distribute(report, this.#reporting)
    this.#options.reported?.({ ...report, profiles: taken }, report.profiles.length - taken.length)
    // Accept a report with another epoch, but ask for a complete report if this one is incomplete.
    const isNew = report.epoch !== this.epoch && !report.complete
    const complete = isNew || needsComplete
    const spacingSeconds = Math.min(reportPace.maxSpacing, this.nodes / reportPace.perSecond)
    const intervalSeconds = reportInterval(this.#options.reportSeconds ?? reportSeconds, this.nodes)
    return { epoch: this.epoch, complete, intervalSeconds, ...(spacingSeconds >= 0.5 && { spacingSeconds }) }
  }

  /** Takes a piece of an agent's recording. @throws {AskError} if the actor does not accept it in time */
  recorded(report: ModelReport): Promise<ModelAnswer> {
    return this.#models.report(report)
  }

  async stop(within: number): Promise<void> {
    for (const end of this.#unsubscribe.splice(0)) end()
    this.#options.names.dropClaims()
    this.#expiry?.cancel()
    this.#checkAll?.cancel()
    await this.#egress?.stop()
    await this.#system.stop({ within })
  }

  #follow(end: () => void): void {
    this.#unsubscribe.push(end)
  }

  #poll(policyKey: string): void {
    this.#policies.of(policyKey).tell({ type: 'changed' })
  }

  #watched(policyKey: string): void {
    this.#policies.of(policyKey).tell({ type: 'watched' })
  }

  #nodeChanged(change: Change<Node>): void {
    const { type, key, object } = change
    this.#uncovered.nodeChanged(change)
    if (type === 'deleted' || (type === 'updated' && isAnotherNode(change.old, object)))
      forgetNode(key, this.#reporting)
    // If the agent reported before this event arrived, it must send another complete report.
    else if (type === 'updated' && isAnotherBoot(change.old, object)) forgetReports(key, this.#reporting)
    if (type !== 'deleted') this.#nodeIs(object)
  }

  #nodeIs(object: Node): void {
    const agent = this.#agentNodes.expected(object)
    const state = runsAgents(object) ? { schedulable: takesPods(object), agent } : undefined
    this.#acknowledgements.nodes.set(keyOf(object), state, this.#clock.now())
    if (agent === 'unsaid') this.#expireLater()
  }

  /** If it is unknown whether a node has an agent, the node counts for some time after it joined. */
  #expireLater(): void {
    if (this.#expiry !== undefined) return
    const { joinGrace } = this.#settings
    this.#expiry = this.#clock.after(joinGrace, () => {
      this.#expiry = undefined
      if (this.#acknowledgements.nodes.expire(this.#clock.now() - joinGrace)) this.#expireLater()
    })
  }

  #profileExists(key: string, uid: string): boolean {
    const stored = this.#options.view.profiles.store.get(key)
    if (stored?.metadata.uid === uid) return ownerOf(stored) !== undefined
    return this.#acknowledgements.isWanted(key, uid)
  }

  #profileChanged({ type, key, object: profile }: Change<ArmorProfile>): void {
    if (type === 'deleted') this.#acknowledgements.forgetUnread(key, (node) => this.#dropNodeProfile(node, key))
    const { namespace: home = '', name } = profile.metadata
    this.#options.names.profileChanged({ namespace: home, name })
    const owner = ownerOf(profile)
    // An ArmorProfile without a policy needs no addresses. Changed targets notify the policy like changed addresses.
    this.#egress?.want(key, type === 'deleted' || owner === undefined ? [] : profile.spec.egressTargets, {
      namespace: owner?.kind === 'VarmorPolicy' ? home : '',
      version: `${profile.metadata.uid} ${profile.metadata.generation}`,
    })
    if (type !== 'deleted') this.#announceStranger(profile)
    if (owner !== undefined) this.#watched(keyOfOwner(owner, home))
    if (this.#settings.behaviorModeling) this.#models.profileChanged(key)
  }

  /**
   * Notifies the policy whose profile has the model's name. It searches policies, because a policy that needs the model
   * to compile has no ArmorProfile yet.
   */
  #modelChanged({ key }: Change<ArmorProfileModel>): void {
    if (this.#settings.behaviorModeling) this.#models.modelChanged(key)
    const {
      names,
      view,
      policy: { installNamespace },
    } = this.#options
    for (const { store } of [view.policies, view.clusterPolicies])
      for (const policy of store.values()) {
        const id = idOf(policy)
        const home = id.kind === 'VarmorPolicy' ? id.namespace : installNamespace
        if (key.startsWith(`${home}/`) && key === `${home}/${names.of(id).name}`) this.#poll(keyOfPolicy(id))
      }
  }

  #addressesChanged(key: string): void {
    const profile = this.#options.view.profiles.store.get(key)
    const owner = profile && ownerOf(profile)
    if (owner !== undefined) this.#poll(keyOfOwner(owner, profile?.metadata.namespace ?? ''))
  }

  /**
   * Records an Event if agents do not load the ArmorProfile because no manager created it. The actor of an existing
   * policy repairs its own ArmorProfile.
   */
  #announceStranger(profile: ArmorProfile): void {
    const { names, policy, event } = this.#options
    const why = whyNotMade(profile, policy.installNamespace)
    if (why === undefined || names.isOwn(profile)) return
    const note = `agents do not load this ArmorProfile, because no manager created it: ${why}`
    event({ policy: profile, type: 'Warning', reason: 'NotFromManager', note })
  }

  #workloadChanged(change: Change<Workload>): void {
    const { object: workload } = change
    const { view, agents } = this.#options
    if (this.#uncovered.workloadChanged(change)) this.#checkAllLater()
    const isOfAgents = workload.kind === 'DaemonSet' && this.#agentNodes.concerns(workload)
    if (isOfAgents && this.#agentNodes.follow(view.workloads('DaemonSet', agents?.namespace)))
      for (const node of view.nodes.store.values()) this.#nodeIs(node)
    for (const key of this.#rolling) this.#rollouts.of(key).tell({ type: 'workloads' })
  }

  /**
   * Schedules a check of all policies: pods of new workloads may run on nodes without an agent, which the policies'
   * statuses name.
   */
  #checkAllLater(): void {
    const { policies, clusterPolicies } = this.#options.view
    this.#checkAll ??= this.#clock.after(this.#settings.uncoveredInterval, () => {
      this.#checkAll = undefined
      for (const { store } of [policies, clusterPolicies])
        for (const policy of store.values()) this.#policies.of(keyOfPolicy(idOf(policy))).tell({ type: 'nodes' })
    })
  }

  #tellRollout(key: string, message: RolloutMessage): void {
    if (message.type === 'wanted') this.#rolling.add(key)
    else if (message.type === 'unwanted') this.#rolling.delete(key)
    this.#rollouts.of(key).tell(message)
  }

  #dropNodeProfile(node: string, profile: string): void {
    this.#nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'node-gone' })
  }

  #nodeProfileFamily(): Family<NodeProfileMessage> {
    const acknowledgements = this.#acknowledgements
    return this.#system.family(
      'node-profile',
      nodeProfileFamily({
        acknowledge: (profile, node, acknowledgement) =>
          void acknowledgements.report(profile, node, acknowledgement, this.#clock.now()),
        absent: (profile, node) => acknowledgements.absent(profile, node, this.#clock.now()),
      }),
    )
  }

  #rolloutFamily(): Family<RolloutMessage> {
    const { view, api, confine, winner, podProfile, limiter, count, rollout } = this.#options
    return this.#system.family(
      'rollout',
      rolloutFamily({
        stores: view,
        api,
        confine,
        winner,
        podProfile,
        limiter,
        count,
        notifyPolicy: (key, progress) => {
          if (progress.state === 'done') this.#rolling.delete(key)
          this.#policies.of(key).tell({ type: 'rollout', progress })
        },
        failed: (key, failure) => this.#policies.of(key).tell({ type: 'rollout-failed', failure }),
        settings: { ...defaultRolloutSettings, ...rollout },
      }),
    )
  }

  #policyFamily(): Family<PolicyMessage> {
    const { view, names, api, compile, event, count } = this.#options
    return this.#system.family(
      'policy',
      policyFamily({
        stores: view,
        names,
        api,
        event,
        count,
        acknowledgements: this.#acknowledgements,
        nodesChanged: (key) => this.#policies.of(key).tell({ type: 'nodes' }),
        turnCame: (key) => this.#policies.of(key).tell({ type: 'changed' }),
        sendToRollout: (key, message) => this.#tellRollout(key, message),
        dropNodeProfile: (node, profile) => this.#dropNodeProfile(node, profile),
        compile,
        egress: ({ metadata: { namespace, name } }) => ({
          addresses: this.#egress === undefined ? [] : this.#egress.addressesOf(`${namespace}/${name}`),
          sharing: this.#egress?.profiles ?? 0,
        }),
        model: ({ namespace, name }) => this.#models.found(namespace, name),
        uncovered: (policy, max) => this.#uncovered.of(policy, max),
        settings: this.#settings,
      }),
    )
  }
}

function keyOfOwner({ kind: name, name: policy }: NonNullable<ReturnType<typeof ownerOf>>, home: string): string {
  const kind = name as AnyPolicy['kind']
  return keyOfPolicy({ kind, namespace: kind === 'VarmorPolicy' ? home : '', name: policy })
}

/** Registers all names before the first policy is processed, so that a policy with an ArmorProfile keeps its name. */
function knowAll(names: ProfileNames, view: ClusterView): void {
  for (const { metadata } of view.profiles.store.values())
    names.profileChanged({ namespace: metadata.namespace ?? '', name: metadata.name })
  for (const reflector of [view.policies, view.clusterPolicies])
    for (const policy of reflector.store.values()) names.policyChanged(idOf(policy))
}
