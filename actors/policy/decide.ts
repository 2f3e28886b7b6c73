import { madeBy } from '../../src/api/annotations.ts'
import type { FieldError } from '../../src/api/field-error.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'
import { assertNever } from '../runtime/index.ts'
import { type Decision, decisionOf, type Effect, type Part } from './decision.ts'
import { egressPart, withOmitted } from './egress.ts'
import { type LeftOutText, noneLeftOut } from './left-out.ts'
import { cut, errorListing } from './listing.ts'
import { type Settled, versionOf } from './memory.ts'
import type { Observation } from './observation.ts'
import type { Verdict } from './policy-status.ts'
import { publish, viewOf } from './publish.ts'
import { removal } from './removal.ts'
import { announceRollout, restartFor, rolloutFor, stopRollout } from './restart.ts'
import { POLICY_FINALIZER, type Situation, type Standing, situationOf } from './situation.ts'

const FOREVER = Number.POSITIVE_INFINITY

/**
 * Decides what to do about a policy. A pure function of the observation, which it does not change. It uses only the
 * current state, not the history: the actor may crash at any point, and continues from the state that it finds.
 */
export function decide(seen: Observation): Decision {
  const announced = announceRollout(seen)
  const known = { ...seen, memory: { ...seen.memory, ...announced.memory } }
  return decisionOf(seen, announced, ...does(known, situationOf(known)))
}

/** The decision table. Each case is one situation; its parts together are the decision. */
function does(seen: Observation, found: Situation): Part[] {
  switch (found.is) {
    // Write the failure into the status once, then continue.
    case 'actor failed':
      return [sayFailed(seen, found)]
    // The policy is gone, and no profile of it remains: forget it.
    case 'gone':
      return [stopRollout(seen), { ended: true }]
    // The policy is gone, but the watch does not show it yet. Keep the memory until then: otherwise the actor would
    // remove the finalizer twice.
    case 'gone, still shown':
      return []
    // This manager does not keep the policy, because its namespace has too many policies. The policy may exist, so its
    // profile stays. A later list may include the policy.
    case 'not kept':
      return [{ timers: { removal: seen.settings.maxInterval } }]
    // Remove the profile: remove it from the workloads, unload it from the nodes, then release the object.
    case 'gone, profile left':
      return removal(seen, found.profile, 'restarted').parts
    // Remove the profile as above; the status names the cause of a delay.
    case 'deleted, profile left':
      return removed(seen, found.policy, found.profile, 'restarted', '')
    // Remove our finalizer, so that the policy can be deleted.
    case 'deleted':
      return [finalizers(found.policy, (all) => all.filter((one) => one !== POLICY_FINALIZER))]
    // Add our finalizer before creating anything for the policy.
    case 'not held':
      return [finalizers(found.policy, (all) => [...all, POLICY_FINALIZER])]
    // The profile belongs to an earlier policy, or is being deleted: remove it. Leave workloads as they are, because a
    // new profile follows.
    case 'profile unusable':
      return removed(seen, found.policy, found.profile, 'left', `${found.why}: `)
    case 'not compiled':
      return [{ effect: compile(seen, found) }]
    // Keep the profile in force. The status and an Event report the errors.
    case 'change forbidden':
      return refused(seen, found, { kind: 'forbidden', message: errorListing(found.errors) }, found.until)
    case 'invalid':
      return invalid(seen, found, found.errors)
    case 'profile differs': {
      const { policy, of, document, leftOut } = found
      return [{ effect: { type: 'apply-profile', policy, of, document, leftOut } }]
    }
    case 'in force':
      return established(seen, found, settledAs(seen, found, { kind: 'accepted' }, found.leftOut))
    // The policy has its result: the statuses and restarts follow the nodes' reports.
    case 'settled':
      return established(seen, found, found.settled)
    default:
      return assertNever(found)
  }
}

function sayFailed({ memory, now }: Observation, { policy, status }: Extract<Situation, { is: 'actor failed' }>): Part {
  return { effect: { type: 'write-policy-status', policy, status, pace: { ...memory.policyPace, at: now } } }
}

function finalizers(policy: AnyPolicy, change: (all: string[]) => string[]): Part {
  return {
    effect: { type: 'set-policy-finalizers', policy, finalizers: change(policy.metadata.finalizers ?? []) },
  }
}

/** Removes the profile; the status names the cause of a delay. */
function removed(
  seen: Observation,
  policy: AnyPolicy,
  profile: ArmorProfile,
  workloads: 'restarted' | 'left',
  why: string,
): Part[] {
  const { parts, waiting } = removal(seen, profile, workloads)
  if (waiting === '') return parts
  return [...parts, publish(seen, policy, viewOf(seen, policy, { removing: `${why}${waiting}` }))]
}

function compile({ settings, model, profileName }: Observation, { policy, modeling, of }: Standing): Effect {
  const { installNamespace, egressControl } = settings
  const options = {
    installNamespace,
    profileName,
    modeling,
    egressControl,
    ...(model !== undefined && { model: model.model }),
  }
  return { type: 'compile', of, policy, options }
}

/** An invalid policy stays invalid. A policy that was too costly may compile later. */
function invalid(seen: Observation, standing: Standing, errors: readonly FieldError[]): Part[] {
  const verdict = { kind: 'error', message: errorListing(errors) } as const
  const isTooCostly = errors.some(({ code }) => code === 'TOO_COSTLY')
  if (!isTooCostly) return refused(seen, standing, verdict, FOREVER)
  return refused(seen, standing, { ...verdict, reason: 'TOO_COSTLY' }, seen.now + seen.settings.tooCostlyInterval)
}

function refused(
  seen: Observation,
  standing: Standing,
  verdict: Exclude<Verdict, { kind: 'accepted' }>,
  until: number,
): Part[] {
  const settled = settledAs(seen, standing, verdict, noneLeftOut, until)
  return [refusal(standing.policy, verdict.message), ...established(seen, standing, settled)]
}

/** An Event and a count of a refusal, in addition to the status. */
export const refusal = (policy: AnyPolicy, message: string): Part => ({
  counts: ['policy-refused'],
  events: [{ policy, type: 'Warning', reason: 'ProfileRefused', note: cut(message, 900) }],
})

export const settledAs = (
  { profile }: Pick<Observation, 'profile'>,
  { of }: Pick<Standing, 'of'>,
  verdict: Verdict,
  leftOut: LeftOutText,
  until = FOREVER,
): Settled => ({ of, profile: versionOf(profile), verdict, leftOut, until })

/** The parts for a policy that has its result: its statuses and restarts follow the nodes' reports. */
function established(seen: Observation, { policy, modeling }: Standing, settled: Settled): Part[] {
  const { verdict, until } = settled
  const { profile } = seen
  const leftOut = withOmitted(settled.leftOut, profile)
  // An earlier manager made the ArmorProfile, or another client removed its label: agents would no longer load it.
  if (profile !== undefined && profile.metadata.labels?.[madeBy.key] !== madeBy.value)
    return [{ memory: { settled, compiled: undefined }, effect: { type: 'mark-profile', profile } }]
  const egress = profile === undefined ? {} : egressPart(seen, profile)
  if (egress.effect !== undefined) return [{ memory: { settled, compiled: undefined } }, egress]
  const timers = {
    ...egress.timers,
    ...(until < FOREVER && { settled: until - seen.now }),
    ...(modeling.state === 'recording' && { modeling: modeling.ends - seen.now }),
  }
  const restart =
    verdict.kind === 'accepted' ? restartFor(seen, policy) : ({ view: { state: 'none' }, part: {} } as const)
  const published = publish(seen, policy, viewOf(seen, policy, { verdict, leftOut, modeling, restart: restart.view }))
  // Write the status before the restarts start: otherwise a crash would lose them.
  const rollout = published.effect === undefined ? rolloutFor(seen, policy, restart.view) : {}
  return [{ timers, memory: { settled, compiled: undefined } }, restart.part, published, rollout]
}
