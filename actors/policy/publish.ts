import { isDeepStrictEqual } from 'node:util'
import type {
  ArmorProfile,
  ArmorProfileCondition,
  ArmorProfileStatus,
  VarmorPolicyStatus,
} from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'
import type { Part, TimerReason } from './decision.ts'
import { noneLeftOut } from './left-out.ts'
import { listing } from './listing.ts'
import { versionOf } from './memory.ts'
import type { Observation } from './observation.ts'
import { isFirst, type News, paceAfter, slowed, spacing } from './pace.ts'
import { type PolicyView, policyStatus, readyOf } from './policy-status.ts'
import { profileStatus } from './profile-status.ts'

/** The view from which a status is made; `rest` overrides fields of the view of an accepted policy. */
export const viewOf = (seen: Observation, { metadata }: AnyPolicy, rest: Partial<PolicyView>): PolicyView => ({
  profileName: seen.profileName,
  generation: metadata.generation ?? 0,
  profileGeneration: seen.profile?.metadata.generation,
  verdict: { kind: 'accepted' },
  modeling: { state: 'none' },
  recorded: recordedOf(seen),
  nodes: seen.nodes,
  leftOut: noneLeftOut,
  restart: { state: 'none' },
  removing: '',
  ...rest,
})

function recordedOf({ model, settings }: Observation): PolicyView['recorded'] {
  if (!settings.behaviorModeling) return 'off'
  if (model === undefined) return 'awaited'
  return model.ready ? 'ready' : 'unusable'
}

/** Writes changed statuses of policy and profile, at a limited rate, and Events for failed nodes. */
export function publish(seen: Observation, policy: AnyPolicy, view: PolicyView): Part {
  const { memory, now, profile, settings } = seen
  const confirmed = confirmedBy(seen, view)
  if (isHeld(seen, policy, view, confirmed)) return { memory: { confirmed }, timers: { held: settings.settleTime } }
  const failed = announceFailures(seen, policy)
  const ofProfile =
    profile === undefined || view.removing !== '' ? { isShown: true, part: {} } : profilePart(seen, profile)
  const part: Part = {
    ...failed,
    memory: { confirmed, ...failed.memory },
    timers: { ...silenceTimer(seen), ...ofProfile.part.timers },
  }
  if (ofProfile.part.effect !== undefined) return { ...part, effect: ofProfile.part.effect }
  const status = policyStatus(policy.status, view, seen.wall)
  // Write the ArmorProfile's status first: a client that reads "ready" in the policy must find matching numbers in the
  // ArmorProfile.
  const isEarly = status.ready === true && !ofProfile.isShown
  if (isEarly || isDeepStrictEqual(status, policy.status)) return part
  const news = newsOfPolicy(seen, policy, view, status)
  const pace = paceAfter(memory.policyPace, policy.status, status, news, now, settings)
  const interval = news === 'none' ? settings.statusInterval : slowed(settings.statusInterval, pace, settings)
  const wait = memory.policyPace.at + interval - now
  if (wait > 0) return { ...part, timers: { ...part.timers, 'policy-status': wait } }
  return { ...part, effect: { type: 'write-policy-status', policy, status, pace } }
}

function newsOfPolicy(
  { profile, nodes }: Observation,
  { status: before }: AnyPolicy,
  { restart, profileGeneration }: PolicyView,
  after: VarmorPolicyStatus,
): News {
  const [was, ready] = [readyOf(before), readyOf(after)]
  // Progress of restarts changes only a few times a minute.
  if (isDeepStrictEqual(was, ready)) return restart.state === 'started' ? 'none' : 'other'
  const isAwaited = ready?.reason === 'Processing' || ready?.reason === 'NotReported'
  const isLess = loadedLess(profile?.status, profileGeneration, nodes.summary.loaded)
  const isBack = ready?.status === 'True' && was?.status !== 'True'
  return isBack || (isAwaited && !isLess) ? 'better' : 'other'
}

/** The profile version whose status all nodes have confirmed to this manager. */
function confirmedBy({ nodes, memory, profile }: Observation, { verdict, removing }: PolicyView): string {
  const { desired, loaded, failed } = nodes.summary
  const isConfirmed = verdict.kind === 'accepted' && removing === '' && loaded === desired && failed === 0
  return isConfirmed ? versionOf(profile) : memory.confirmed
}

/**
 * Whether to keep the stored status. A manager that has just started knows no reports, and the stored status was true a
 * moment ago: it stays until the nodes have reported or had enough time to report.
 */
function isHeld(
  { settings, now, profile, nodes }: Observation,
  policy: AnyPolicy,
  { verdict, removing }: PolicyView,
  confirmed: string,
): boolean {
  const isOld = now - nodes.startedAt >= settings.grace
  if (verdict.kind !== 'accepted' || removing !== '' || isOld || confirmed === versionOf(profile)) return false
  const isAboutThis =
    profile?.status?.observedGeneration === profile?.metadata.generation &&
    profile?.status !== undefined &&
    policy.status?.observedGeneration === policy.metadata.generation
  return isAboutThis && (nodes.unknown > 0 || now - nodes.knownAt < settings.settleTime)
}

/** `isShown`: the stored status is up to date. */
function profilePart(seen: Observation, profile: ArmorProfile): { isShown: boolean; part: Part } {
  const { memory, settings, now, nodes } = seen
  const status = profileStatus(profile.status, nodes, profile.metadata.generation ?? 0, seen.wall)
  if (isDeepStrictEqual(status, profile.status)) return { isShown: true, part: {} }
  const news = newsOfProfile(profile.status, status)
  const pace = paceAfter(memory.profilePace, profile.status, status, news, now, settings)
  const isProgress = news === 'none'
  const least = isProgress ? settings.progressInterval : settings.statusInterval
  const spaced = !isProgress && isFirst(pace) ? least : spacing(profile, nodes.summary.desired, least, settings)
  const wait = memory.profilePace.at + slowed(spaced, pace, settings) - now
  const part: Part =
    wait > 0
      ? { timers: { 'profile-status': wait } }
      : { effect: { type: 'write-profile-status', profile, status, pace } }
  return { isShown: false, part }
}

/** How urgent a write of the changed status is. A number that will soon change again does not justify a write. */
function newsOfProfile(before: ArmorProfileStatus | undefined, after: ArmorProfileStatus): News {
  const { currentNumberLoaded: loaded, desiredNumberLoaded: desired, observedGeneration: generation } = after
  const isComplete = loaded === desired
  if (!isComplete && loadedLess(before, generation, loaded)) return 'other'
  if (!isDeepStrictEqual(saidBy(before), saidBy(after))) return 'other'
  return isComplete || !isDeepStrictEqual(before?.conditions, after.conditions) ? 'better' : 'none'
}

/** Whether fewer nodes have loaded this generation than the status shows. */
const loadedLess = (status: ArmorProfileStatus | undefined, generation: number | undefined, loaded: number): boolean =>
  status !== undefined && status.observedGeneration === generation && loaded < status.currentNumberLoaded

/** Conditions that reports caused. A node that did not report has not changed its state. */
const saidBy = (status: ArmorProfileStatus | undefined): ArmorProfileCondition[] =>
  (status?.conditions ?? []).filter(({ reason }) => reason !== 'NotReported')

/** A silent node causes no message, so check at intervals while a node has not reported. */
function silenceTimer({ nodes: { summary }, settings }: Observation): Partial<Record<TimerReason, number>> {
  return summary.loaded + summary.failed < summary.desired ? { silence: settings.silentAfter / 3 } : {}
}

const MAX_ANNOUNCED = 1_000

function announceFailures({ memory, profile, nodes: { failures } }: Observation, policy: AnyPolicy): Part {
  const generation = profile?.metadata.generation ?? 0
  const nodes = memory.failed.generation === generation ? memory.failed.nodes : []
  const fresh = failures.filter(({ node }) => !nodes.includes(node))
  if (fresh.length === 0 || nodes.length >= MAX_ANNOUNCED) return {}
  const named = fresh.map(({ node, message }) => `${node}: ${message}`)
  const note = `cannot load the profile on ${listing(named, '; ', 5, 900)}`
  return {
    events: [{ policy, type: 'Warning', reason: 'NodeFailed', note }],
    memory: { failed: { generation, nodes: [...nodes, ...fresh.map(({ node }) => node)] } },
  }
}
