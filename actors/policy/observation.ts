import type { ArmorProfile } from '../../src/api/types.ts'
import type { WallMs } from '../../src/base/clock.ts'
import type { AnyPolicy, PolicyId } from '../ports.ts'
import type { EgressObserved } from './egress-observed.ts'
import type { Memory } from './memory.ts'
import type { ProfileId } from './policy-id.ts'
import type { FoundModel, PolicySettings } from './ports.ts'
import type { NodeListing, PolicyNodesView } from './profile-status.ts'

/** The nodes' reports about the current ArmorProfile. */
export interface NodesObserved extends PolicyNodesView {
  /** Some of the nodes that accept pods and have not loaded the profile. */
  blockers: readonly string[]
  /**
   * Nodes that may still have a profile that is being removed. Undefined without a removal, because finding them visits
   * each node.
   */
  holders: NodeListing | undefined
  /** When this manager started to receive reports, by the monotonic clock. */
  startedAt: number
  /** Number of nodes without a complete report, and when the last of the other nodes sent its first complete report. */
  unknown: number
  knownAt: number
}

/** Everything that a decision depends on. An immutable value. */
export interface Observation {
  /** Milliseconds, by the monotonic clock. */
  now: number
  /** The wall-clock time. */
  wall: WallMs
  settings: PolicySettings
  id: PolicyId
  /** Name of the policy's profile, in the policy's status and in pods. */
  profileName: string
  /** The existing ArmorProfile, even if its name is outdated; if there is none, the future ArmorProfile. */
  profileId: ProfileId
  /** The newer of the stored object and the answer to our last write. */
  policy: AnyPolicy | undefined
  /**
   * Set if this manager does not know the policy: it may exist and be left out, because its namespace has too many
   * policies.
   */
  isUnkept: boolean
  profile: ArmorProfile | undefined
  /** No watch has shown the profile yet; our write counts until this time. */
  profileUnseenUntil: number | undefined
  nodes: NodesObserved
  egress: EgressObserved
  model: FoundModel | undefined
  memory: Memory
}
