import type { PatchOperation } from '../src/base/json-patch.ts'
import { type ActorFailure, actorFailureOf } from './actor-failure.ts'
import { newest } from './policy/newer.ts'
import {
  type AnyPolicy,
  type ControlPlaneApi,
  type ControlPlaneStores,
  type Count,
  type Pod,
  PortError,
  type RestartLimiter,
  type Workload,
} from './ports.ts'
import { type Decision, decide } from './rollout/decide.ts'
import { idle, type Memory } from './rollout/memory.ts'
import { type PodPolicy, podLacksProfile } from './rollout/profile-gaps.ts'
import type { Restart } from './rollout/restart-patch.ts'
import type { RolloutSettings } from './rollout/settings.ts'
import { type Known, madeAt, nameOf, nothingFound, type Survey, survey } from './rollout/survey.ts'
import type { RolloutProgress, WantedRollout } from './rollout/wanted.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

export { defaultRolloutSettings, type RolloutSettings } from './rollout/settings.ts'
export type { RolloutProgress, WantedRollout } from './rollout/wanted.ts'

/**
 * Each message asks the actor to check the state again. `workloads`: workloads have changed, so the actor does not wait
 * for its timer.
 */
export type RolloutMessage = { type: 'wanted'; wanted: WantedRollout } | { type: 'unwanted' } | { type: 'workloads' }

type Own = { type: 'granted'; turn: number } | { type: 'look' }

export interface RolloutPorts {
  stores: Pick<ControlPlaneStores, 'workloads'>
  api: Pick<ControlPlaneApi, 'patchWorkload' | 'eachPod'>
  /**
   * The patch that gives a workload's containers the profile of its policy, as admission does. Without this patch, the
   * restart would be useless if the API server does not call the webhook. Empty if nothing must change.
   */
  confine(workload: Workload): PatchOperation[]
  /** Key of the policy that confines the workload; undefined if no policy does. */
  winner(workload: Workload): string | undefined
  /** The profile that a policy for pods gives to this pod: admission sets it in spite of the template. */
  podProfile(pod: Pod, namespace: string): (PodPolicy & { kind: AnyPolicy['kind'] }) | undefined
  limiter: RestartLimiter
  count: Count
  notifyPolicy(policyKey: string, progress: RolloutProgress): void
  /**
   * Called after a failure of this actor: the policy's actor writes the failure into the status and sends its request
   * again.
   */
  failed(policyKey: string, failure: ActorFailure): void
  settings: RolloutSettings
}

type Context = ActorContext<RolloutMessage | Own>

/**
 * Restarts the workloads of one policy for one change, one at a time: the next workload when the previous workload is
 * healthy and the limiter grants a turn. A patch fails if the workload has changed since it was read. An unhealthy
 * workload, or a workload whose pods lack the profile, pauses the rollout. `decide` decides; this actor acts.
 */
export function rollout(ports: RolloutPorts): Behaviour<Memory, RolloutMessage | Own> {
  return {
    start(context) {
      ports.limiter.done(context.key)
      return idle()
    },
    receive(memory, message, context) {
      switch (message.type) {
        case 'wanted':
          return goOn(ports, changeTo(ports, memory, message.wanted, context), context)
        case 'unwanted':
          return goOn(ports, idle(memory.turns), context)
        case 'granted':
          return goOn(ports, withTurn(memory, message.turn), context)
        case 'workloads':
          return memory.wanted === undefined || !isDue(ports, memory, context) ? memory : goOn(ports, memory, context)
        case 'look':
          return memory.wanted === undefined ? memory : goOn(ports, memory, context)
        default:
          return assertNever(message)
      }
    },
    stop: (_, context) => ports.limiter.done(context.key),
  }
}

/** Handle several changes of workloads together, because workloads change often and a survey reads all of them. */
function isDue({ settings }: RolloutPorts, { surveyedAt }: Memory, context: Context): boolean {
  const wait = surveyedAt + settings.surveyInterval - context.now()
  if (wait > 0) context.after('gathered', wait, { type: 'look' })
  return wait <= 0
}

/**
 * Switches to another change, or to a new request for the same change. If the request is the same, continues and sends
 * the progress to the policy's actor.
 */
function changeTo(ports: RolloutPorts, memory: Memory, wanted: WantedRollout, context: Context): Memory {
  if (memory.wanted?.change === wanted.change && memory.wanted.since === wanted.since)
    return { ...memory, wanted, lastSent: '' }
  ports.limiter.done(context.key)
  context.cancel('try-again')
  return { ...idle(memory.turns), wanted, lastMade: lastMadeFor(ports, wanted) }
}

/** A policy update has no time stamp of the API server, so assume that no existing workload has the change. */
function lastMadeFor({ stores }: RolloutPorts, { target: { kind }, namespace, stamp }: WantedRollout): number {
  let last = stamp
  if (kind !== 'Pod') for (const workload of stores.workloads(kind, namespace)) last = Math.max(last, madeAt(workload))
  return last
}

/** Ignores a turn that was granted for a withdrawn request. */
const withTurn = (memory: Memory, turn: number): Memory =>
  memory.turn.state === 'asked' && turn === memory.turns
    ? { ...memory, turn: { ...memory.turn, state: 'granted' } }
    : memory

/** Observes, decides and acts; repeats this after each answer, which changes the memory. */
function goOn(ports: RolloutPorts, memory: Memory, context: Context): Memory | Promise<Memory> {
  const { settings } = ports
  const times = { now: context.now(), wall: context.wall() }
  const found = surveyOf(ports, memory, times, context.key)
  const decision = decide({ ...times, memory: { ...memory, started: found.started }, survey: found, settings })
  carryOut(ports, decision, context)
  const { patch, poll } = decision
  const after = { ...decision.memory, surveyedAt: times.now }
  context.cancel('gathered')
  if (patch !== undefined) return restart(ports, after, patch, context).then((then) => goOn(ports, then, context))
  if (poll !== undefined) return checkPods(ports, after, poll, context).then((then) => goOn(ports, then, context))
  return after
}

function surveyOf(
  { stores, settings, winner }: RolloutPorts,
  { wanted, patched, pods, started, lastMade }: Memory,
  times: Pick<Known, 'now' | 'wall'>,
  key: string,
): Survey {
  if (wanted === undefined) return nothingFound()
  const rival = (workload: Workload): string | undefined => {
    const first = winner(workload)
    return first === key ? undefined : first
  }
  return survey(stores, wanted, settings, { pods, started, lastMade, ...times, rival }, (workload) =>
    patched?.metadata.uid === workload.metadata.uid ? newest(workload, patched)! : workload,
  )
}

function carryOut({ limiter, notifyPolicy }: RolloutPorts, decision: Decision, context: Context): void {
  const { key, self } = context
  const { turns } = decision.memory
  for (const call of decision.limiter)
    if (call.do === 'done') limiter.done(key)
    else if (call.do === 'resume') limiter.resume(key, call.namespace)
    else limiter.ask(key, call.namespace, () => self.tell({ type: 'granted', turn: turns }))
  if (decision.lookIn !== undefined) context.after('look', decision.lookIn, { type: 'look' })
  else if (decision.patch === undefined && decision.poll === undefined) context.cancel('look')
  if (decision.memory.wanted === undefined) context.cancel('try-again')
  if (decision.progress !== undefined) notifyPolicy(key, decision.progress)
}

/** Sends the patch of the decision, and updates the memory. */
async function restart(
  ports: RolloutPorts,
  memory: Memory,
  { workload, operations, after }: Restart,
  context: Context,
): Promise<Memory> {
  try {
    const confining = memory.wanted?.removing === true ? [] : ports.confine(after)
    const patched = await ports.api.patchWorkload(workload, [...operations, ...confining])
    ports.count('workload-restarted')
    const started = new Map(memory.started).set(workload.metadata.uid, context.now())
    return { ...memory, patched, started, refused: undefined }
  } catch (error) {
    const failedIn = new Map(memory.failedIn).set(workload.metadata.namespace ?? '', context.now())
    return failed(ports, { ...memory, failedIn }, `cannot restart ${nameOf(workload)}`, error, context)
  }
}

/** Maximum number of pods that a message names as running without the profile. */
const NAMED_PODS = 3

/** Reads the pods of the workload, and updates the memory. */
async function checkPods(ports: RolloutPorts, memory: Memory, workload: Workload, context: Context): Promise<Memory> {
  const { api, confine, podProfile, settings, winner } = ports
  const { wanted } = memory
  if (wanted === undefined) return memory
  const { namespace, uid, resourceVersion } = workload.metadata
  try {
    // Another policy may have priority, or the user may have chosen a profile: then the template is already right.
    const template = confine(workload).length === 0 ? workload.spec.template : undefined
    const isOurs = winner(workload) === context.key
    const names: string[] = []
    let outside = 0
    await api.eachPod(workload, (pod) => {
      const other = podProfile(pod, namespace)
      // In the rollout of a cluster policy, the profile of a namespaced policy is not accepted, because a namespaced
      // policy does not have priority over a cluster policy.
      const isOther = wanted.namespace !== undefined || other?.kind === 'VarmorClusterPolicy'
      const accepted = isOther ? other : undefined
      if (!podLacksProfile(pod, { wanted, facts: settings, other: accepted, template, isOurs })) return
      if (outside++ < NAMED_PODS) names.push(pod.metadata.name)
    })
    const seen = { resourceVersion, again: context.now() + settings.retryInterval, outside, names }
    return { ...memory, pods: new Map(memory.pods).set(uid, seen), refused: undefined }
  } catch (error) {
    return failed(ports, memory, `cannot list the pods of ${nameOf(workload)}`, error, context)
  }
}

/** Handles an API error: returns the turn, and asks for another turn later. */
function failed(ports: RolloutPorts, memory: Memory, what: string, error: unknown, context: Context): Memory {
  if (!(error instanceof PortError)) throw error
  ports.count('api-error')
  ports.limiter.done(context.key)
  const delay = ports.settings.retryInterval * (0.5 + context.random() / 2)
  context.after('try-again', delay, { type: 'look' })
  const refused = error.code === 'REFUSED' ? `${what}: ${error.message}` : undefined
  return { ...memory, turn: { state: 'none' }, refused, retryAt: context.now() + delay }
}

/** The actor family `rollout`; the key of its actors is the policy's key. */
export const rolloutFamily = (ports: RolloutPorts): FamilyOptions<Memory, RolloutMessage | Own> => ({
  behaviour: rollout(ports),
  mailbox: {
    capacity: 16,
    coalesce: ({ type }) => (type === 'granted' ? undefined : type === 'unwanted' ? 'wanted' : type),
  },
  supervision: { report: (failure) => ports.failed(failure.key, actorFailureOf(failure)) },
})
