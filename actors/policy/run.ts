import type { ArmorProfile } from '../../src/api/types.ts'
import type { BehaviorModel } from '../../src/profile/context.ts'
import type { ActorFailure } from '../actor-failure.ts'
import type { AnyPolicy, ControlPlaneApi, ControlPlaneStores, Count, PolicyId, RecordEvent } from '../ports.ts'
import type { RolloutNews } from '../rollout/wanted.ts'
import type { RolloutMessage } from '../rollout.ts'
import type { ActorContext } from '../runtime/index.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import type { Aggregate } from './aggregate.ts'
import type { ProfileId } from './policy-id.ts'
import type { Verdict } from './policy-status.ts'

export interface PolicySettings {
  installNamespace: string
  /** Upstream's restartExistWorkloads.enabled: without it nothing is ever restarted. */
  restartExistingWorkloads: boolean
  /** All times are in milliseconds. Between two writes of one status, */
  statusInterval: number
  /** and when nothing changed but how many nodes have loaded the profile. */
  progressInterval: number
  /** Between two looks at what nodes say. */
  nodesInterval: number
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
  /** How long what we wrote counts although no watch has shown it. */
  watchDelay: number
}

export const defaultPolicySettings: Omit<PolicySettings, 'installNamespace'> = {
  restartExistingWorkloads: true,
  statusInterval: 1_000,
  progressInterval: 5_000,
  nodesInterval: 500,
  silentAfter: 45_000,
  goneAfter: 60_000,
  grace: 60_000,
  settleTime: 5_000,
  firstBackoff: 200,
  longestBackoff: 60_000,
  refusedInterval: 60_000,
  watchDelay: 10_000,
}

export interface PolicyPorts {
  stores: Pick<ControlPlaneStores, 'policy' | 'profile'>
  api: Omit<ControlPlaneApi, 'patchWorkload'>
  event: RecordEvent
  count: Count
  acknowledgements: Acknowledgements
  /** Tells the policy's actor that what nodes said of its profile has changed. */
  nodesChanged(policyKey: string): void
  /** Tells the rollout actor of the policy. */
  tellRollout(policyKey: string, message: RolloutMessage): void
  /** A node-profile actor has nothing to remember any more. */
  dropNodeProfile(node: string, profile: string): void
  /** What behaviour modelling made for the ArmorProfile of this name, and a text that changes with it. */
  model(profile: ProfileId): { version: string; model: BehaviorModel } | undefined
  settings: PolicySettings
}

/** All level-triggered: look again. `rollout` brings how far the restarts are, `rollout-failed` that its actor is to hear anew what is wanted. */
export type PolicyMessage =
  | { type: 'changed' }
  | { type: 'nodes' }
  | { type: 'rollout'; news: RolloutNews }
  | { type: 'rollout-failed'; failure: ActorFailure }

/** Only our own timers send it. */
export type PolicyDue = { type: 'due' }

/** What came of compiling, for one state of policy and profile. */
export interface Settled {
  /** The policy that it is about. */
  of: string
  /** The profile that is in force then. */
  profile: string
  verdict: Verdict
  skipped: string
  /** Milliseconds since the epoch, after which the API server is asked again. */
  until: number
}

/** A cache: all of it comes again from the API server and the nodes. */
export interface PolicyState {
  /** Failures of the API in a row. */
  failures: number
  /** Times are in milliseconds since the epoch. */
  convergedAt: number
  /** Answers to our last writes, which the stores may not have yet. */
  policy: AnyPolicy | undefined
  profile: ArmorProfile | undefined
  profileWrittenAt: number
  /** Uids of the ArmorProfile that was asked to go, and of the one that was let go. */
  deleted: string | undefined
  released: string | undefined
  /** When this actor saw first that a profile is to go. */
  removalSince: number | undefined
  settled: Settled | undefined
  /** The version of the profile whose status is of this manager, not of one before. */
  confirmed: string
  policyStatusAt: number
  profileStatusAt: number
  /** Nodes whose failure was told in an Event, and for which generation. */
  failed: { generation: number; nodes: Set<string> }
  /** The change whose restart begins with the next status. */
  beginning: { change: string; since: number } | undefined
  /** What the rollout actor was told last: a change, or that nothing is wanted. */
  toldRollout: { change: string | undefined } | undefined
  news: RolloutNews | undefined
}

/** One pass over a policy: what is known now. */
export interface Run {
  ports: PolicyPorts
  settings: PolicySettings
  state: PolicyState
  context: ActorContext<PolicyMessage | PolicyDue>
  id: PolicyId
  profileId: ProfileId
  /** Milliseconds since the epoch. */
  now: number
  policy: AnyPolicy | undefined
  profile: ArmorProfile | undefined
  aggregate: Aggregate
}

/** Looks again in so many milliseconds. One timer a reason. */
export function lookAgain({ context }: Run, reason: string, delay: number): void {
  context.after(reason, Math.max(1, delay), { type: 'due' })
}

/** Which state of which ArmorProfile this is; empty for none. */
export const versionOf = (profile: ArmorProfile | undefined): string =>
  profile === undefined ? '' : `${profile.metadata.uid}/${profile.metadata.generation}`
