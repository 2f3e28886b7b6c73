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
  /** Nodes that may still have a profile being removed; otherwise undefined, because it costs a visit of each node. */
  holders: NodeListing | undefined
  /** When this manager started to receive reports, by the monotonic clock. */
  startedAt: number
  /** Number of nodes without a complete report, and when the last one sent its report. */
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
  /** Name of the policy's profile, in its status and in pods. */
  profileName: string
  /** The existing ArmorProfile, which may have an outdated name; without one, the future ArmorProfile. */
  profileId: ProfileId
  /** The newer of the stored object and the answer to our last write. */
  policy: AnyPolicy | undefined
  /** Without a policy: it may exist, but not be kept, because its namespace has too many. */
  isUnkept: boolean
  profile: ArmorProfile | undefined
  /** No watch has shown the profile yet; it counts until this time. */
  profileUnseenUntil: number | undefined
  nodes: NodesObserved
  egress: EgressObserved
  model: FoundModel | undefined
  memory: Memory
}
