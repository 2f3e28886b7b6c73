import type { ProfileNames } from '../../../actors/policy/profile-names.ts'
import type { PolicyId } from '../../../actors/ports.ts'
import { type Clock, sleep } from '../../base/clock.ts'

/** Milliseconds. A leader needs much less time to decide, and the API server waits longer for the answer. */
const timeout = 2_000
const pollInterval = 20

/**
 * Resolves when the name of the policy's profile is decided, or after a timeout; undefined if it is decided already.
 * Until then, the leader may give the expected name to an earlier policy, and the pod would get that policy's profile.
 */
export function awaitProfileName(
  names: Pick<ProfileNames, 'of'>,
  id: PolicyId,
  clock: Clock,
): Promise<void> | undefined {
  return names.of(id).isSettled ? undefined : waited(names, id, clock)
}

async function waited(names: Pick<ProfileNames, 'of'>, id: PolicyId, clock: Clock): Promise<void> {
  const end = clock.now() + timeout
  while (!names.of(id).isSettled && clock.now() < end) await sleep(clock, pollInterval)
}
