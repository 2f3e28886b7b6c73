import { distribute, forgetNode, type Reporting } from '../../../actors/node-profile/distribute.ts'
import { type NodeProfileMessage, nodeProfileFamily, nodeProfileKey } from '../../../actors/node-profile.ts'
import { Acknowledgements } from '../../../actors/policy/acknowledgements.ts'
import { ownerOf } from '../../../actors/policy/desired.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { keyOfPolicy } from '../../../actors/policy/policy-id.ts'
import { ProfileNames } from '../../../actors/policy/profile-names.ts'
import {
  defaultPolicySettings,
  type PolicyMessage,
  type PolicyPorts,
  type PolicySettings,
  policyFamily,
} from '../../../actors/policy.ts'
import type { AnyPolicy, CounterName, PolicyEvent, Workload } from '../../../actors/ports.ts'
import { restartedAt } from '../../../actors/rollout/restarted-at.ts'
import {
  defaultRolloutSettings,
  type RolloutMessage,
  type RolloutSettings,
  rolloutFamily,
} from '../../../actors/rollout.ts'
import { ActorSystem, type Failure, type Family, SimulatedClock } from '../../../actors/runtime/index.ts'
import type { AgentReport, ReportAnswer } from '../../../src/api/agent-report.ts'
import type { ArmorProfile, VarmorPolicySpec } from '../../../src/api/types.ts'
import { type Random, seededRandom } from '../../../src/base/random.ts'
import { type RestartLimits, restartLimits } from '../../../src/manager/default-limits.ts'
import { FakeApi, type Kind, keyFor, Session, type Stored } from '../fake-api.ts'
import { Agent, HEARTBEAT } from './agent.ts'
import { confinementOf, podProfileOf, putInProfile, winnerOf } from './put-in-profile.ts'
import { SimulatedRestartLimiter } from './simulated-limiter.ts'

export const START = Date.UTC(2026, 0, 1)
export const INSTALL_NAMESPACE = 'varmor'

export interface WorldOptions {
  seed?: number
  lag?: number
  limits?: RestartLimits
  policy?: Partial<PolicySettings>
  compile?: PolicyPorts['compile']
  rollout?: Partial<RolloutSettings>
  egress?: PolicyPorts['egress']
  model?: PolicyPorts['model']
}

/** A manager with all its actors. After a kill only the writes that it sent remain. */
export class Manager {
  readonly session: Session
  readonly system: ActorSystem
  readonly names: ProfileNames
  readonly acknowledgements: Acknowledgements
  readonly policies: Family<PolicyMessage>
  readonly nodeProfiles: Family<NodeProfileMessage>
  readonly rollouts: Family<RolloutMessage>
  readonly limiter: SimulatedRestartLimiter
  readonly epoch: string
  readonly events: PolicyEvent[] = []
  readonly counts: Partial<Record<CounterName, number>> = {}
  readonly failures: Failure[] = []
  readonly #reporting: Reporting

  constructor(world: World, epoch: string) {
    const { clock, api, options, random } = world
    this.epoch = epoch
    this.session = new Session(api, options.lag ?? 50, (key, object) => this.#changed(key, object))
    this.names = new ProfileNames(this.session, INSTALL_NAMESPACE)
    this.system = new ActorSystem({ clock, random, onFailure: (failure) => this.failures.push(failure) })
    this.acknowledgements = new Acknowledgements(clock.now())
    this.limiter = new SimulatedRestartLimiter(clock, options.limits ?? restartLimits)
    const count = (name: CounterName) => {
      this.counts[name] = (this.counts[name] ?? 0) + 1
    }
    this.nodeProfiles = this.system.family(
      'node-profile',
      nodeProfileFamily({
        acknowledge: (profile, node, acknowledgement) =>
          void this.acknowledgements.report(profile, node, acknowledgement, clock.now()),
        absent: (profile, node) => this.acknowledgements.absent(profile, node, clock.now()),
      }),
    )
    this.rollouts = this.system.family(
      'rollout',
      rolloutFamily({
        stores: this.session,
        api: this.session,
        confine: (workload) => confinementOf(api, workload),
        winner: (workload) => winnerOf(api, workload),
        podProfile: (pod, namespace) => podProfileOf(api, pod, namespace),
        limiter: this.limiter,
        count,
        notifyPolicy: (key, progress) => this.policies.of(key).tell({ type: 'rollout', progress }),
        failed: (key, failure) => this.policies.of(key).tell({ type: 'rollout-failed', failure }),
        settings: { ...defaultRolloutSettings, ...options.rollout },
      }),
    )
    this.policies = this.system.family(
      'policy',
      policyFamily({
        stores: this.session,
        names: this.names,
        api: this.session,
        event: (event) => void this.events.push(event),
        count,
        acknowledgements: this.acknowledgements,
        nodesChanged: (key) => this.policies.of(key).tell({ type: 'nodes' }),
        turnCame: (key) => this.policies.of(key).tell({ type: 'changed' }),
        sendToRollout: (key, message) => this.rollouts.of(key).tell(message),
        dropNodeProfile: (node, profile) =>
          this.nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'node-gone' }),
        compile: options.compile ?? desiredProfile,
        egress: (profile) => options.egress?.(profile) ?? { addresses: [], sharing: 0 },
        model: (id) => options.model?.(id),
        uncovered: () => ({ nodes: [], count: 0 }),
        settings: { ...defaultPolicySettings, installNamespace: INSTALL_NAMESPACE, ...options.policy },
      }),
    )
    this.#reporting = {
      acknowledgements: this.acknowledgements,
      nodeProfiles: this.nodeProfiles,
      nodeExists: (node) => world.facts.has(node),
      profileExists: (key, uid) => this.#profileExists(key, uid),
      now: () => clock.now(),
    }
  }

  /**
   * Tells the actors what a manager tells them when its reflectors have listed everything: nodes first, then each
   * policy and each ArmorProfile.
   */
  begin(nodes: Iterable<[string, { schedulable: boolean }]>): void {
    for (const [name, facts] of nodes) this.nodeJoined(name, facts)
    for (const key of this.session.keys('ArmorProfile')) this.#know(key)
    for (const kind of ['VarmorPolicy', 'VarmorClusterPolicy'] as const)
      for (const key of this.session.keys(kind)) this.#know(key)
    this.names.subscribe((key) => this.policies.of(key).tell({ type: 'changed' }))
    for (const kind of ['VarmorPolicy', 'VarmorClusterPolicy'] as const)
      for (const key of this.session.keys(kind)) this.policies.of(key).tell({ type: 'watched' })
    for (const key of this.session.keys('ArmorProfile')) {
      const [, namespace = '', name = ''] = key.split('/')
      this.#profileChanged(this.session.profile(namespace, name))
    }
  }

  nodeJoined(name: string, facts: { schedulable: boolean }): void {
    this.acknowledgements.nodes.set(name, facts, this.system.environment.clock.now())
  }

  nodeLeft(name: string): void {
    forgetNode(name, this.#reporting)
  }

  report(report: AgentReport): ReportAnswer {
    const { needsComplete } = distribute(report, this.#reporting)
    const complete = report.epoch !== this.epoch || needsComplete
    return { epoch: this.epoch, complete, intervalSeconds: HEARTBEAT / 1000 }
  }

  readonly #owners = new Map<string, string>()

  #know(key: string): void {
    const [kind = '', namespace = '', name = ''] = key.split('/')
    if (kind === 'ArmorProfile') this.names.profileChanged({ namespace, name })
    else this.names.policyChanged({ kind: kind as AnyPolicy['kind'], namespace, name })
  }

  #profileExists(key: string, uid: string): boolean {
    const [namespace = '', name = ''] = key.split('/')
    return this.session.profile(namespace, name)?.metadata.uid === uid || this.acknowledgements.isWanted(key, uid)
  }

  #changed(key: string, object: Stored | undefined): void {
    if (/^(Varmor|ArmorProfile)/.test(key)) this.#know(key)
    if (key.startsWith('Varmor')) this.policies.of(key).tell({ type: 'watched' })
    else if (key.startsWith('ArmorProfile/')) {
      if (object !== undefined) this.#profileChanged(object as unknown as ArmorProfile)
      const owner = this.#owners.get(key)
      if (object === undefined && owner !== undefined) this.policies.of(owner).tell({ type: 'watched' })
    }
  }

  #profileChanged(profile: ArmorProfile | undefined): void {
    const owner = profile === undefined ? undefined : ownerOf(profile)
    if (profile === undefined || owner === undefined) return
    const kind = owner.kind as AnyPolicy['kind']
    const namespace = kind === 'VarmorPolicy' ? (profile.metadata.namespace ?? '') : ''
    const key = keyOfPolicy({ kind, namespace, name: owner.name })
    this.#owners.set(keyFor('ArmorProfile', profile.metadata.namespace, profile.metadata.name), key)
    this.policies.of(key).tell({ type: 'watched' })
  }
}

/** An API server, agents, controllers and a manager, under one clock. */
export class World {
  readonly clock = new SimulatedClock(START)
  readonly random: Random
  readonly api: FakeApi
  readonly options: WorldOptions
  readonly agents = new Map<string, Agent>()
  readonly facts = new Map<string, { schedulable: boolean }>()
  manager: Manager | undefined
  readonly managers: Manager[] = []
  /** Each change of a pod template: its workload, and the time of the change. */
  readonly restarts: { workload: string; at: number }[] = []
  /** Workloads whose pods do not become available. */
  readonly broken = new Set<string>()

  constructor(options: WorldOptions = {}) {
    this.options = options
    this.random = seededRandom(options.seed ?? 1)
    this.api = new FakeApi(this.clock, this.random)
    this.api.admit = (object, before) => putInProfile(this.api, object, before)
    this.api.watchers.add((key, object) => {
      if (key.startsWith('ArmorProfile/')) for (const agent of this.agents.values()) agent.see(object, key)
      if (/^(Deployment|StatefulSet|DaemonSet)\//.test(key) && object !== undefined) this.#controlWorkload(key, object)
    })
  }

  addNode(name: string, facts = { schedulable: true }): Agent {
    this.facts.set(name, facts)
    const agent = new Agent(this, name)
    this.agents.set(name, agent)
    this.manager?.nodeJoined(name, facts)
    return agent
  }

  removeNode(name: string): void {
    this.agents.get(name)?.leave()
    this.agents.delete(name)
    this.facts.delete(name)
    this.manager?.nodeLeft(name)
  }

  startManager(): Manager {
    this.manager = new Manager(this, `epoch-${this.managers.length + 1}`)
    this.managers.push(this.manager)
    this.manager.begin(this.facts)
    return this.manager
  }

  crashManager(): void {
    this.manager?.session.die()
    void this.manager?.system.stop({ within: 0 })
    this.manager = undefined
  }

  policy(name: string, spec: VarmorPolicySpec, namespace = 'demo'): string {
    this.api.create('VarmorPolicy', { name, namespace }, spec)
    return keyFor('VarmorPolicy', namespace, name)
  }

  clusterPolicy(name: string, spec: VarmorPolicySpec): string {
    this.api.create('VarmorClusterPolicy', { name }, spec)
    return keyFor('VarmorClusterPolicy', '', name)
  }

  workload(
    kind: Kind,
    name: string,
    more: Partial<Workload['spec']> & { labels?: Record<string, string>; namespace?: string } = {},
  ): string {
    const { labels = { app: name, 'sandbox.varmor.org/enable': 'true' }, namespace = 'demo', ...spec } = more
    const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main' }] } }
    this.api.create(kind, { name, namespace, labels }, { replicas: 2, template, ...spec })
    return keyFor(kind, namespace, name)
  }

  getPolicy(key: string): AnyPolicy | undefined {
    return this.api.get<AnyPolicy>(key)
  }

  getProfile(name: string, namespace = 'demo'): ArmorProfile | undefined {
    return this.api.get<ArmorProfile>(keyFor('ArmorProfile', namespace, name))
  }

  getWorkload(key: string): Workload {
    return this.api.get<Workload>(key)!
  }

  condition(key: string, type: string) {
    return this.getPolicy(key)?.status?.conditions?.find((condition) => condition.type === type)
  }

  /** The policy changes for which vArmor has restarted a workload. */
  changesOf(key: string): string[] {
    const annotation =
      this.getWorkload(key).spec.template.metadata?.annotations?.['sandbox.varmor.org/restartedAt'] ?? ''
    return annotation
      .split(',')
      .filter((entry) => entry !== '')
      .map((entry) => entry.split('@')[0]!)
  }

  isRestartedFor(key: string, change: string): boolean {
    return restartedAt(this.getWorkload(key), change) !== undefined
  }

  async runFor(duration: number): Promise<void> {
    const limit = this.clock.now() + duration
    await this.#settle()
    while (this.clock.step(limit)) await this.#settle()
  }

  /** @returns whether the condition became true within the time */
  async runUntil(condition: () => boolean, within = 600_000): Promise<boolean> {
    const limit = this.clock.now() + within
    await this.#settle()
    while (!condition()) {
      if (!this.clock.step(limit)) return condition()
      await this.#settle()
    }
    return true
  }

  async #settle(): Promise<void> {
    do await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.manager !== undefined && !this.manager.system.environment.dispatcher.quiet)
  }

  #seenTemplates = new Map<string, string>()

  /** Acts as the controllers of apps/v1: a new template creates new pods, which become available after a while. */
  #controlWorkload(key: string, object: Stored): void {
    const workload = object as unknown as Workload
    const template = JSON.stringify(workload.spec.template)
    const before = this.#seenTemplates.get(key)
    if (before !== undefined && before !== template) this.restarts.push({ workload: key, at: this.clock.now() })
    this.#seenTemplates.set(key, template)
    if (workload.status?.observedGeneration === workload.metadata.generation) return
    this.clock.after(500 + this.random() * 4_000, () => this.#rollOut(key))
  }

  #rollOut(key: string): void {
    this.api.update(key, (object) => {
      const { spec, metadata } = object as unknown as Workload
      const replicas = spec.replicas ?? 1
      const available = this.broken.has(key) ? 0 : replicas
      object.status = {
        observedGeneration: metadata.generation,
        replicas,
        updatedReplicas: replicas,
        availableReplicas: available,
        desiredNumberScheduled: replicas,
        updatedNumberScheduled: replicas,
        numberAvailable: available,
      }
    })
  }

  repair(key: string): void {
    this.broken.delete(key)
    this.#rollOut(key)
  }
}

/** The spec of a policy; `rules` are hardening rules. */
export function policySpec(
  more: Partial<VarmorPolicySpec> & { rules?: string[]; enforcer?: string } = {},
): VarmorPolicySpec {
  const { rules = ['disallow-mount'], enforcer = 'AppArmor', ...rest } = more
  return {
    target: { kind: 'Deployment', selector: { matchLabels: { app: 'web' } } },
    policy: { enforcer, mode: 'EnhanceProtect', enhanceProtect: { hardeningRules: rules } },
    ...rest,
  }
}
