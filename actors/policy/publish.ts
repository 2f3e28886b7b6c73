import { isDeepStrictEqual } from 'node:util'
import type { ArmorProfile, ArmorProfileStatus } from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'
import { listing } from './listing.ts'
import { type PolicyView, policyStatus } from './policy-status.ts'
import { MOST_NODES, type NodesView, profileStatus } from './profile-status.ts'
import { lookAgain, type Run, versionOf } from './run.ts'

/** What the nodes said, as far as statuses show it. */
export function nodesView({ aggregate, ports, settings, now }: Run): NodesView {
  const { startedAt } = ports.acknowledgements.nodes
  const { summary } = aggregate
  const isSettled = summary.loaded + summary.failed === summary.desired
  // Before that, no node had the time to be silent.
  const silent =
    isSettled || now - startedAt < settings.silentAfter
      ? { nodes: [], count: 0 }
      : aggregate.silent(now - settings.silentAfter, MOST_NODES)
  return { summary, failures: aggregate.failures(MOST_NODES), silent }
}

/** Writes the statuses of policy and profile where they change, not too often, and tells of nodes that failed. */
export async function publish(run: Run, policy: AnyPolicy, view: PolicyView): Promise<AnyPolicy> {
  const { state, now, profile } = run
  if (isHeld(run, policy, view)) {
    lookAgain(run, 'held', run.settings.settleTime)
    return policy
  }
  const isProfileShown =
    profile === undefined || view.removing !== '' || (await publishProfile(run, profile, view.nodes))
  watchSilence(run, view.nodes)
  tellFailures(run, policy, view.nodes)
  const next = policyStatus(policy.status, view, now)
  // Who reads that all is ready finds the numbers of the ArmorProfile to be so, too.
  const isEarly = next.ready === true && !isProfileShown
  if (
    isEarly ||
    isDeepStrictEqual(next, policy.status) ||
    !isDue(run, 'policy-status', state.policyStatusAt, run.settings.statusInterval)
  )
    return policy
  const written = await run.ports.api.writePolicyStatus(policy, next)
  run.ports.count('status-written')
  state.policyStatusAt = now
  state.policy = written
  return written
}

/**
 * A manager that has just begun knows nothing, and what stands on the objects was true a moment ago: it stays until the nodes have
 * spoken, or had the time to.
 */
function isHeld(run: Run, policy: AnyPolicy, view: PolicyView): boolean {
  const { ports, settings, state, now, profile, aggregate } = run
  const { startedAt, unknown, knownAt } = ports.acknowledgements.nodes
  const { desired, loaded, failed } = aggregate.summary
  if (view.verdict.kind !== 'accepted' || view.removing !== '' || now - startedAt >= settings.grace) return false
  if (loaded === desired && failed === 0) state.confirmed = versionOf(profile)
  if (state.confirmed === versionOf(profile)) return false
  const isAboutThis =
    profile?.status?.observedGeneration === profile?.metadata.generation &&
    profile?.status !== undefined &&
    policy.status?.observedGeneration === policy.metadata.generation
  return isAboutThis && (unknown > 0 || now - knownAt < settings.settleTime)
}

/** Whether the time between two writes is over; else it looks again when it is. */
function isDue(run: Run, reason: string, last: number, interval: number): boolean {
  const wait = last + interval - run.now
  if (wait > 0) lookAgain(run, reason, wait)
  return wait <= 0
}

/** @returns whether the status is as the view says */
async function publishProfile(run: Run, profile: ArmorProfile, view: NodesView): Promise<boolean> {
  const { state, settings, now, ports } = run
  const next = profileStatus(profile.status, view, profile.metadata.generation ?? 0, now)
  if (isDeepStrictEqual(next, profile.status)) return true
  const interval = isProgress(profile.status, next) ? settings.progressInterval : settings.statusInterval
  if (!isDue(run, 'profile-status', state.profileStatusAt, interval)) return false
  run.profile = await ports.api.writeProfileStatus(profile, next)
  ports.count('status-written')
  state.confirmed = versionOf(run.profile)
  state.profileStatusAt = now
  state.profile = run.profile
  state.profileWrittenAt = now
  return true
}

/** Nothing but numbers that are going to change again. */
function isProgress(before: ArmorProfileStatus | undefined, after: ArmorProfileStatus): boolean {
  const isComplete = after.currentNumberLoaded === after.desiredNumberLoaded
  return !isComplete && isDeepStrictEqual(before?.conditions, after.conditions)
}

/** Silence makes no noise: look again while someone is missing. */
function watchSilence(run: Run, { summary }: NodesView): void {
  if (summary.loaded + summary.failed < summary.desired) lookAgain(run, 'silence', run.settings.silentAfter / 3)
}

const MOST_TOLD = 1_000

function tellFailures({ state, ports, profile }: Run, policy: AnyPolicy, { failures }: NodesView): void {
  const generation = profile?.metadata.generation ?? 0
  if (state.failed.generation !== generation) state.failed = { generation, nodes: new Set() }
  const { nodes } = state.failed
  const fresh = failures.filter(({ node }) => !nodes.has(node))
  if (fresh.length === 0 || nodes.size >= MOST_TOLD) return
  for (const { node } of fresh) nodes.add(node)
  const note = listing(
    fresh.map(({ node, message }) => `${node}: ${message}`),
    '; ',
    5,
    900,
  )
  ports.event({ policy, type: 'Warning', reason: 'NodeFailed', note: `the profile could not be loaded on ${note}` })
}
