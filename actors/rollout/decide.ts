import type { WallMs } from '../../src/base/clock.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import { cut, listing } from '../policy/listing.ts'
import type { Workload } from '../ports.ts'
import { isInProfile } from './confinement.ts'
import { replacedByHand } from './health.ts'
import { idle, type Memory, type Turn } from './memory.ts'
import { type Restart, restartOf } from './restart-patch.ts'
import type { RolloutSettings } from './settings.ts'
import { type Astray, nameOf, type Rolling, type Shadowed, type Survey } from './survey.ts'
import type { RolloutProgress, WantedRollout } from './wanted.ts'

/** All that a decision rests on. */
export interface Observation {
  /** Milliseconds, by the monotonic clock. */
  now: number
  /** The time of day. */
  wall: WallMs
  memory: Memory
  /** Of what is wanted; nothing when nothing is. */
  survey: Survey
  settings: RolloutSettings
}

/** `done` gives the turn back, or withdraws the request; `resume` says that one is under way from before. */
export type LimiterCall = { do: 'done' } | { do: 'resume'; namespace: string } | { do: 'ask'; namespace: string }

export interface Decision {
  memory: Memory
  limiter: readonly LimiterCall[]
  /** In how many milliseconds to look again; undefined: not by itself. */
  lookIn: number | undefined
  /** For the policy's actor, if it is not what that was sent last. */
  progress: RolloutProgress | undefined
  /** The one write. Its answer changes what is known, so another decision follows. */
  patch: Restart | undefined
  /** The one read: the pods of this workload. Another decision follows. */
  look: Workload | undefined
}

type Wrong =
  /** One that was restarted is not well, for too long. */
  | { is: 'late'; rolling: Rolling }
  /** One was restarted, and its new pods are not in the profile. */
  | { is: 'astray'; first: Astray }

type Situation =
  | Wrong
  | { is: 'nothing-wanted' }
  | { is: 'done' }
  | { is: 'rolling'; rolling: Rolling }
  /** One that was restarted is well; whether its pods are in the profile is not known. */
  | { is: 'pods-unseen'; workload: Workload }
  /** All is done but for pods that somebody must delete. */
  | { is: 'held'; first: Astray }
  /** `kubectl rollout restart` refuses paused ones as well: their pods would stay as they are. */
  | { is: 'all-paused'; first: Workload }
  | { is: 'our-turn'; next: Workload }
  | { is: 'waiting-for-a-turn' }
  /** The API did not take the last patch, or did not show the pods. */
  | { is: 'retrying-later' }
  | { is: 'in-need-of-a-turn'; next: Workload }

/** In so many namespaces something may go wrong before nothing more is begun anywhere: one tenant alone does not hold up all others. */
const MOST_STUCK = 2

/** Rolling for longer than any should take. */
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
  // Whose namespace is stuck is not waited for either: its owner may say of one more again and again that it was restarted just now.
  const onTime = rolling.find(({ workload }) => !stuck.has(workload.metadata.namespace))
  const wrong = wrongOf(seen)
  if (wrong !== undefined && stuck.size > MOST_STUCK) return wrong
  if (onTime !== undefined) return { is: 'rolling', rolling: onTime }
  if (unseen.length > 0) return now < retryAt ? { is: 'retrying-later' } : { is: 'pods-unseen', workload: unseen[0]! }
  // Where something is wrong, nothing more is begun.
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

/** Whoever changes a workload all the time, or whose namespace takes no change, is tried when all others are done. */
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

/** What to do next for the restarts of one policy. What was done stands on the workloads, so nothing is restarted twice. */
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
      // It gives its turn to others, but nothing else of this policy is begun.
      return { ...going(seen, wanted, 'paused', textOf(seen, wanted, situation), noTurn), limiter: giveBack }
    case 'rolling':
      return rollingOn(seen, wanted, situation.rolling)
    case 'pods-unseen':
      return { ...nothing({ ...memory, turn: kept(memory.turn) }), look: situation.workload }
    case 'held':
      return { ...going(seen, wanted, 'paused', heldText(situation.first), noTurn), limiter: giveBack }
    case 'all-paused': {
      const message = `${nameOf(situation.first)} is paused; the restarts go on when it is resumed`
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

/** A turn that came is ours, whatever it is used for. */
const kept = (turn: Turn): Turn => (turn.state === 'granted' ? { ...turn, state: 'held' } : turn)

const nothing = (memory: Memory): Decision => ({
  memory,
  limiter: [],
  lookIn: undefined,
  progress: undefined,
  patch: undefined,
  look: undefined,
})

/** Nothing is wanted any more. */
const stopped = ({ turns }: Memory): Decision => ({ ...nothing(idle(turns)), limiter: giveBack })

function rollingOn(seen: Observation, wanted: WantedRollout, { workload }: Rolling): Decision {
  const { turn } = seen.memory
  const { namespace } = workload.metadata
  if (turn.state === 'held' || turn.state === 'granted') return running(seen, wanted, { turn: kept(turn) })
  // From before a crash, or a call that failed: it counts as soon as there is a place.
  const held = running(seen, wanted, { turn: { state: 'held', namespace } })
  return { ...held, limiter: [{ do: 'resume', namespace }] }
}

function waiting(seen: Observation, wanted: WantedRollout, change: Partial<Memory>): Decision {
  const { refused } = seen.memory
  return refused === undefined ? running(seen, wanted, change) : going(seen, wanted, 'paused', refused, change)
}

/** What is stuck in one namespace is said while others go on. */
function running(seen: Observation, wanted: WantedRollout, change: Partial<Memory>): Decision {
  const wrong = wrongOf(seen)
  const message = wrong === undefined ? '' : `${textOf(seen, wanted, wrong)}; other namespaces go on meanwhile`
  return going(seen, wanted, 'running', message, change)
}

/** Says how far it is, where that is new to the policy, and looks again soon. */
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
  `${nameOf(workload)} was restarted and is not well after ${Math.round(deadline / 1000)} s: ${missing}; the restarts go on when it is`

const outsideText = ({ workload, pods: { outside, names } }: Astray): string =>
  `${nameOf(workload)} was restarted, and ${outside} of its pods run without the profile (${names.join(', ')}${outside > names.length ? ', …' : ''})`

/** The restart had put the profile into the template. */
function astrayText({ settings }: Observation, wanted: WantedRollout, first: Astray): string {
  const { kind, metadata, spec } = first.workload
  const why = isInProfile(spec.template, wanted, settings.confineInitContainers)
    ? 'although its template names it. See which webhook or controller changes its pods'
    : 'because somebody has taken it out of the template. See who, and whether the API server reaches the webhook'
  const again = `kubectl -n ${metadata.namespace} rollout restart ${kind.toLowerCase()} ${metadata.name}`
  return `${outsideText(first)}, ${why}; then: ${again}`
}

/** How many workloads of other policies are named. */
const NAMED = 5

function shadowedText(those: readonly Shadowed[]): string {
  if (those.length === 0) return ''
  const named = those.map(({ workload, by }) => `${nameOf(workload)} (${by.replace(/\/+/, ' ')})`)
  return `another policy comes first in ${listing(named, ', ', NAMED)}`
}

function outlinedText(those: readonly Workload[]): string {
  const [first] = those
  if (first === undefined) return ''
  return `not restarted if the policy means them: ${listing(those.map(nameOf), ', ', NAMED)}; ${whyOutlined(first)}`
}

const heldText = (first: Astray): string => `${outsideText(first)}: ${replacedByHand(first.workload)}`
