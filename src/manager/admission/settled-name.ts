import type { ProfileNames } from '../../../actors/policy/profile-names.ts'
import type { PolicyId } from '../../../actors/ports.ts'
import { type Clock, sleep } from '../../base/clock.ts'

/** Milliseconds. A leader takes a small part of it, and the API server waits for longer. */
const patience = 2_000
const lookEvery = 20

/**
 * Resolves when it is decided what the policy's profile is called; undefined where it is. Another manager may lead, which knows of a
 * policy that came before: a pod must not be put into the profile of that one. While nobody leads, the name that is to be expected
 * has to do.
 */
export function settledName(names: Pick<ProfileNames, 'of'>, id: PolicyId, clock: Clock): Promise<void> | undefined {
  return names.of(id).isSettled ? undefined : waited(names, id, clock)
}

async function waited(names: Pick<ProfileNames, 'of'>, id: PolicyId, clock: Clock): Promise<void> {
  const end = clock.now() + patience
  while (!names.of(id).isSettled && clock.now() < end) await sleep(clock, lookEvery)
}
