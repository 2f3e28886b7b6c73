import { isDeepStrictEqual } from 'node:util'
import type { FieldError } from '../../src/api/field-error.ts'
import type { ArmorProfile, VarmorPolicyStatus } from '../../src/api/types.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import type { AnyPolicy, ProfileDocument } from '../ports.ts'
import { isInForce, ownerOf } from './desired.ts'
import { forbiddenChanges } from './forbidden-changes.ts'
import type { LeftOutText } from './left-out.ts'
import { type Settled, versionOf } from './memory.ts'
import { type Modeling, modelingOf, recordingEnds } from './modeling.ts'
import type { Observation } from './observation.ts'
import { failedStatus } from './policy-status.ts'

/** The finalizer that keeps a policy until no node has its profile. */
export const POLICY_FINALIZER = 'varmor.org/vp-protection'

/** A policy that is not being deleted. */
export interface Standing {
  policy: AnyPolicy
  modeling: Modeling
  /** Identifies the state of the policy, its modelling and its model; equal values compile to equal results. */
  of: string
}

/** The situation of a policy. Exactly one situation holds for each observation; `decide` has the action for each. */
export type Situation =
  | { is: 'actor failed'; policy: AnyPolicy; status: VarmorPolicyStatus }
  | { is: 'gone' }
  | { is: 'gone, still shown' }
  | { is: 'gone, profile left'; profile: ArmorProfile }
  | { is: 'not kept' }
  | { is: 'deleted'; policy: AnyPolicy }
  | { is: 'deleted, profile left'; policy: AnyPolicy; profile: ArmorProfile }
  | { is: 'not held'; policy: AnyPolicy }
  | { is: 'profile unusable'; policy: AnyPolicy; profile: ArmorProfile; why: string }
  | ({ is: 'settled'; settled: Settled } & Standing)
  | ({ is: 'not compiled' } & Standing)
  | ({ is: 'change forbidden'; errors: readonly FieldError[]; until: number } & Standing)
  | ({ is: 'invalid'; errors: readonly FieldError[] } & Standing)
  | ({ is: 'in force'; leftOut: LeftOutText } & Standing)
  | ({ is: 'profile differs'; document: ProfileDocument; leftOut: LeftOutText } & Standing)

/** The first situation that holds, ordered from the end of a policy to its normal life. */
export function situationOf(seen: Observation): Situation {
  const { policy, profile, id, memory } = seen
  const owner = profile === undefined ? undefined : ownerOf(profile)
  const isOurs = owner?.kind === id.kind && owner.name === id.name
  if (policy !== undefined && policy.metadata.uid === memory.gone) return { is: 'gone, still shown' }
  if (seen.isUnkept && profile !== undefined && isOurs) return { is: 'not kept' }
  if (policy === undefined) return profile && isOurs ? { is: 'gone, profile left', profile } : { is: 'gone' }
  if (memory.failure !== '') {
    const status = failedStatus(policy, seen.profileName, memory.failure, seen.wall)
    if (!isDeepStrictEqual(status, policy.status)) return { is: 'actor failed', policy, status }
  }
  const isHeld = policy.metadata.finalizers?.includes(POLICY_FINALIZER) === true
  if (isDeleted(policy)) {
    if (!isHeld) return profile && isOurs ? { is: 'gone, profile left', profile } : { is: 'gone' }
    return profile ? { is: 'deleted, profile left', policy, profile } : { is: 'deleted', policy }
  }
  if (!isHeld) return { is: 'not held', policy }
  const why = whyUnusable(seen, policy)
  if (profile !== undefined && why !== '') return { is: 'profile unusable', policy, profile, why }
  return standing(seen, policy)
}

type Seen = Pick<Observation, 'policy' | 'profile' | 'profileName'>

const isDeleted = ({ metadata }: AnyPolicy): boolean => metadata.deletionTimestamp !== undefined

/** Why the existing ArmorProfile cannot belong to the policy; empty if it can. */
function whyUnusable({ profile, profileName }: Seen, { metadata }: AnyPolicy): string {
  if (profile === undefined) return ''
  if (profile.metadata.deletionTimestamp !== undefined)
    return 'the old ArmorProfile is being deleted; a new one is created afterwards'
  if (ownerOf(profile)?.uid !== metadata.uid)
    return 'the ArmorProfile of an earlier policy with this name must be deleted first'
  if (profile.metadata.name === profileName) return ''
  return `another policy uses the profile name ${profile.metadata.name}; the profile of this policy will be ${profileName}`
}

/** Whether the existing ArmorProfile must be removed. */
export const isToGo = (seen: Seen): boolean =>
  seen.profile !== undefined &&
  (seen.policy === undefined || isDeleted(seen.policy) || whyUnusable(seen, seen.policy) !== '')

/**
 * Whether the policy must be compiled: only if the policy, its model or its profile has changed since the last
 * compilation.
 */
function standing(seen: Observation, policy: AnyPolicy): Situation {
  const { profile, memory, now, model } = seen
  const modeling = modelingOf(policy, profile, seen, memory.recording)
  const { uid, generation, labels = {} } = policy.metadata
  const outline = whyOutlined(policy)
  const made = [modeling.state, model?.version, seen.profileName]
  const of = JSON.stringify([
    uid,
    generation,
    Object.entries(labels),
    ...made,
    ...(outline === undefined ? [] : [outline]),
  ])
  const { settled, compiled } = memory
  const here: Standing = { policy, modeling, of }
  if (settled?.of === of && settled.profile === versionOf(profile) && now < settled.until)
    return { is: 'settled', settled, ...here }
  if (outline !== undefined) return { is: 'invalid', errors: [noRoom('spec', outline)], ...here }
  if (compiled?.of !== of) return { is: 'not compiled', ...here }
  const { desired } = compiled
  const ends = recordingEnds(profile, seen, memory.recording)
  const isRecording = ends !== undefined && ends > now
  const forbidden =
    profile === undefined ? [] : forbiddenChanges(policy, profile, isRecording && modeling.state !== 'complete')
  if (forbidden.length > 0) {
    // A change that is forbidden now may be allowed after the modelling.
    const until = isRecording ? ends : Number.POSITIVE_INFINITY
    return { is: 'change forbidden', errors: [...forbidden, ...(desired.ok ? [] : desired.errors)], until, ...here }
  }
  if (!desired.ok) {
    const ofModel = model?.outline === undefined ? [] : [noRoom('ArmorProfileModel', model.outline)]
    return { is: 'invalid', errors: [...desired.errors, ...ofModel], ...here }
  }
  const { document, leftOut } = desired
  return profile !== undefined && isInForce(document, profile)
    ? { is: 'in force', leftOut, ...here }
    : { is: 'profile differs', document, leftOut, ...here }
}

/** This manager keeps only an outline of the model, from which it cannot build a profile. */
const noRoom = (path: string, problem: string): FieldError => ({ code: 'TOO_LARGE', path, problem })
