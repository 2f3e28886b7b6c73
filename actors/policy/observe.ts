import type { ArmorProfile } from '../../src/api/types.ts'
import type { Aggregate } from './aggregate.ts'
import type { Memory } from './memory.ts'
import { recordingNow } from './modeling.ts'
import { newest } from './newer.ts'
import type { NodesObserved, Observation } from './observation.ts'
import { keyOfProfile, parsePolicyKey } from './policy-id.ts'
import type { PolicyPorts, PolicySettings } from './ports.ts'
import { MAX_NODES } from './profile-status.ts'
import { isToGo } from './situation.ts'

const NAMED = 5

type Times = Pick<Observation, 'now' | 'wall'>

/** Collects the current state from the stores, the nodes' reports and the actor's memory. */
export function observe(ports: PolicyPorts, key: string, memory: Memory, { now, wall }: Times): Observation {
  const { settings, acknowledgements } = ports
  const objects = objectsNow(ports, key, memory, now)
  const { policy, profile, profileName, profileId } = objects
  const aggregate = acknowledgements.of(keyOfProfile(profileId), () => ports.nodesChanged(key))
  if (profile?.metadata.uid !== undefined) aggregate.want(profile.metadata.uid, profile.metadata.generation ?? 0)
  return {
    ...objects,
    memory: { ...objects.memory, recording: recordingNow(profile, memory.recording, { now, wall }) },
    ...{ now, wall },
    settings,
    isUnkept: policy === undefined && ports.stores.lacksPolicies(objects.id.namespace ?? ''),
    nodes: nodesNow(ports, aggregate, { policy, profile, profileName }, memory, now),
    egress: profile === undefined ? { addresses: undefined, sharing: 0 } : ports.egress(profile),
    model: ports.model(profileId),
  }
}

type Objects = Pick<
  Observation,
  'id' | 'profileName' | 'profileId' | 'policy' | 'profile' | 'profileUnseenUntil' | 'memory'
>

/** The current policy and its ArmorProfile. */
export function objectsNow(
  { settings, stores, names }: PolicyPorts,
  key: string,
  memory: Memory,
  now: number,
): Objects {
  const id = parsePolicyKey(key)
  const { name: profileName, profileId } = names.of(id)
  const stored = stores.policy(id)
  const policy = newest(stored, memory.policy)
  const storedProfile = stores.profile(profileId.namespace, profileId.name)
  const { profile, unseenUntil } = profileNow(storedProfile, memory, settings, now)
  return {
    id,
    profileName,
    profileId,
    policy,
    profile,
    profileUnseenUntil: unseenUntil,
    // Drop our own writes that the store shows by now.
    memory: {
      ...memory,
      policy: policy === stored ? undefined : memory.policy,
      profile: profile === storedProfile ? undefined : memory.profile,
    },
  }
}

/** Identifies the state of policy and ArmorProfile, including their statuses. */
export const seenOf = ({ profileName, policy, profile }: Pick<Objects, 'profileName' | 'policy' | 'profile'>): string =>
  `${profileName} ${stateOf(policy)} ${stateOf(profile)}`

const stateOf = (object: Objects['policy'] | Objects['profile']): string =>
  object === undefined ? '' : `${object.metadata.uid}/${object.metadata.resourceVersion}`

/**
 * The current ArmorProfile. The store may not show an ArmorProfile that we have just created, and may still show an
 * ArmorProfile that we have released.
 */
function profileNow(
  known: ArmorProfile | undefined,
  { profile: written, released, profileWrittenAt }: Memory,
  { watchDelay }: PolicySettings,
  now: number,
): { profile: ArmorProfile | undefined; unseenUntil?: number } {
  const isGone = known?.metadata.uid !== undefined && known.metadata.uid === released
  const stored = isGone ? undefined : known
  if (stored !== undefined || written === undefined) return { profile: newest(stored, written) }
  const unseenUntil = profileWrittenAt + watchDelay
  return now < unseenUntil ? { profile: written, unseenUntil } : { profile: undefined }
}

function nodesNow(
  { acknowledgements, settings, uncovered }: PolicyPorts,
  aggregate: Aggregate,
  seen: Pick<Observation, 'policy' | 'profile' | 'profileName'>,
  memory: Memory,
  now: number,
): NodesObserved {
  const removalSince = memory.removalSince ?? now
  const { startedAt, unknown, knownAt } = acknowledgements.nodes
  const { summary } = aggregate
  const isSettled = summary.loaded + summary.failed === summary.desired
  // No node can have been silent for `silentAfter` before the manager has run as long.
  const mayBeSilent = !isSettled && now - startedAt >= settings.silentAfter
  const restarts = seen.policy?.spec.updateExistingWorkloads === true
  return {
    summary,
    failures: aggregate.failures(MAX_NODES),
    silent: mayBeSilent ? aggregate.silent(now - settings.silentAfter, MAX_NODES) : { nodes: [], count: 0 },
    uncovered: seen.policy === undefined ? { nodes: [], count: 0 } : uncovered(seen.policy, NAMED),
    leavingOut: aggregate.leavingOut(NAMED),
    blockers: restarts ? aggregate.blockers(NAMED) : [],
    holders: isToGo(seen) ? aggregate.holders(removalSince, now - settings.goneAfter, NAMED) : undefined,
    startedAt,
    unknown,
    knownAt,
  }
}
