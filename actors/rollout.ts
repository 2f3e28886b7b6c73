import { defaultOptIn } from '../src/api/annotations.ts'
import { type ActorFailure, actorFailureOf } from './actor-failure.ts'
import { cut } from './policy/listing.ts'
import { newest } from './policy/newer.ts'
import {
  type ControlPlaneApi,
  type ControlPlaneStores,
  type Count,
  PortError,
  type RestartLimiter,
  type Workload,
} from './ports.ts'
import { restartPatch } from './rollout/restart-patch.ts'
import { nameOf, type Rolling, type Survey, type SurveyOptions, survey } from './rollout/survey.ts'
import type { RolloutNews, WantedRollout } from './rollout/wanted.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

export type { RolloutNews, WantedRollout } from './rollout/wanted.ts'

/** All level-triggered. `workloads`: some changed, so look now and not when the timer says. */
export type RolloutMessage = { type: 'wanted'; wanted: WantedRollout } | { type: 'unwanted' } | { type: 'workloads' }

type Own = { type: 'granted'; turn: number } | { type: 'look' }

export interface RolloutPorts {
  stores: Pick<ControlPlaneStores, 'workloads'>
  api: Pick<ControlPlaneApi, 'patchWorkload'>
  limiter: RestartLimiter
  count: Count
  /** Tells the actor of the policy. */
  tell(policyKey: string, news: RolloutNews): void
  /** This actor failed: the policy names it on its status, and says again what is wanted. */
  failed(policyKey: string, failure: ActorFailure): void
  settings: RolloutSettings
}

export interface RolloutSettings extends SurveyOptions {
  /** How long a workload has to become well before the rollout pauses, in milliseconds. */
  deadline: number
  /** How often it is looked at meanwhile, in milliseconds. */
  pollInterval: number
  /** How soon to try again after the API refused, in milliseconds; half of it to all of it. */
  retryInterval: number
}

export const defaultRolloutSettings: RolloutSettings = {
  optIn: defaultOptIn,
  deadline: 600_000,
  pollInterval: 2_000,
  retryInterval: 10_000,
}

interface State {
  wanted: WantedRollout | undefined
  /** The turn that the limiter gives. */
  turn: { state: 'none' } | { state: 'asked' | 'held'; namespace: string }
  /** Counts the turns asked for, so that one that was given back is not taken for another. */
  turns: number
  /** The news that the policy was told last. */
  told: string
  /** Not before this is another patch sent, in milliseconds since the epoch. */
  retryAt: number
  /** What the last patch resolved to. */
  patched: Workload | undefined
  /** Why the API did not take the last patch. */
  refused: string | undefined
}

type Context = ActorContext<RolloutMessage | Own>

const idle = (turns = 0): State => ({
  wanted: undefined,
  turn: { state: 'none' },
  turns,
  told: '',
  retryAt: 0,
  patched: undefined,
  refused: undefined,
})

/**
 * Restarts the workloads of one policy for one change, one after the other: the next when the one before is well, and the limiter
 * agrees. What was done stands on the workloads, so nothing is restarted twice; a patch holds for the version that was seen only.
 * A workload that does not become well pauses it until it does.
 */
export function rollout(ports: RolloutPorts): Behaviour<State, RolloutMessage | Own> {
  return {
    start(context) {
      ports.limiter.done(context.key)
      return idle()
    },
    receive(state, message, context) {
      switch (message.type) {
        case 'wanted':
          return look(ports, changeTo(ports, state, message.wanted, context), context)
        case 'unwanted':
          giveUp(ports, context)
          return idle(state.turns)
        case 'granted':
          return message.turn === state.turns ? granted(ports, state, context) : state
        case 'workloads':
        case 'look':
          return state.wanted === undefined ? state : look(ports, state, context)
        default:
          return assertNever(message)
      }
    },
    stop: (_, context) => ports.limiter.done(context.key),
  }
}

function giveUp({ limiter }: RolloutPorts, context: Context): void {
  limiter.done(context.key)
  context.cancel('look')
  context.cancel('try-again')
}

/** Another change makes the one before pointless; the same one goes on as it is. */
function changeTo(ports: RolloutPorts, state: State, wanted: WantedRollout, context: Context): State {
  if (state.wanted?.change === wanted.change) return { ...state, wanted, told: '' }
  giveUp(ports, context)
  return { ...idle(state.turns), wanted }
}

const surveyOf = ({ stores, settings }: RolloutPorts, wanted: WantedRollout, { patched }: State): Survey =>
  survey(stores, wanted, settings, (workload) =>
    patched?.metadata.uid === workload.metadata.uid ? newest(workload, patched)! : workload,
  )

function look(ports: RolloutPorts, state: State, context: Context): State {
  const { wanted } = state
  if (wanted === undefined) return state
  const found = surveyOf(ports, wanted, state)
  if (found.rolling.length > 0) return waitFor(ports, state, wanted, found, context)
  if (found.waiting.length === 0) {
    giveUp(ports, context)
    ports.tell(context.key, newsOf(wanted, found, 'done'))
    return idle(state.turns)
  }
  return askFor(ports, state, wanted, found, context)
}

function newsOf(
  { change }: WantedRollout,
  { waiting, rolling, finished }: Survey,
  state: RolloutNews['state'],
  message = '',
): RolloutNews {
  return {
    change,
    state,
    restarted: finished,
    total: finished + rolling.length + waiting.length,
    message: cut(message),
  }
}

/** Tells the policy what is news to it. */
function tell(ports: RolloutPorts, state: State, context: Context, news: RolloutNews): State {
  const told = JSON.stringify(news)
  if (told !== state.told) ports.tell(context.key, news)
  return { ...state, told }
}

/** One is on its way. Who is late gives its turn to others, but nothing else of this policy is begun. */
function waitFor(ports: RolloutPorts, state: State, wanted: WantedRollout, found: Survey, context: Context): State {
  const { settings, limiter } = ports
  context.after('look', settings.pollInterval, { type: 'look' })
  const late = found.rolling.find(({ since }) => context.now() - since > settings.deadline)
  if (late !== undefined) {
    limiter.done(context.key)
    const news = newsOf(wanted, found, 'paused', lateness(late, settings))
    return { ...tell(ports, state, context, news), turn: { state: 'none' } }
  }
  const told = tell(ports, state, context, newsOf(wanted, found, 'running'))
  if (told.turn.state === 'held') return told
  const { namespace } = found.rolling[0]!.workload.metadata
  limiter.resume(context.key, namespace)
  return { ...told, turn: { state: 'held', namespace } }
}

const lateness = ({ workload, missing }: Rolling, { deadline }: RolloutSettings): string =>
  `${nameOf(workload)} was restarted and is not well after ${Math.round(deadline / 1000)} s: ${missing}; the restarts go on when it is`

function askFor(ports: RolloutPorts, state: State, wanted: WantedRollout, found: Survey, context: Context): State {
  const { limiter, settings } = ports
  context.after('look', settings.pollInterval, { type: 'look' })
  // `kubectl rollout restart` refuses these as well: their pods would stay as they are.
  const next = found.waiting.find(({ spec }) => spec.paused !== true)
  if (next === undefined) {
    limiter.done(context.key)
    const message = `${nameOf(found.waiting[0]!)} is paused; the restarts go on when it is resumed`
    return { ...tell(ports, state, context, newsOf(wanted, found, 'paused', message)), turn: { state: 'none' } }
  }
  const news =
    state.refused === undefined ? newsOf(wanted, found, 'running') : newsOf(wanted, found, 'paused', state.refused)
  const told = tell(ports, state, context, news)
  const { namespace } = next.metadata
  if (told.turn.state === 'asked' && told.turn.namespace === namespace) return told
  limiter.done(context.key)
  if (context.now() < told.retryAt) return { ...told, turn: { state: 'none' } }
  const turn = told.turns + 1
  limiter.ask(context.key, namespace, () => context.self.tell({ type: 'granted', turn }))
  return { ...told, turn: { state: 'asked', namespace }, turns: turn }
}

async function granted(ports: RolloutPorts, state: State, context: Context): Promise<State> {
  const { wanted, turn } = state
  // The turn was given back meanwhile.
  if (wanted === undefined || turn.state !== 'asked') return state
  const found = surveyOf(ports, wanted, state)
  const next = found.waiting.find(({ metadata, spec }) => metadata.namespace === turn.namespace && spec.paused !== true)
  const held: State = { ...state, turn: { ...turn, state: 'held' } }
  if (next === undefined || found.rolling.length > 0) return look(ports, held, context)
  return look(ports, await restart(ports, held, wanted, next, context), context)
}

async function restart(
  ports: RolloutPorts,
  state: State,
  wanted: WantedRollout,
  workload: Workload,
  context: Context,
): Promise<State> {
  try {
    const patched = await ports.api.patchWorkload(workload, restartPatch(workload, wanted, context.now()))
    ports.count('workload-restarted')
    return { ...state, patched, refused: undefined }
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    ports.count('api-error')
    return backOff(ports, state, workload, error, context)
  }
}

/** Gives the turn back, and asks for another one in a while. */
function backOff(ports: RolloutPorts, state: State, workload: Workload, error: PortError, context: Context): State {
  const { limiter, settings } = ports
  limiter.done(context.key)
  const delay = settings.retryInterval * (0.5 + context.random() / 2)
  context.after('try-again', delay, { type: 'look' })
  const refused = error.code === 'REFUSED' ? `${nameOf(workload)} cannot be restarted: ${error.message}` : undefined
  return { ...state, turn: { state: 'none' }, refused, retryAt: context.now() + delay }
}

/** The family `rollout`; its key is the policy's. */
export const rolloutFamily = (ports: RolloutPorts): FamilyOptions<State, RolloutMessage | Own> => ({
  behaviour: rollout(ports),
  mailbox: {
    capacity: 16,
    coalesce: ({ type }) => (type === 'granted' ? undefined : type === 'unwanted' ? 'wanted' : type),
  },
  supervision: { report: (failure) => ports.failed(failure.key, actorFailureOf(failure)) },
})
