import type { ArmorProfile } from '../../src/api/types.ts'
import type { BehaviorModel, EgressControl } from '../../src/profile/context.ts'
import type { ActorFailure } from '../actor-failure.ts'
import { COSTLY_FOR } from '../compiler/costly.ts'
import type { AnyPolicy, ControlPlaneApi, ControlPlaneStores, Count, RecordEvent } from '../ports.ts'
import type { RolloutProgress } from '../rollout/wanted.ts'
import type { RolloutMessage } from '../rollout.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import type { Desired, DesiredOptions } from './desired.ts'
import type { EgressObserved } from './egress-observed.ts'
import type { ProfileId } from './policy-id.ts'
import type { ProfileNames } from './profile-names.ts'
import type { NodeListing } from './profile-status.ts'

export interface PolicySettings {
  installNamespace: string
  /** Upstream's restartExistWorkloads.enabled: without it nothing is ever restarted. */
  restartExistingWorkloads: boolean
  /** Whose addresses are looked for, for rules about outgoing connections. */
  egressControl: EgressControl
  /** Upstream's behaviorModeling.enabled: without it nothing is recorded. */
  behaviorModeling: boolean
  /** All times are in milliseconds. Between two writes of one status at least, */
  statusInterval: number
  /** when nothing changed but how many more nodes have loaded the profile, */
  progressInterval: number
  /** and of one ArmorProfile's addresses; */
  egressInterval: number
  /** of any of them at most, */
  longestInterval: number
  /** and of an ArmorProfile so that the watches of all nodes carry no more than so many bytes a second. */
  watchBytesPerSecond: number
  /** Between two looks at what nodes report. */
  nodesInterval: number
  /** How long workloads may change before policies look whether pods can land on nodes without an agent. */
  uncoveredInterval: number
  /** Without a report for so long a node is called silent. */
  silentAfter: number
  /** Without a report for so long a node does not hold up a removal. */
  goneAfter: number
  /** So long after its start a manager lets a status stand that nodes have not confirmed yet, */
  grace: number
  /** or until so long after the last node has. */
  settleTime: number
  firstBackoff: number
  longestBackoff: number
  /** How soon to ask the API server again for what it refused. */
  refusedInterval: number
  /** When to compile again what was too costly. */
  tooCostlyInterval: number
  /** So long a node that joined counts, where nothing but a report could say whether it has an agent. */
  joinGrace: number
  /** How long what we wrote counts although no watch has shown it. */
  watchDelay: number
}

export const defaultPolicySettings: Omit<PolicySettings, 'installNamespace'> = {
  restartExistingWorkloads: true,
  egressControl: { pods: false, services: false },
  behaviorModeling: false,
  statusInterval: 1_000,
  progressInterval: 5_000,
  egressInterval: 1_000,
  longestInterval: 30_000,
  watchBytesPerSecond: 100_000_000,
  nodesInterval: 500,
  uncoveredInterval: 30_000,
  silentAfter: 45_000,
  goneAfter: 60_000,
  grace: 60_000,
  settleTime: 5_000,
  joinGrace: 120_000,
  firstBackoff: 200,
  longestBackoff: 60_000,
  refusedInterval: 60_000,
  tooCostlyInterval: COSTLY_FOR,
  watchDelay: 10_000,
}

/** What behaviour modelling found, and a text that changes with it. */
export interface FoundModel {
  version: string
  /** Its profiles are there. */
  ready: boolean
  model: BehaviorModel
  /** Why this manager keeps no more of it than that it is there. */
  outline?: string
}

export interface PolicyPorts {
  stores: Pick<ControlPlaneStores, 'policy' | 'lacksPolicies' | 'profile'>
  names: Pick<ProfileNames, 'of' | 'claim'>
  api: Omit<ControlPlaneApi, 'patchWorkload' | 'eachPod'>
  event: RecordEvent
  count: Count
  acknowledgements: Acknowledgements
  /** `desiredProfile`, wherever it runs. It must end in time: the actor waits for it. @throws {PortError} UNAVAILABLE: not now */
  compile(policy: AnyPolicy, options: DesiredOptions): Desired | Promise<Desired>
  /** Notifies the policy's actor that what nodes reported of its profile has changed. */
  nodesChanged(policyKey: string): void
  /** Notifies it that it is its turn to write a status. */
  turnCame(policyKey: string): void
  sendToRollout(policyKey: string, message: RolloutMessage): void
  /** A node-profile actor has nothing to remember any more. */
  dropNodeProfile(node: string, profile: string): void
  /** Where those are that the rules of the ArmorProfile are about. */
  egress(profile: ArmorProfile): EgressObserved
  /** What behaviour modelling made for the ArmorProfile of this name. */
  model(profile: ProfileId): FoundModel | undefined
  /** Nodes without an agent where pods of the policy's target can land: at most so many by name. */
  uncovered(policy: AnyPolicy, most: number): NodeListing
  settings: PolicySettings
}

/**
 * All level-triggered: look again. `watched` says so of the policy and its ArmorProfile alone: where these are as they were at the last
 * look, as after a write of the actor's own, nothing is looked at. `rollout` brings how far the restarts are, `rollout-failed` that
 * their actor starts anew.
 */
export type PolicyMessage =
  | { type: 'changed' }
  | { type: 'watched' }
  | { type: 'nodes' }
  | { type: 'rollout'; progress: RolloutProgress }
  | { type: 'rollout-failed'; failure: ActorFailure }
