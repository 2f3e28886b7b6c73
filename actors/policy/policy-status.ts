import type { VarmorPolicyCondition, VarmorPolicyPhase, VarmorPolicyStatus } from '../../src/api/types.ts'
import { asWall, type WallMs } from '../../src/base/clock.ts'
import type { AnyPolicy } from '../ports.ts'
import type { RolloutProgress } from '../rollout/wanted.ts'
import { timeText, withTransition } from './conditions.ts'
import { type LeftOutText, nodesLeftOutTexts, nothingOnNodes } from './left-out.ts'
import { cut, listing } from './listing.ts'
import type { Modeling } from './modeling.ts'
import type { NodeListing, PolicyNodesView } from './profile-status.ts'

/** The verdict on the current policy: its profile is in force, or why not. */
export type Verdict =
  | { kind: 'accepted' }
  /** The policy has a forbidden change; the profile in force stays. */
  | { kind: 'forbidden'; message: string }
  /**
   * The policy does not compile, or the API server refuses the result. `reason`: a more specific condition reason, if
   * known.
   */
  | { kind: 'error'; message: string; reason?: string }

/** The restart of workloads that existed before the policy. */
export type RestartView =
  | { state: 'none' }
  /** The restart waits until nodes that accept pods have loaded the profile; `message` names these nodes. */
  | { state: 'waiting'; message: string }
  | {
      state: 'started'
      change: string
      since: number
      progress: RolloutProgress | undefined
      /** Why the rollout actor failed; empty if it did not. */
      failure: string
    }

export interface PolicyView {
  profileName: string
  /** metadata.generation of the policy. */
  generation: number
  /** Generation of the ArmorProfile; undefined while there is none. */
  profileGeneration: number | undefined
  verdict: Verdict
  modeling: Modeling
  /** State of the model: `awaited`: nodes still send recordings; `off`: managers make no models. */
  recorded: 'awaited' | 'unusable' | 'ready' | 'off'
  nodes: PolicyNodesView
  leftOut: LeftOutText
  restart: RestartView
  /** Why the profile or policy is being removed, and what delays it; empty otherwise. */
  removing: string
}

/** The status of a policy. Equal views give equal statuses, so only changes are written. */
export function policyStatus(
  before: VarmorPolicyStatus | undefined,
  view: PolicyView,
  now: WallMs,
): VarmorPolicyStatus {
  const ready = isReady(view)
  const conditions = [
    madeCondition(view),
    updatedCondition(view),
    readyCondition(view, ready),
    ...ownConditions(before, view),
  ]
  const restart = restartStatus(before, view)
  const phase = phaseOf(view, ready)
  return {
    profileName: view.profileName,
    conditions: conditions
      .filter((condition) => condition !== undefined)
      .map((condition) =>
        withTransition(
          condition,
          before?.conditions?.find(({ type }) => type === condition.type),
          now,
        ),
      ),
    ready,
    phase,
    summary: summaryOf(view, phase),
    observedGeneration: view.generation,
    ...(restart !== undefined && { restart }),
  }
}

export const readyOf = (status: VarmorPolicyStatus | undefined): VarmorPolicyCondition | undefined =>
  status?.conditions?.find(({ type }) => type === 'Ready')

/** A bug: the policy's actor or its rollout actor threw an error and restarted. */
const ACTOR_FAILED = 'ActorFailed'

/** The status of a policy whose actor failed: the old status with the failure. Ready becomes Unknown. */
export function failedStatus(
  { status: before, metadata }: AnyPolicy,
  profileName: string,
  message: string,
  now: WallMs,
): VarmorPolicyStatus {
  const conditions = before?.conditions ?? []
  const failed: Condition = { type: 'Ready', status: 'False', reason: ACTOR_FAILED, message }
  const known = readyOf(before)
  return {
    observedGeneration: metadata.generation ?? 0,
    ...before,
    profileName: before?.profileName ?? profileName,
    conditions: [...conditions.filter((one) => one !== known), withTransition(failed, known, now)],
    ready: false,
    phase: 'Error',
    summary: `Error: ${ACTOR_FAILED}`,
  }
}

type Condition = Omit<VarmorPolicyCondition, 'lastTransitionTime'>

/**
 * True if all nodes that must load the profile have loaded this generation, and the profile enforces something.
 */
function isReady(view: PolicyView): boolean {
  const { verdict, removing, nodes, profileGeneration } = view
  const { summary } = nodes
  if (verdict.kind !== 'accepted' || removing !== '' || profileGeneration === undefined) return false
  if (nothingEnforced(view) !== '' || lacksModel(view) || hasNoModel(view)) return false
  return summary.desired > 0 && summary.loaded === summary.desired
}

const nothingEnforced = ({ leftOut, nodes }: PolicyView): string =>
  nothingOnNodes(leftOut, nodes.leavingOut, nodes.summary.loaded)

/** The recording time is over, but there is no model yet: behaviour modelling is complete only with a model. */
const lacksModel = ({ modeling, recorded }: PolicyView): boolean =>
  modeling.state === 'complete' && recorded !== 'ready'

const isCollecting = (view: PolicyView): boolean => lacksModel(view) && view.recorded === 'awaited'

/** Modelling is off, or the model is unusable. */
const hasNoModel = (view: PolicyView): boolean =>
  (lacksModel(view) && !isCollecting(view)) || (view.modeling.state === 'recording' && view.recorded === 'off')

function phaseOf(view: PolicyView, ready: boolean): VarmorPolicyPhase {
  const { verdict, removing, nodes, modeling } = view
  if (verdict.kind !== 'accepted') return 'Error'
  if (removing !== '') return 'Pending'
  if (nothingEnforced(view) !== '' || hasNoModel(view)) return 'Error'
  // The phase does not wait for a failed or silent node, so that the user may change the policy; the condition Ready
  // names such a node.
  const isLate = nodes.summary.failed > 0 || nodes.silent.count > 0
  if (modeling.state === 'complete' && !isCollecting(view) && (ready || isLate)) return 'Completed'
  if (nodes.summary.failed > 0) return 'Error'
  if (modeling.state === 'recording' || isCollecting(view)) return 'Modeling'
  return ready ? 'Protecting' : 'Pending'
}

const reasonOf = (verdict: Exclude<Verdict, { kind: 'accepted' }>): string =>
  verdict.kind === 'forbidden' ? 'Forbidden' : (verdict.reason ?? 'Error')

const refusal = (type: 'Created' | 'Updated', verdict: Exclude<Verdict, { kind: 'accepted' }>): Condition => ({
  type,
  status: 'False',
  reason: reasonOf(verdict),
  message: verdict.message,
})

function madeCondition({ verdict, profileGeneration }: PolicyView): Condition | undefined {
  if (profileGeneration !== undefined) return { type: 'Created', status: 'True', reason: 'ProfileCreated', message: '' }
  return verdict.kind === 'accepted' ? undefined : refusal('Created', verdict)
}

/** The condition exists once the profile has changed, or has a change that was refused. */
function updatedCondition({ verdict, profileGeneration }: PolicyView): Condition | undefined {
  if (profileGeneration === undefined) return undefined
  if (verdict.kind !== 'accepted') return refusal('Updated', verdict)
  return profileGeneration > 1 ? { type: 'Updated', status: 'True', reason: 'ProfileUpdated', message: '' } : undefined
}

function readyCondition(view: PolicyView, ready: boolean): Condition {
  if (ready) return { type: 'Ready', status: 'True', ...howReady(view) }
  return { type: 'Ready', status: 'False', ...whyNotReady(view) }
}

/** Condition reasons: all of the policy's rules are left out; only some rules, or rules on some nodes. */
const NOTHING_ENFORCED = 'NothingEnforced'
export const PARTLY_ENFORCED = 'PartlyEnforced'

function howReady({ leftOut, nodes }: PolicyView): { reason: string; message: string } {
  const left = leftOut.parts === '' ? [] : [`left out by ${leftOut.parts}`]
  const message = cut([...left, ...nodesLeftOut(leftOut, nodes), ...uncoveredTexts(nodes)].join('; '))
  return { reason: message === '' ? 'AllAgentsReady' : PARTLY_ENFORCED, message }
}

const nodesLeftOut = (leftOut: LeftOutText, nodes: PolicyNodesView): string[] =>
  nodesLeftOutTexts(nodes.leavingOut, leftOut.pairs)

/** The policy does not confine pods on these nodes. */
function uncoveredTexts({ uncovered }: PolicyNodesView): string[] {
  if (uncovered.count === 0) return []
  return [`no agent runs on ${namesOf(uncovered)}, where pods of the target can be scheduled`]
}

/** Lists the first names and the number of the rest. */
function namesOf({ nodes, count }: NodeListing): string {
  const named = nodes.slice(0, NAMED)
  return `${named.join(', ')}${count > named.length ? ` and ${count - named.length} more` : ''}`
}

const count = (number: number, thing: string): string => `${number} ${thing}${number === 1 ? '' : 's'}`

/** Maximum length of the status column. */
const MAX_SUMMARY = 160

/** The phase of the policy, with the most important fact in a few words. */
function summaryOf(view: PolicyView, phase: VarmorPolicyPhase): string {
  const { leftOut, verdict, removing, nodes } = view
  if (verdict.kind !== 'accepted' || removing !== '') return phase
  if (nothingEnforced(view) !== '') return `${phase}: ${NOTHING_ENFORCED}`
  const left = leftOut.short === '' ? [] : [`left out by ${leftOut.short}`]
  const bare = nodes.uncovered.count === 0 ? [] : [`no agent on ${count(nodes.uncovered.count, 'node')}`]
  const some = nodesLeftOut(leftOut, nodes).length === 0 ? [] : ['more left out on some nodes']
  return cut([phase, ...bare, ...left, ...some].join(', '), MAX_SUMMARY)
}

/** Number of nodes that a message names; the ArmorProfile's status names more. */
const NAMED = 5

function whyNotReady(view: PolicyView): {
  reason: string
  message: string
} {
  const { verdict, removing, nodes, profileGeneration, profileName } = view
  if (removing !== '') return { reason: 'Removing', message: removing }
  if (verdict.kind !== 'accepted') {
    const message =
      profileGeneration === undefined ? 'the policy has no profile' : 'the previous profile stays in force'
    return { reason: reasonOf(verdict), message }
  }
  const nothing = nothingEnforced(view)
  if (nothing !== '') return { reason: NOTHING_ENFORCED, message: nothing }
  if (hasNoModel(view) || isCollecting(view)) return whyNoModel(view)
  const { failures, summary, silent } = nodes
  if (summary.failed > 0) {
    const named = failures.map(({ node, message }) => `${node}: ${message}`)
    const rest = summary.failed > NAMED ? `; ${summary.failed} nodes in all` : ''
    return { reason: 'Error', message: `nodes that failed: ${listing(named.slice(0, NAMED), '; ', NAMED)}${rest}` }
  }
  if (summary.desired === 0)
    return { reason: 'NoAgents', message: ['no agent runs on any node', ...uncoveredTexts(nodes)].join('; ') }
  // Do not name the nodes: the list changes every second, and each change is a write.
  if (silent.count === 0)
    return {
      reason: 'Processing',
      message: `not all agents have loaded the profile yet; the status of ArmorProfile ${profileName} counts the agents that have`,
    }
  return { reason: 'NotReported', message: `no agent has reported for ${namesOf(silent)}` }
}

function whyNoModel({ recorded, profileName }: PolicyView): { reason: string; message: string } {
  if (recorded === 'off')
    return {
      reason: 'ModelingOff',
      message:
        'behaviour modelling is disabled: start the managers with --enableBehaviorModeling (behaviorModeling.enabled)',
    }
  if (recorded === 'awaited')
    return {
      reason: 'Collecting',
      message: 'the recording has ended; the manager collects the recordings of the nodes',
    }
  const message = `cannot build a profile from the recordings; the status of the ArmorProfileModel ${profileName} says why`
  return { reason: 'NoModel', message }
}

function ownConditions(before: VarmorPolicyStatus | undefined, view: PolicyView): (Condition | undefined)[] {
  const skipped: Condition | undefined =
    view.leftOut.reasons === ''
      ? undefined
      : { type: 'RulesSkipped', status: 'True', reason: 'NotSupported', message: view.leftOut.reasons }
  return [skipped, restartCondition(before, view.restart)]
}

function restartCondition(before: VarmorPolicyStatus | undefined, restart: RestartView): Condition | undefined {
  const condition = (status: 'True' | 'False', reason: string, message: string): Condition => ({
    type: 'Restarting',
    status,
    reason,
    message,
  })
  const known = before?.conditions?.find(({ type }) => type === 'Restarting')
  switch (restart.state) {
    case 'none':
      if (known?.status !== 'True') return known
      return condition('False', 'Stopped', 'the restarts were cancelled')
    case 'waiting':
      return condition('False', 'WaitingForNodes', restart.message)
    case 'started':
      return progressCondition(restart, known, condition)
  }
}

function progressCondition(
  { progress, failure }: Extract<RestartView, { state: 'started' }>,
  known: Condition | undefined,
  condition: (status: 'True' | 'False', reason: string, message: string) => Condition,
): Condition | undefined {
  const count = progress && `${progress.restarted} of ${progress.total} workloads were restarted`
  if (failure !== '') return condition('True', ACTOR_FAILED, count === undefined ? failure : `${count}; ${failure}`)
  // Until the first report, it is unknown whether a workload must restart.
  if (progress === undefined || count === undefined) return known?.status === 'True' ? known : undefined
  if (progress.total === 0 && progress.message === '') return undefined
  const message = progress.message === '' ? count : `${count}; ${progress.message}`
  if (progress.state === 'done') return condition('False', 'Done', message)
  return condition('True', progress.state === 'paused' ? 'Paused' : 'InProgress', message)
}

function restartStatus(
  before: VarmorPolicyStatus | undefined,
  { restart }: PolicyView,
): VarmorPolicyStatus['restart'] | undefined {
  // If another change waits for its restarts, drop the status of the earlier change. If no restart is wanted, keep it:
  // without it, the earlier change would restart its workloads again.
  if (restart.state !== 'started') return restart.state === 'none' ? before?.restart : undefined
  const { change, since, progress } = restart
  return { change, since: timeText(asWall(since)), done: progress?.state === 'done' }
}
