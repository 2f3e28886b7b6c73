import type { WallMs } from '../../src/base/clock.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import { cut, listing } from '../policy/listing.ts'
import type { Workload } from '../ports.ts'
import { replacedByHand } from './health.ts'
import { idle, type Memory, type Turn } from './memory.ts'
import { lacksProfile } from './profile-gaps.ts'
import { type Restart, restartOf } from './restart-patch.ts'
import type { RolloutSettings } from './settings.ts'
import { type Astray, nameOf, type Rolling, type Shadowed, type Survey } from './survey.ts'
import type { RolloutProgress, WantedRollout } from './wanted.ts'

/** All facts that a decision depends on. */
export interface Observation {
  /** Milliseconds, by the monotonic clock. */
  now: number
  /** The wall-clock time. */
  wall: WallMs
  memory: Memory
  /** The survey of the workloads for the request; empty without a request. */
  survey: Survey
  settings: RolloutSettings
}

/**
 * Calls of the limiter. `done` returns the turn or withdraws the request; `resume` reports a restart from before a
 * crash.
 */
export type LimiterCall = { do: 'done' } | { do: 'resume'; namespace: string } | { do: 'ask'; namespace: string }

export interface Decision {
  memory: Memory
  limiter: readonly LimiterCall[]
  /** Milliseconds until the next check; undefined: no timer. */
  lookIn: number | undefined
  /** Progress for the policy's actor, if it differs from the last progress that was sent. */
  progress: RolloutProgress | undefined
  /** The patch to send. The server's answer changes the memory of the actor, so another decision follows. */
  patch: Restart | undefined
  /** The workload whose pods the actor must read. Another decision follows. */
  poll: Workload | undefined
}

type Wrong =
  /** A restarted workload has been unhealthy for too long. */
  | { is: 'late'; rolling: Rolling }
  /** The new pods of a restarted workload lack the profile. */
  | { is: 'astray'; first: Astray }

type Situation =
  | Wrong
  | { is: 'nothing-wanted' }
  | { is: 'done' }
  | { is: 'rolling'; rolling: Rolling }
  /** A restarted workload is healthy, but the actor has not checked whether its pods have the profile. */
  | { is: 'pods-unseen'; workload: Workload }
  /** All workloads are done, except that a user must delete some pods. */
  | { is: 'held'; first: Astray }
  /**
   * All waiting workloads are paused. A paused workload would not replace its pods; `kubectl rollout restart` refuses
   * it, too.
   */
  | { is: 'all-paused'; first: Workload }
  | { is: 'our-turn'; next: Workload }
  | { is: 'waiting-for-a-turn' }
  /** The API refused the last patch, or the read of the pods failed. */
  | { is: 'retrying-later' }
  | { is: 'in-need-of-a-turn'; next: Workload }

/**
 * Maximum number of namespaces with a stuck workload. The policy's restarts stop only if more namespaces are stuck, so
 * one tenant alone cannot stop the restarts of other tenants.
 */
const MAX_STUCK = 2

/** Whether a restarted workload has been unhealthy for longer than the deadline. */
const isLate =
  ({ now, settings }: Observation) =>
  ({ since }: Rolling): boolean =>
    now - since > settings.deadline

function wrongOf(seen: Observation): Wrong | undefined {
  const { rolling, astray } = seen.survey
  const late = rolling.find(isLate(seen))
  return late !== undefined ? { is: 'late', rolling: late } : astray[0] && { is: 'astray', first: astray[0] }
}

export function situationOf(seen: Observation): Situation {
  const { now, memory, survey } = seen
  const { wanted, turn, retryAt } = memory
  const { rolling, waiting, unseen, astray, held } = survey
  if (wanted === undefined) return { is: 'nothing-wanted' }
  const late = rolling.filter(isLate(seen))
  const stuck = stuckIn([...late, ...astray])
  // Do not wait for workloads in a stuck namespace either: its owner could claim again and again that a workload was
  // just restarted.
  const onTime = rolling.find(({ workload }) => !stuck.has(workload.metadata.namespace))
  const wrong = wrongOf(seen)
  if (wrong !== undefined && stuck.size > MAX_STUCK) return wrong
  if (onTime !== undefined) return { is: 'rolling', rolling: onTime }
  if (unseen.length > 0) return now < retryAt ? { is: 'retrying-later' } : { is: 'pods-unseen', workload: unseen[0]! }
  // Do not start restarts in a stuck namespace.
  const ready = waiting.filter(({ spec, metadata }) => spec.paused !== true && !stuck.has(metadata.namespace))
  const next = first(ready, memory.failedIn)
  if (wrong !== undefined && next === undefined) return wrong
  if (waiting.length === 0) return held.length > 0 ? { is: 'held', first: held[0]! } : { is: 'done' }
  if (next === undefined) return { is: 'all-paused', first: waiting[0]! }
  if (turn.state === 'granted') {
    const ours = ready.find(({ metadata }) => metadata.namespace === turn.namespace)
    if (ours !== undefined) return { is: 'our-turn', next: ours }
  }
  if (turn.state === 'asked' && turn.namespace === next.metadata.namespace) return { is: 'waiting-for-a-turn' }
  return now < retryAt ? { is: 'retrying-later' } : { is: 'in-need-of-a-turn', next }
}

/**
 * The next workload to restart. Workloads in namespaces whose last patch failed, by a conflict or a refusal, come last.
 */
function first(ready: readonly Workload[], failedIn: Memory['failedIn']): Workload | undefined {
  const failedAt = ({ metadata }: Workload): number => failedIn.get(metadata.namespace ?? '') ?? 0
  let found: Workload | undefined
  for (const one of ready) if (found === undefined || failedAt(one) < failedAt(found)) found = one
  return found
}

const stuckIn = (those: readonly { workload: Workload }[]): Set<string | undefined> =>
  new Set(those.map(({ workload }) => workload.metadata.namespace))

const giveBack: LimiterCall[] = [{ do: 'done' }]
const noTurn: Partial<Memory> = { turn: { state: 'none' } }

/**
 * Decides the next step of the restarts of one policy. The workloads themselves record their restarts, so no workload
 * restarts twice.
 */
export function decide(seen: Observation): Decision {
  const { memory } = seen
  const { wanted } = memory
  const situation = situationOf(seen)
  if (wanted === undefined || situation.is === 'nothing-wanted') return stopped(memory)
  switch (situation.is) {
    case 'done': {
      const { limiter, lookIn, memory: after } = stopped(memory)
      const { shadowed, outlined } = seen.survey
      const message = [shadowedText(shadowed), outlinedText(outlined)].filter((text) => text !== '').join('; ')
      return { ...going(seen, wanted, 'done', message), memory: after, limiter, lookIn }
    }
    case 'late':
    case 'astray':
      // The rollout returns its turn, but starts no other restart of this policy.
      return { ...going(seen, wanted, 'paused', textOf(seen, wanted, situation), noTurn), limiter: giveBack }
    case 'rolling':
      return rollingOn(seen, wanted, situation.rolling)
    case 'pods-unseen':
      return { ...nothing({ ...memory, turn: kept(memory.turn) }), poll: situation.workload }
    case 'held':
      return { ...going(seen, wanted, 'paused', heldText(situation.first), noTurn), limiter: giveBack }
    case 'all-paused': {
      const message = `${nameOf(situation.first)} is paused; the restarts continue when it is resumed`
      return { ...going(seen, wanted, 'paused', message, noTurn), limiter: giveBack }
    }
    case 'our-turn': {
      const { next: workload } = situation
      const held = { turn: { state: 'held', namespace: workload.metadata.namespace } } as const
      return { ...nothing({ ...memory, ...held }), patch: restartOf(workload, wanted, seen.wall) }
    }
    case 'waiting-for-a-turn':
      return waiting(seen, wanted, {})
    case 'retrying-later':
      return { ...waiting(seen, wanted, noTurn), limiter: giveBack }
    case 'in-need-of-a-turn': {
      const { namespace } = situation.next.metadata
      const asked: Partial<Memory> = { turn: { state: 'asked', namespace }, turns: memory.turns + 1 }
      return { ...waiting(seen, wanted, asked), limiter: [{ do: 'done' }, { do: 'ask', namespace }] }
    }
  }
}

/** Marks a granted turn as held, because each use of a turn holds it. */
const kept = (turn: Turn): Turn => (turn.state === 'granted' ? { ...turn, state: 'held' } : turn)

const nothing = (memory: Memory): Decision => ({
  memory,
  limiter: [],
  lookIn: undefined,
  progress: undefined,
  patch: undefined,
  poll: undefined,
})

/** The decision when no change is wanted. */
const stopped = ({ turns }: Memory): Decision => ({ ...nothing(idle(turns)), limiter: giveBack })

function rollingOn(seen: Observation, wanted: WantedRollout, { workload }: Rolling): Decision {
  const { turn } = seen.memory
  const { namespace } = workload.metadata
  if (turn.state === 'held' || turn.state === 'granted') return running(seen, wanted, { turn: kept(turn) })
  // The restart is from before a crash, or its turn was returned after an API error: it takes the next free turn.
  const held = running(seen, wanted, { turn: { state: 'held', namespace } })
  return { ...held, limiter: [{ do: 'resume', namespace }] }
}

function waiting(seen: Observation, wanted: WantedRollout, change: Partial<Memory>): Decision {
  const { refused } = seen.memory
  return refused === undefined ? running(seen, wanted, change) : going(seen, wanted, 'paused', refused, change)
}

/** Continues the rollout, and reports a stuck namespace in its progress. */
function running(seen: Observation, wanted: WantedRollout, change: Partial<Memory>): Decision {
  const wrong = wrongOf(seen)
  const message = wrong === undefined ? '' : `${textOf(seen, wanted, wrong)}; restarts in other namespaces continue`
  return going(seen, wanted, 'running', message, change)
}

/** Sends the progress if the policy's actor does not have it, and checks again soon. */
function going(
  { memory, survey, settings }: Observation,
  { change: name, since }: WantedRollout,
  state: RolloutProgress['state'],
  message: string,
  change: Partial<Memory> = {},
): Decision {
  const { waiting, rolling, unseen, astray, held, finished } = survey
  const total = finished + [rolling, waiting, unseen, astray, held].reduce((sum, { length }) => sum + length, 0)
  const progress: RolloutProgress = { change: name, since, state, restarted: finished, total, message: cut(message) }
  const text = JSON.stringify(progress)
  return {
    ...nothing({ ...memory, ...change, lastSent: text }),
    lookIn: settings.pollInterval,
    progress: text === memory.lastSent ? undefined : progress,
  }
}

const textOf = (seen: Observation, wanted: WantedRollout, wrong: Wrong): string =>
  wrong.is === 'late' ? lateness(wrong.rolling, seen.settings) : astrayText(seen, wanted, wrong.first)

const lateness = ({ workload, missing }: Rolling, { deadline }: RolloutSettings): string =>
  `${nameOf(workload)} was restarted and is not ready after ${Math.round(deadline / 1000)} s: ${missing}; the restarts continue when it is ready`

const outsideText = ({ workload, pods: { outside, names } }: Astray): string =>
  `${nameOf(workload)} was restarted, and ${outside} of its pods run without the profile (${names.join(', ')}${outside > names.length ? ', …' : ''})`

/** Describes a restarted workload whose pods run without the profile, with the cause and a remedy. */
function astrayText({ settings }: Observation, wanted: WantedRollout, first: Astray): string {
  const { kind, metadata, spec } = first.workload
  const why = lacksProfile(spec.template, wanted, settings)
    ? 'because the profile was removed from the template. Check which client removed it, and whether the API server reaches the webhook'
    : 'although the template names the profile. Check which webhook or controller changes the pods'
  const again = `kubectl -n ${metadata.namespace} rollout restart ${kind.toLowerCase()} ${metadata.name}`
  return `${outsideText(first)}, ${why}; then: ${again}`
}

/** Maximum number of workloads of other policies that a message names. */
const NAMED = 5

function shadowedText(those: readonly Shadowed[]): string {
  if (those.length === 0) return ''
  const named = those.map(({ workload, by }) => `${nameOf(workload)} (${by.replace(/\/+/, ' ')})`)
  return `another policy has priority in ${listing(named, ', ', NAMED)}`
}

function outlinedText(those: readonly Workload[]): string {
  const [first] = those
  if (first === undefined) return ''
  return `not restarted, even if the policy selects them: ${listing(those.map(nameOf), ', ', NAMED)}; ${whyOutlined(first)}`
}

const heldText = (first: Astray): string => `${outsideText(first)}: ${replacedByHand(first.workload)}`
