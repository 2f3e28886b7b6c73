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
 * What is to be done about a policy, for all that is known of it. A pure function: it reads nothing but the observation, and changes
 * none of it. It looks at what is, and not at how it came to be so: the actor may crash anywhere, and goes on from what it finds.
 */
export function decide(seen: Observation): Decision {
  const announced = announceRollout(seen)
  const known = { ...seen, memory: { ...seen.memory, ...announced.memory } }
  return decisionOf(seen, announced, ...does(known, situationOf(known)))
}

/** The table of it all. Each line is one situation; what is done may contribute more than one part to the decision. */
function does(seen: Observation, found: Situation): Part[] {
  switch (found.is) {
    // The status says so, once; then all goes on.
    case 'actor failed':
      return [sayFailed(seen, found)]
    // Nothing is left of the policy, or nothing that waits for us: all is forgotten.
    case 'gone':
      return [stopRollout(seen), { ended: true }]
    // Nothing but the watch is late. It is forgotten then: who does not know would let it go once more.
    case 'gone, still shown':
      return []
    // The policy may be one of too many in its namespace: its profile stays. A later list may say more.
    case 'not kept':
      return [{ timers: { removal: seen.settings.longestInterval } }]
    // The profile goes: workloads are taken out of it, nodes unload it, the object is let go.
    case 'gone, profile left':
      return removal(seen, found.profile, 'restarted').parts
    // The same, and the status says who holds it up.
    case 'deleted, profile left':
      return removed(seen, found.policy, found.profile, 'restarted', '')
    // Our finalizer is taken away, so that it goes.
    case 'deleted':
      return [finalizers(found.policy, (all) => all.filter((one) => one !== POLICY_FINALIZER))]
    // It gets our finalizer before anything is made for it.
    case 'not held':
      return [finalizers(found.policy, (all) => [...all, POLICY_FINALIZER])]
    // The profile is an earlier policy's, or is being deleted: it goes, and workloads stay, because another one follows.
    case 'profile unusable':
      return removed(seen, found.policy, found.profile, 'left', `${found.why}: `)
    case 'not compiled':
      return [{ effect: compile(seen, found) }]
    // What is in force stays. Status and Event say what is wrong.
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
    // Statuses and restarts follow what nodes report.
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

/** The profile goes, and the status says what it waits for. */
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

/** What is wrong with it stays so, but for what a compiler had no time for: another day it may have. */
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

/** What makes a refusal known, besides the status. */
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

/** It is known what came of the policy: its statuses, and its restarts, follow what nodes report. */
function established(seen: Observation, { policy, modeling }: Standing, settled: Settled): Part[] {
  const { verdict, until } = settled
  const { profile } = seen
  const leftOut = withOmitted(settled.leftOut, profile)
  // One of a manager from before, or somebody took the label away: agents would not load it any more.
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
  // What the status does not say yet has not begun: after a crash it would be lost.
  const rollout = published.effect === undefined ? rolloutFor(seen, policy, restart.view) : {}
  return [{ timers, memory: { settled, compiled: undefined } }, restart.part, published, rollout]
}
