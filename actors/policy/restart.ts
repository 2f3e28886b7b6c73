import { createHash } from 'node:crypto'
import { type KernelEnforcer, parseEnforcers } from '../../src/api/enforcer.ts'
import type { ArmorProfile, Target } from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'
import type { WantedRollout } from '../rollout/wanted.ts'
import type { RestartView } from './policy-status.ts'
import type { Run } from './run.ts'

const short = (parts: unknown): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 10)

function kernelEnforcers(text: string): KernelEnforcer[] {
  const parsed = parseEnforcers(text)
  return parsed.ok ? parsed.enforcers.filter((name) => name !== 'NetworkProxy') : []
}

/**
 * Names what pods must be made anew for: this policy, with these enforcers. Rules and modes reach running pods without (but for
 * Seccomp, where a container keeps the filter that it began with).
 */
const changeOf = (policy: AnyPolicy): string =>
  `create-${short([policy.metadata.uid, kernelEnforcers(policy.spec.policy.enforcer)])}`

const wantsRestarts = (
  { settings }: Run,
  { target, updateExistingWorkloads }: { target: Target; updateExistingWorkloads?: boolean | undefined },
): boolean => settings.restartExistingWorkloads && updateExistingWorkloads === true && target.kind !== 'Pod'

/** Where the restart for the policy as it is stands, and is to be said to stand. Begins it when nodes have the profile. */
export function restartView(run: Run, policy: AnyPolicy): RestartView {
  const { state, now, aggregate } = run
  if (!wantsRestarts(run, policy.spec)) return { state: 'none' }
  const change = changeOf(policy)
  const known = policy.status?.restart
  if (known?.change === change && known.done) return { state: 'none' }
  const news = state.news?.change === change ? state.news : undefined
  if (known?.change === change) return { state: 'begun', change, since: Date.parse(known.since), news }
  const { blocking, loaded } = aggregate.summary
  if (blocking > 0 || loaded === 0) {
    state.beginning = undefined
    const names = aggregate.blockers(5).join(', ')
    const message = `before the restarts, the profile must be loaded on every node where pods can land; missing: ${names}`
    return { state: 'waiting', message: names === '' ? 'no node has loaded the profile yet' : message }
  }
  if (state.beginning?.change !== change) state.beginning = { change, since: Math.floor(now / 1000) * 1000 }
  return { state: 'begun', change, since: state.beginning.since, news }
}

/** Tells the rollout actor what is wanted. What the status does not say yet has not begun: after a crash nobody would know. */
export function tellRollout(run: Run, policy: AnyPolicy, view: RestartView): void {
  const { state, aggregate } = run
  if (view.state !== 'begun') {
    stopRollout(run)
    return
  }
  const isTold = state.toldRollout?.change === view.change
  if (isTold || policy.status?.restart?.change !== view.change || aggregate.summary.blocking > 0) return
  // The one that ended needs no more.
  if (state.news?.change === view.change && state.news.state === 'done') return
  tell(run, wantedBy(policy.spec, run, view.change, view.since, false))
}

/**
 * The restart that takes the workloads out of the profile before it goes.
 * @returns whether it is done; if not, how far it is
 */
export function removalRestart(run: Run, profile: ArmorProfile): { done: boolean; message: string } {
  const { policy, state } = run
  const { updateExistingWorkloads } = policy?.spec ?? profile.spec
  const target = profile.spec.target ?? policy?.spec.target
  const change = `removed-${short([profile.metadata.uid])}`
  if (target === undefined || !wantsRestarts(run, { target, updateExistingWorkloads })) {
    stopRollout(run)
    return { done: true, message: '' }
  }
  const news = state.news?.change === change ? state.news : undefined
  if (news?.state === 'done') return { done: true, message: '' }
  const since = Date.parse(String(policy?.metadata.deletionTimestamp ?? profile.metadata.deletionTimestamp)) || run.now
  const enforcer = profile.spec.profile.enforcer
  const wanted = wantedBy({ target, policy: { enforcer } }, run, change, since, true)
  if (state.toldRollout?.change !== change) tell(run, wanted)
  const count = news === undefined ? '' : `: ${news.restarted} of ${news.total}`
  const why = news?.state === 'paused' ? `; ${news.message}; without updateExistingWorkloads it is not waited for` : ''
  return { done: false, message: `workloads are restarted without the profile${count}${why}` }
}

export function stopRollout({ state, ports, context }: Run): void {
  if (state.toldRollout !== undefined && state.toldRollout.change === undefined) return
  ports.tellRollout(context.key, { type: 'unwanted' })
  state.toldRollout = { change: undefined }
}

function tell({ ports, state, context }: Run, wanted: WantedRollout): void {
  ports.tellRollout(context.key, { type: 'wanted', wanted })
  state.toldRollout = { change: wanted.change }
}

function wantedBy(
  { target, policy }: { target: AnyPolicy['spec']['target']; policy: { enforcer: string } },
  { id, profileId }: Run,
  change: string,
  since: number,
  removing: boolean,
): WantedRollout {
  return {
    change,
    since,
    removing,
    namespace: id.kind === 'VarmorPolicy' ? id.namespace : undefined,
    target,
    profileName: profileId.name,
    enforcers: kernelEnforcers(policy.enforcer),
  }
}
