import { createHash } from 'node:crypto'
import { type KernelEnforcer, parseEnforcers } from '../../src/api/enforcer.ts'
import type { ArmorProfile, Target } from '../../src/api/types.ts'
import type { AnyPolicy, PolicyEvent } from '../ports.ts'
import type { RolloutProgress, WantedRollout } from '../rollout/wanted.ts'
import type { Part } from './decision.ts'
import type { Observation } from './observation.ts'
import { idOf, profileIdOf } from './policy-id.ts'
import type { RestartView } from './policy-status.ts'

const short = (parts: unknown): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 10)

function kernelEnforcers(text: string): KernelEnforcer[] {
  const parsed = parseEnforcers(text)
  return parsed.ok ? parsed.enforcers.filter((name) => name !== 'NetworkProxy') : []
}

/**
 * Identifies the reason to restart pods: this policy, with these enforcers and this profile name. Running pods get new
 * rules and modes without a restart, except for Seccomp: a container keeps its first Seccomp filter.
 */
const changeOf = (policy: AnyPolicy, { profileName, settings }: Observation): string => {
  const { uid } = policy.metadata
  // Include a name that differs from the policy's first name, because the first name may belong to another policy's
  // profile.
  const isFirst = profileName === profileIdOf(idOf(policy), settings.installNamespace).name
  return `create-${short([uid, kernelEnforcers(policy.spec.policy.enforcer), ...(isFirst ? [] : [profileName])])}`
}

const wantsRestarts = (
  { settings }: Observation,
  { target, updateExistingWorkloads }: { target: Target; updateExistingWorkloads?: boolean | undefined },
): boolean => settings.restartExistingWorkloads && updateExistingWorkloads === true && target.kind !== 'Pod'

/** The restart for the current policy, and its state to show. The restart starts when nodes have loaded the profile. */
export function restartFor(seen: Observation, policy: AnyPolicy): { view: RestartView; part: Part } {
  const { memory, wall, nodes } = seen
  if (!wantsRestarts(seen, policy.spec)) return { view: { state: 'none' }, part: {} }
  const change = changeOf(policy, seen)
  const known = policy.status?.restart
  if (known?.change === change && known.done) return { view: { state: 'none' }, part: {} }
  const started = (since: number): RestartView => {
    const progress = isOf(memory.progress, { change, since }) ? memory.progress : undefined
    return { state: 'started', change, since, progress, failure: memory.rolloutFailure }
  }
  if (known?.change === change) return { view: started(Date.parse(known.since)), part: {} }
  const { blocking, loaded } = nodes.summary
  if (blocking > 0 || loaded === 0) {
    const names = nodes.blockers.join(', ')
    const missing = `the restarts wait until every node where pods can be scheduled has loaded the profile; missing: ${names}`
    const message = names === '' ? 'no node has loaded the profile yet' : missing
    return { view: { state: 'waiting', message }, part: { memory: { beginning: undefined } } }
  }
  const { beginning = { change: '', since: 0 } } = memory
  const since = beginning.change === change ? beginning.since : Math.floor(wall / 1000) * 1000
  return { view: started(since), part: { memory: { beginning: { change, since } } } }
}

type Started = Pick<RolloutProgress, 'change' | 'since'>

/** Whether the report is about this restart, not about an earlier restart for the same change. */
const isOf = (known: Started | undefined, { change, since }: Started): boolean =>
  known?.change === change && known.since === since

/** The message about the current policy for the rollout actor. */
export function rolloutFor(seen: Observation, policy: AnyPolicy, view: RestartView): Part {
  const { memory, nodes } = seen
  if (view.state !== 'started') return stopRollout(seen)
  const {
    target,
    policy: { enforcer, mode },
  } = policy.spec
  const isSent = memory.sentRollout?.change === view.change && memory.sentRollout.mode === mode
  if (isSent || policy.status?.restart?.change !== view.change || nodes.summary.blocking > 0) return {}
  // A finished restart needs no message to the rollout actor.
  if (view.progress?.state === 'done') return {}
  const { change, since } = view
  const stamp = Date.parse(String(policy.metadata.creationTimestamp)) || 0
  return wanted(seen, { target, enforcers: kernelEnforcers(enforcer), mode, change, since, stamp })
}

/**
 * The restart that removes a profile from workloads before the profile is deleted; `waiting` is empty if no restart is
 * needed.
 */
export function removalRestart(seen: Observation, profile: ArmorProfile): { waiting: string; part: Part } {
  const { policy, memory, wall } = seen
  const { updateExistingWorkloads } = policy?.spec ?? profile.spec
  const target = profile.spec.target ?? policy?.spec.target
  const change = `removed-${short([profile.metadata.uid])}`
  if (target === undefined || !wantsRestarts(seen, { target, updateExistingWorkloads }))
    return { waiting: '', part: stopRollout(seen) }
  const progress = memory.progress?.change === change ? memory.progress : undefined
  if (progress?.state === 'done') return { waiting: '', part: {} }
  const stamp = Date.parse(String(policy?.metadata.deletionTimestamp ?? profile.metadata.deletionTimestamp)) || 0
  const since = stamp || wall
  const isSent = memory.sentRollout?.change === change
  const enforcers = kernelEnforcers(profile.spec.profile.enforcer)
  const count = progress === undefined ? '' : `: ${progress.restarted} of ${progress.total}`
  const failure = memory.rolloutFailure === '' ? '' : `; ActorFailed: ${memory.rolloutFailure}`
  const why =
    progress !== undefined && progress.message !== ''
      ? `; ${progress.message}; to remove the profile without restarts, set updateExistingWorkloads to false`
      : failure
  return {
    waiting: `restarting workloads without the profile${count}${why}`,
    part: isSent ? {} : wanted(seen, { target, enforcers, mode: undefined, change, since, stamp }),
  }
}

export function stopRollout({ memory }: Observation): Part {
  const isStopped = memory.sentRollout !== undefined && memory.sentRollout.change === undefined
  if (isStopped) return {}
  return { rollout: { type: 'unwanted' }, memory: { sentRollout: { change: undefined }, rolloutFailure: '' } }
}

/** @param what with an undefined `mode` if the policy is being removed */
function wanted(
  { id, profileId }: Observation,
  what: Pick<WantedRollout, 'target' | 'enforcers' | 'mode' | 'change' | 'since' | 'stamp'>,
): Part {
  const { change, mode } = what
  const namespace = id.kind === 'VarmorPolicy' ? id.namespace : undefined
  const rollout = { ...what, removing: mode === undefined, namespace, profileName: profileId.name }
  return { rollout: { type: 'wanted', wanted: rollout }, memory: { sentRollout: { change, mode } } }
}

/**
 * Turns the rollout actor's reports into Events, one for each report, unless there was nothing to restart. A new leader
 * repeats the start Event, because the previous leader may have ended before it sent the Event.
 */
export function announceRollout({ policy, memory: { progress, announced } }: Observation): Part {
  if (policy === undefined || progress === undefined) return {}
  const { change, since, state, total, restarted, message } = progress
  const begins = !isOf(announced, progress)
  if (total === 0 || (!begins && announced?.state === state)) return {}
  const events: PolicyEvent[] = []
  const count = `${restarted} of ${total} workloads were restarted`
  if (begins) {
    const note = `restarting the workloads that match ${JSON.stringify(policy.spec.target)}, one after another`
    events.push({ policy, type: 'Normal', reason: 'RestartBegun', note })
  }
  if (state === 'done') events.push({ policy, type: 'Normal', reason: 'RestartDone', note: count })
  if (state === 'paused')
    events.push({ policy, type: 'Warning', reason: 'RestartPaused', note: `${count}; ${message}`.slice(0, 900) })
  return { events, memory: { announced: { change, since, state } } }
}
