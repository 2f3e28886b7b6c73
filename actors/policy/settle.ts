import type { FieldError } from '../../src/api/field-error.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import type { Skipped } from '../../src/profile/result.ts'
import { type AnyPolicy, PortError, type ProfileDocument } from '../ports.ts'
import { desiredProfile, isInForce } from './desired-profile.ts'
import { forbiddenChanges } from './forbidden-changes.ts'
import { cut, errorListing, listing } from './listing.ts'
import { type Modeling, modelingOf } from './modeling.ts'
import { keyOfProfile } from './policy-id.ts'
import { lookAgain, type Run, type Settled, versionOf } from './run.ts'

/**
 * Brings the policy's ArmorProfile into force, unless the policy is not valid or may not change so: then what is in force stays.
 * What was compiled once is not compiled again before the policy, its model or its profile changes.
 */
export async function settle(run: Run, policy: AnyPolicy): Promise<{ settled: Settled; modeling: Modeling }> {
  const { state, now, ports, profile, profileId } = run
  const modeling = modelingOf(policy, profile, now)
  const model = ports.model(profileId)
  const { uid, generation, labels = {} } = policy.metadata
  const of = JSON.stringify([uid, generation, Object.entries(labels), modeling.state, model?.version])
  watchModeling(run, modeling)
  const { settled } = state
  if (settled?.of === of && settled.profile === versionOf(profile) && now < settled.until) return { settled, modeling }
  const outcome = await compileAndApply(run, policy, modeling)
  state.settled = { of, profile: versionOf(run.profile), ...outcome }
  return { settled: state.settled, modeling }
}

type Outcome = Pick<Settled, 'verdict' | 'skipped' | 'until'>
const FOREVER = Number.POSITIVE_INFINITY

async function compileAndApply(run: Run, policy: AnyPolicy, modeling: Modeling): Promise<Outcome> {
  const { ports, settings, profile, profileId, now } = run
  const model = ports.model(profileId)?.model
  const { installNamespace } = settings
  const desired = desiredProfile(policy, { installNamespace, modeling, ...(model !== undefined && { model }) })
  const ends = recordingEnds(profile)
  const isRecording = ends > now
  const forbidden =
    profile === undefined ? [] : forbiddenChanges(policy, profile, isRecording && modeling.state !== 'complete')
  if (forbidden.length > 0) {
    // What is forbidden now may be allowed when the modelling has ended.
    const until = isRecording ? ends : FOREVER
    if (isRecording) lookAgain(run, 'modeling', ends - now)
    return refuse(run, policy, 'forbidden', [...forbidden, ...(desired.ok ? [] : desired.errors)], until)
  }
  if (!desired.ok) return refuse(run, policy, 'error', desired.errors, FOREVER)
  const skipped = skippedListing(desired.skipped)
  if (profile !== undefined && isInForce(desired.document, profile))
    return { verdict: { kind: 'accepted' }, skipped, until: FOREVER }
  return { skipped, ...(await apply(run, policy, desired.document)) }
}

/** When the modelling that the profile says is on ends; in the past when there is none. */
function recordingEnds(profile: ArmorProfile | undefined): number {
  const { enable, duration } = profile?.spec.behaviorModeling ?? { enable: false, duration: 0 }
  return enable ? Date.parse(String(profile?.metadata.creationTimestamp)) + duration * 60_000 : 0
}

function watchModeling(run: Run, modeling: Modeling): void {
  if (modeling.state === 'recording') lookAgain(run, 'modeling', modeling.ends - run.now)
}

const skippedListing = (skipped: readonly Skipped[]): string =>
  listing(
    skipped.map(({ rule, enforcer, reason, path }) => `${rule} (${path}) is not enforced by ${enforcer}: ${reason}`),
    '; ',
    50,
  )

function refuse(
  { ports }: Run,
  policy: AnyPolicy,
  kind: 'forbidden' | 'error',
  errors: readonly FieldError[],
  until: number,
): Outcome {
  const message = errorListing(errors)
  ports.count('policy-refused')
  ports.event({ policy, type: 'Warning', reason: 'ProfileRefused', note: cut(message, 900) })
  return { verdict: { kind, message }, skipped: '', until }
}

async function apply(
  run: Run,
  policy: AnyPolicy,
  document: ProfileDocument,
): Promise<Pick<Settled, 'verdict' | 'until'>> {
  const { ports, settings, state, now } = run
  const isNew = run.profile === undefined
  const before = run.profile?.metadata.generation
  try {
    run.profile = await ports.api.applyProfile(document)
  } catch (error) {
    if (!(error instanceof PortError) || error.code !== 'REFUSED') throw error
    ports.count('policy-refused')
    const message = cut(`the API server does not take the profile: ${error.message}`)
    ports.event({ policy, type: 'Warning', reason: 'ProfileRefused', note: cut(message, 900) })
    lookAgain(run, 'refused', settings.refusedInterval)
    return { verdict: { kind: 'error', message }, until: now + settings.refusedInterval }
  }
  ports.count('profile-applied')
  state.profile = run.profile
  state.profileWrittenAt = now
  state.profileStatusAt = now
  // Nodes answer within a second: what they say then is written at once, and not after a status that says nothing.
  if (isNew) state.policyStatusAt = now
  const name = `ArmorProfile ${keyOfProfile(run.profileId)}`
  if (isNew) ports.event({ policy, type: 'Normal', reason: 'ProfileCreated', note: `${name} was made` })
  else if (run.profile.metadata.generation !== before)
    ports.event({ policy, type: 'Normal', reason: 'ProfileUpdated', note: `${name} was changed` })
  return { verdict: { kind: 'accepted' }, until: FOREVER }
}
