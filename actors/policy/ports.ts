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
  /** Upstream's restartExistWorkloads.enabled: if false, vArmor never restarts workloads. */
  restartExistingWorkloads: boolean
  /** Selects the addresses that the manager looks up for rules about outgoing connections. */
  egressControl: EgressControl
  /** Upstream's behaviorModeling.enabled: if false, nothing is recorded. */
  behaviorModeling: boolean
  /** Minimum interval between two writes of one status. All times here are in milliseconds. */
  statusInterval: number
  /** Minimum interval when only the number of nodes that loaded the profile changed. */
  progressInterval: number
  /** Minimum interval between two writes of one ArmorProfile's addresses. */
  egressInterval: number
  /** Longest interval between two writes of a status. */
  maxInterval: number
  /**
   * Maximum bytes per second in the watches of all nodes together: a manager delays writes of ArmorProfiles
   * accordingly.
   */
  watchBytesPerSecond: number
  /** Interval between two checks of the nodes' reports. */
  nodesInterval: number
  /** Delay after a workload change before policies check whether its pods can land on nodes without an agent. */
  uncoveredInterval: number
  /** A node without a report for this time counts as silent. */
  silentAfter: number
  /** A node without a report for this time does not delay a removal. */
  goneAfter: number
  /** For this time after its start, a manager keeps stored statuses that nodes have not confirmed yet. */
  grace: number
  /** A manager also keeps stored statuses for this time after the last node's first complete report. */
  settleTime: number
  firstBackoff: number
  maxBackoff: number
  /** Retry interval after the API server refused an object. */
  refusedInterval: number
  /** Interval until a too costly policy is compiled again. */
  tooCostlyInterval: number
  /** Time for which a new node counts if only a report can show whether it has an agent. */
  joinGrace: number
  /** Time for which our own write counts if no watch has shown it. */
  watchDelay: number
}

export const defaultPolicySettings: Omit<PolicySettings, 'installNamespace'> = {
  restartExistingWorkloads: true,
  egressControl: { pods: false, services: false },
  behaviorModeling: false,
  statusInterval: 1_000,
  progressInterval: 5_000,
  egressInterval: 1_000,
  maxInterval: 30_000,
  watchBytesPerSecond: 100_000_000,
  nodesInterval: 500,
  uncoveredInterval: 30_000,
  silentAfter: 45_000,
  goneAfter: 60_000,
  grace: 60_000,
  settleTime: 5_000,
  joinGrace: 120_000,
  firstBackoff: 200,
  maxBackoff: 60_000,
  refusedInterval: 60_000,
  tooCostlyInterval: COSTLY_FOR,
  watchDelay: 10_000,
}

/** The result of behaviour modelling, and a text that identifies its version. */
export interface FoundModel {
  version: string
  /** Its profiles exist. */
  ready: boolean
  model: BehaviorModel
  /** Why this manager keeps only an outline of the model, without its data. */
  outline?: string
}

export interface PolicyPorts {
  stores: Pick<ControlPlaneStores, 'policy' | 'lacksPolicies' | 'profile'>
  names: Pick<ProfileNames, 'of' | 'claim'>
  api: Omit<ControlPlaneApi, 'patchWorkload' | 'eachPod'>
  event: RecordEvent
  count: Count
  acknowledgements: Acknowledgements
  /**
   * Runs `desiredProfile` on this or another thread. It must have a timeout, because the actor waits for it.
   * @throws {PortError} UNAVAILABLE: retry later
   */
  compile(policy: AnyPolicy, options: DesiredOptions): Desired | Promise<Desired>
  /** Notifies the policy's actor that the nodes' reports about its profile have changed. */
  nodesChanged(policyKey: string): void
  /** Notifies the policy's actor that it may write a status. */
  turnCame(policyKey: string): void
  sendToRollout(policyKey: string, message: RolloutMessage): void
  /** Drops the report that waits in the mailbox of the node-profile actor. */
  dropNodeProfile(node: string, profile: string): void
  /** Addresses that the ArmorProfile's rules refer to. */
  egress(profile: ArmorProfile): EgressObserved
  /** The model for the ArmorProfile of this name. */
  model(profile: ProfileId): FoundModel | undefined
  /** Nodes without an agent where pods of the policy's target can be scheduled; at most `max` by name. */
  uncovered(policy: AnyPolicy, max: number): NodeListing
  settings: PolicySettings
}

/**
 * All messages ask the actor to check the state again; only the latest of a type counts. `watched`: a watch event about
 * the policy or its ArmorProfile; the actor skips the check if both are unchanged, as after its own write. `rollout`:
 * progress of the restarts. `rollout-failed`: the rollout actor failed and restarts.
 */
export type PolicyMessage =
  | { type: 'changed' }
  | { type: 'watched' }
  | { type: 'nodes' }
  | { type: 'rollout'; progress: RolloutProgress }
  | { type: 'rollout-failed'; failure: ActorFailure }
