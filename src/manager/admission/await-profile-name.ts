import type { ProfileNames } from '../../../actors/policy/profile-names.ts'
import type { PolicyId } from '../../../actors/ports.ts'
import { type Clock, sleep } from '../../base/clock.ts'

/** Milliseconds. A leader takes a small part of it, and the API server waits longer. */
const timeout = 2_000
const pollInterval = 20

/**
 * Resolves when the name of the policy's profile is decided; undefined if it is. The leader may be another manager that
 * knows of an earlier policy, whose profile the pod must not get. Without a leader, the expected name is used.
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
