import type { ArmorProfile } from '../../src/api/types.ts'
import type { WallMs } from '../../src/base/clock.ts'
import type { AnyPolicy, PolicyId } from '../ports.ts'
import type { EgressObserved } from './egress-observed.ts'
import type { Memory } from './memory.ts'
import type { ProfileId } from './policy-id.ts'
import type { FoundModel, PolicySettings } from './ports.ts'
import type { NodeListing, PolicyNodesView } from './profile-status.ts'

/** What the nodes reported of the ArmorProfile as it is. */
export interface NodesObserved extends PolicyNodesView {
  /** Nodes where pods can land and the profile is not loaded: some of them. */
  blockers: readonly string[]
  /** Nodes that may still have the profile, while it is to go; undefined when it is not, because it costs a look at each. */
  holders: NodeListing | undefined
  /** When this manager began to receive reports, by the monotonic clock. */
  startedAt: number
  /** Nodes that have not reported yet all that they have, and when the last one did. */
  unknown: number
  knownAt: number
}

/** All that a decision rests on. One value, which is never changed. */
export interface Observation {
  /** Milliseconds, by the monotonic clock. */
  now: number
  /** The time of day. */
  wall: WallMs
  settings: PolicySettings
  id: PolicyId
  /** What the policy's profile is to be called: in its status, and in pods. */
  profileName: string
  /** The ArmorProfile that there is, perhaps of another name, which it has to give up; else the one that there is to be. */
  profileId: ProfileId
  /** The newest of what the store has and what our last write was answered with. */
  policy: AnyPolicy | undefined
  /** Where there is no policy: it may be there, and not be kept, as its namespace has too many. */
  isUnkept: boolean
  profile: ArmorProfile | undefined
  /** No watch has shown the profile yet; so long it counts nevertheless. */
  profileUnseenUntil: number | undefined
  nodes: NodesObserved
  egress: EgressObserved
  model: FoundModel | undefined
  memory: Memory
}
