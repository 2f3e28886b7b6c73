import type { ArmorProfile } from '../../src/api/types.ts'
import type { Part } from './decision.ts'
import { PROFILE_FINALIZER } from './desired.ts'
import type { Observation } from './observation.ts'
import { removalRestart } from './restart.ts'

/** Interval between two checks for silent nodes, in milliseconds. */
const REMOVAL_POLL = 5_000

/** The next step of a removal, and the cause of a delay; empty if there is a step. */
export interface Removal {
  parts: Part[]
  waiting: string
}

/**
 * Removes an ArmorProfile: first from the workloads (unless another profile of the same name follows), then from the
 * nodes. Then removes the object.
 */
export function removal(seen: Observation, profile: ArmorProfile, workloads: 'restarted' | 'left'): Removal {
  // Delete the object in any case: nodes unload a profile once its deletion has started.
  if (profile.metadata.deletionTimestamp !== undefined) return unloading(seen, profile)
  const restart = workloads === 'left' ? { waiting: '', part: {} } : removalRestart(seen, profile)
  if (restart.waiting !== '') return { parts: [restart.part], waiting: restart.waiting }
  if (seen.memory.deleted !== profile.metadata.uid)
    return { parts: [restart.part, { effect: { type: 'delete-profile', profile } }], waiting: '' }
  const { parts, waiting } = unloading(seen, profile)
  return { parts: [restart.part, ...parts], waiting }
}

/** Waits until no node has the profile, then removes the finalizer. */
function unloading({ nodes: { holders }, memory, now }: Observation, profile: ArmorProfile): Removal {
  if (holders?.count !== 0) {
    const { nodes, count } = holders ?? { nodes: [], count: 0 }
    const rest = count > nodes.length ? ` and ${count - nodes.length} more` : ''
    return {
      parts: [{ timers: { removal: REMOVAL_POLL }, memory: { removalSince: memory.removalSince ?? now } }],
      waiting: `waiting for nodes to unload the profile: ${nodes.join(', ')}${rest}`,
    }
  }
  const { finalizers = [] } = profile.metadata
  const others = finalizers.filter((finalizer) => finalizer !== PROFILE_FINALIZER)
  const isHeld = others.length < finalizers.length
  return {
    parts: [{ effect: { type: 'release-profile', profile, finalizers: isHeld ? others : undefined } }],
    waiting: '',
  }
}
