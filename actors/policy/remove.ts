import type { ArmorProfile } from '../../src/api/types.ts'
import { PROFILE_FINALIZER } from './desired-profile.ts'
import { keyOfProfile } from './policy-id.ts'
import { removalRestart } from './restart.ts'
import { lookAgain, type Run } from './run.ts'

/** How often to see whether nodes have fallen silent, in milliseconds. */
const REMOVAL_POLL = 5_000
const NAMED = 5

/**
 * Takes an ArmorProfile away: the workloads out of it first (unless another profile of the same name follows), then the profile
 * from the nodes, and the object last.
 * @returns whether it is gone; if not, who holds it up
 */
export async function removeProfile(
  run: Run,
  profile: ArmorProfile,
  workloads: 'restarted' | 'left',
): Promise<{ gone: boolean; message: string }> {
  const { ports, state, settings, now, aggregate } = run
  // Once it is being deleted, nodes unload it whatever we do.
  if (profile.metadata.deletionTimestamp === undefined) {
    const restart = workloads === 'left' ? undefined : removalRestart(run, profile)
    if (restart?.done === false) return { gone: false, message: restart.message }
    if (state.deleted !== profile.metadata.uid) {
      await ports.api.deleteProfile(profile)
      state.deleted = profile.metadata.uid
    }
  }
  state.removalSince ??= now
  const { nodes, count } = aggregate.holding(state.removalSince, now - settings.goneAfter, NAMED)
  if (count > 0) {
    lookAgain(run, 'removal', REMOVAL_POLL)
    const rest = count > nodes.length ? ` and ${count - nodes.length} more` : ''
    return { gone: false, message: `waiting for nodes to unload the profile: ${nodes.join(', ')}${rest}` }
  }
  await release(run, profile)
  return { gone: true, message: '' }
}

async function release({ ports, state, profileId }: Run, profile: ArmorProfile): Promise<void> {
  const { finalizers = [], uid } = profile.metadata
  const others = finalizers.filter((finalizer) => finalizer !== PROFILE_FINALIZER)
  if (others.length < finalizers.length) await ports.api.setProfileFinalizers(profile, others)
  state.released = uid
  state.profile = undefined
  state.settled = undefined
  state.removalSince = undefined
  const key = keyOfProfile(profileId)
  ports.acknowledgements.forget(key, (node) => ports.dropNodeProfile(node, key))
}
