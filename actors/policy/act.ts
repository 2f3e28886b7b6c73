import type { ArmorProfile } from '../../src/api/types.ts'
import { type AnyPolicy, type PolicyEvent, PortError } from '../ports.ts'
import { assertNever } from '../runtime/index.ts'
import { refusal, settledAs } from './decide.ts'
import type { Effect, Part } from './decision.ts'
import { ownerOf } from './desired.ts'
import { noneLeftOut } from './left-out.ts'
import { cut } from './listing.ts'
import { versionOf } from './memory.ts'
import type { Observation } from './observation.ts'
import { keyOfProfile } from './policy-id.ts'
import type { PolicyPorts } from './ports.ts'

/**
 * Carries out one effect.
 * @returns the resulting change of the memory
 * @throws {PortError} the API call failed; any other error is a bug
 */
export async function carryOut(ports: PolicyPorts, seen: Observation, effect: Effect): Promise<Part> {
  const { api } = ports
  const { now } = seen
  switch (effect.type) {
    case 'compile':
      // Claim the name before any `await`, so that no other policy takes it meanwhile.
      ports.names.claim(seen.id)
      return { memory: { compiled: { of: effect.of, desired: await ports.compile(effect.policy, effect.options) } } }
    case 'set-policy-finalizers':
      return letGo(await api.setPolicyFinalizers(effect.policy, effect.finalizers))
    case 'write-policy-status': {
      const policy = await api.writePolicyStatus(effect.policy, effect.status)
      return { counts: ['status-written'], memory: { policy, policyPace: effect.pace } }
    }
    case 'apply-profile':
      return apply(ports, seen, effect)
    case 'write-profile-status': {
      const profile = await api.writeProfileStatus(effect.profile, effect.status)
      const written = { profile, profileWrittenAt: now, profilePace: effect.pace, confirmed: versionOf(profile) }
      return { counts: ['status-written'], memory: written }
    }
    case 'write-egress': {
      const profile = await api.writeEgress(effect.profile, effect.status)
      return { counts: ['egress-written'], memory: { profile, profileWrittenAt: now, egressAt: now } }
    }
    case 'mark-profile':
      return { memory: { profile: await api.markProfile(effect.profile), profileWrittenAt: now } }
    case 'delete-profile': {
      const profile = await api.deleteProfile(effect.profile)
      return { memory: { deleted: effect.profile.metadata.uid, ...(profile !== undefined && { profile }) } }
    }
    case 'release-profile': {
      if (effect.finalizers !== undefined) await api.setProfileFinalizers(effect.profile, effect.finalizers)
      forgetNodes(ports, seen)
      const released = effect.profile.metadata.uid
      // Remember the released ArmorProfile, so that `eventsOf` can tell its replacement from a first creation.
      const lost = belonging(ownerOf(effect.profile)?.uid, effect.profile)
      return { memory: { released, lost, profile: undefined, settled: undefined, removalSince: undefined } }
    }
    default:
      return assertNever(effect)
  }
}

/**
 * Notes that the policy is gone. After the removal of the last finalizer, the API server's answer still shows the old
 * version, so only the watch or this note shows that the policy is gone.
 */
function letGo(policy: AnyPolicy): Part {
  const { uid, deletionTimestamp, finalizers = [] } = policy.metadata
  const isGone = deletionTimestamp !== undefined && finalizers.length === 0
  return { memory: { policy, ...(isGone && { gone: uid }) } }
}

/** Identifies the ArmorProfile by its policy and its name. */
const belonging = (owner: string | undefined, profile: ArmorProfile): string => `${owner} ${profile.metadata.name}`

/** Drops the nodes' reports about the profile. */
export function forgetNodes({ acknowledgements, dropNodeProfile }: PolicyPorts, { profileId }: Observation): void {
  const key = keyOfProfile(profileId)
  acknowledgements.forget(key, (node) => dropNodeProfile(node, key))
}

type Apply = Extract<Effect, { type: 'apply-profile' }>

async function apply({ api }: PolicyPorts, seen: Observation, effect: Apply): Promise<Part> {
  try {
    return applied(seen, effect, await api.applyProfile(effect.document))
  } catch (error) {
    if (error instanceof PortError && error.code === 'REFUSED') return notTaken(seen, effect, error)
    throw error
  }
}

function applied(seen: Observation, { policy, ...effect }: Apply, profile: ArmorProfile): Part {
  const { now, memory, profile: before } = seen
  return {
    counts: ['profile-applied'],
    events: eventsOf(seen, policy, profile),
    memory: {
      profile,
      profileWrittenAt: now,
      profilePace: { ...memory.profilePace, at: now },
      // Delay the first status of a new profile: nodes report within a second, so an empty status before that would be
      // a wasted write.
      ...(before === undefined && { policyPace: { ...memory.policyPace, at: now } }),
      compiled: undefined,
      lost: undefined,
      settled: settledAs({ profile }, effect, { kind: 'accepted' }, effect.leftOut),
    },
  }
}

/** Events of a changed profile. The first creation shows in the policy's status and needs no Event. */
function eventsOf(
  { memory, profile: before, profileId }: Observation,
  policy: AnyPolicy,
  after: ArmorProfile,
): PolicyEvent[] {
  const name = `ArmorProfile ${keyOfProfile(profileId)}`
  if (before !== undefined) {
    const isChanged = after.metadata.generation !== before.metadata.generation
    return isChanged ? [{ policy, type: 'Normal', reason: 'ProfileUpdated', note: `updated ${name}` }] : []
  }
  if (memory.lost !== belonging(policy.metadata.uid, after)) return []
  const note = `${name} had been deleted; it was created again`
  return [{ policy, type: 'Warning', reason: 'ProfileRestored', note }]
}

/** Retry after a long interval, because the API server would refuse the same object again. */
function notTaken({ now, profile, settings }: Observation, { policy, ...effect }: Apply, error: PortError): Part {
  const message = cut(`the API server rejects the profile: ${error.message}`)
  const until = now + settings.refusedInterval
  const settled = settledAs({ profile }, effect, { kind: 'error', message }, noneLeftOut, until)
  return { ...refusal(policy, message), memory: { settled, compiled: undefined } }
}
