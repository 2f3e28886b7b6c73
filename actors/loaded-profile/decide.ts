import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import { backoff } from '../../src/base/backoff.ts'
import type { Random } from '../../src/base/random.ts'
import type { LoadFailure, ProfileStanding, WantedContent, WantedProfile } from './ports.ts'

export interface LoadedProfileTiming {
  /** First and longest delay after a failure that passes. Default 1,000 and 60,000. */
  backoffFirst: number
  backoffLongest: number
  /** When what failed for a lasting reason is tried again nevertheless: a program may be installed, a file removed. Default 600,000. */
  lasting: number
}

/** Content that an enforcer will refuse again, and why. */
export interface Hopeless {
  digest: string
  reason: string
  /** Until the timer that is set only: it may be taken then, but is compiled for each try, which costs. */
  passing?: boolean
  /** The node lacks the enforcer. */
  absent?: boolean
}

/** What the actor remembers. Kernel and disk hold the truth. */
export interface Memory {
  /** Passing failures in a row. */
  failures: number
  hopeless: ReadonlyMap<KernelEnforcer, Hopeless>
  /** The timer that is set tries again what is hopeless. Looks in between, which come more often, must not put it off. */
  untilLasting: boolean
}

export interface Observation {
  /** `namespace/name` of the ArmorProfile. */
  key: string
  /** Undefined for one that does not exist. */
  wanted: WantedProfile | undefined
  /** Whether another ArmorProfile wants a profile of this name. */
  wantedByOthers: boolean
  /** Whether something on the node still refers to the profile; asked only where it is to go. */
  used: boolean
  enforcers: readonly KernelEnforcer[]
  memory: Memory
  /** Why its contents could not be compiled. */
  uncompiled?: LoadFailure
}

/** What one enforcer is to do about the profile. */
export type Goal =
  | { enforcer: KernelEnforcer; is: 'loaded'; content: WantedContent }
  | { enforcer: KernelEnforcer; is: 'absent' }
  /** It goes, but pods refer to it: what allows all takes its place, until leftovers are looked for. */
  | { enforcer: KernelEnforcer; is: 'free' }
  /** Not worth a try. */
  | { enforcer: KernelEnforcer; is: 'refused'; hopeless: Hopeless }
  | { enforcer: KernelEnforcer; is: 'without-content' }

/** Name of the profile in the kernel and on the disk. One whose ArmorProfile is gone is called as that was. */
export const profileOf = ({ key, wanted }: Pick<Observation, 'key' | 'wanted'>): string =>
  wanted?.profile ?? key.slice(key.indexOf('/') + 1)

export const isLeaving = ({ wanted }: Pick<Observation, 'wanted'>): boolean => wanted === undefined || wanted.leaving

/** What is to be done: load what is not there as wanted, unload from enforcers that the policy has left, or all of it. */
export function goalsOf(seen: Observation): Goal[] {
  const { wanted, wantedByOthers, enforcers, memory } = seen
  if (wanted?.strange !== undefined) return []
  if (wanted === undefined || isLeaving(seen))
    // With another ArmorProfile of the name it is not ours to remove.
    return wantedByOthers ? [] : enforcers.map((enforcer) => ({ enforcer, is: seen.used ? 'free' : 'absent' }))
  const { contents } = wanted
  if (wanted.conflict !== undefined || contents === undefined) return []
  return enforcers.map((enforcer): Goal => {
    const content = contents.get(enforcer)
    if (content === undefined) return { enforcer, is: contents.has(enforcer) ? 'without-content' : 'absent' }
    const hopeless = memory.hopeless.get(enforcer)
    return hopeless?.digest === content.digest
      ? { enforcer, is: 'refused', hopeless }
      : { enforcer, is: 'loaded', content }
  })
}

/** What an enforcer has to do for its goal, given the digest of what it has loaded under the name, and whether that allows all. */
export function stepOf(
  goal: Goal,
  listed: string | undefined,
  isFree: boolean,
): 'load' | 'unload' | 'free' | 'nothing' {
  if (goal.is === 'free') return listed === undefined || isFree ? 'nothing' : 'free'
  if (goal.is === 'loaded') return listed === goal.content.digest ? 'nothing' : 'load'
  return goal.is === 'absent' && listed !== undefined ? 'unload' : 'nothing'
}

/** A goal, and why it was not reached; undefined where it was. */
export interface Outcome {
  goal: Goal
  failure?: LoadFailure
  /** For this try alone it was compiled, which costs: the next one is not to come soon. */
  compiledAgain?: boolean
}

export interface Conclusion {
  memory: Memory
  /** How it stands; undefined when there is no ArmorProfile. */
  standing: ProfileStanding | undefined
  /** There is nothing to report of it any more. */
  forgotten: boolean
  /** Milliseconds until the next try; `none`: there is nothing to try; `as-set`: the timer that is set stays. */
  retry: number | 'none' | 'as-set'
}

/** What follows from the outcomes: the report, what is remembered, and when it is tried again. */
export function conclude(
  seen: Observation,
  outcomes: readonly Outcome[],
  timing: LoadedProfileTiming,
  random: Random,
): Conclusion {
  const { wanted, memory, uncompiled } = seen
  const found = outcomes.map(resultOf)
  const conflict = isLeaving(seen) ? [] : [wanted?.strange ?? wanted?.conflict].filter((one) => one !== undefined)
  const compiling = uncompiled === undefined ? [] : [uncompiled.reason]
  const problems = [
    ...conflict,
    ...compiling,
    ...found.flatMap(({ problem }) => (problem === undefined ? [] : [problem])),
  ]
  const passing = found.some((one) => one.passing) || uncompiled?.retryable === true
  const waits = outcomes.some(({ goal }) => goal.is === 'refused' && goal.hopeless.passing)
  const held = outcomes.flatMap(({ goal, failure }) => (goal.is === 'loaded' && !failure ? [goal.enforcer] : []))
  const next: Memory = {
    failures: passing ? memory.failures + (waits ? 0 : 1) : 0,
    hopeless: new Map(
      found.flatMap(({ enforcer, hopeless }) => (hopeless === undefined ? [] : [[enforcer, hopeless]])),
    ),
    untilLasting: problems.length > 0 && !passing,
  }
  return {
    memory: next,
    standing: wanted && standingOf(seen, wanted, held, absentOf(found), problems, passing),
    forgotten: wanted === undefined && problems.length === 0,
    retry: waits ? 'as-set' : retryOf(memory, next, problems.length, longestOf(outcomes, timing), random),
  }
}

interface Result {
  enforcer: KernelEnforcer
  problem?: string
  /** It passes by itself. */
  passing: boolean
  hopeless?: Hopeless
}

function resultOf({ goal, failure, compiledAgain }: Outcome): Result {
  const { enforcer } = goal
  if (goal.is === 'refused') {
    const { reason: problem, passing = false } = goal.hopeless
    return { enforcer, problem, passing, hopeless: goal.hopeless }
  }
  if (goal.is === 'without-content')
    return { enforcer, problem: `${enforcer}: the ArmorProfile has no content for it`, passing: false }
  if (failure === undefined) return { enforcer, passing: false }
  const absent = failure.absent === true
  const reason = `${enforcer}${absent ? ' is absent' : ''}: ${failure.reason}`
  const passing = failure.retryable || goal.is !== 'loaded'
  const result = { enforcer, problem: reason, passing }
  if (goal.is !== 'loaded' || (passing && !compiledAgain)) return result
  return {
    ...result,
    hopeless: { digest: goal.content.digest, reason, ...(passing && { passing }), ...(absent && { absent }) },
  }
}

const longestOf = (outcomes: readonly Outcome[], timing: LoadedProfileTiming): LoadedProfileTiming =>
  outcomes.some((one) => one.compiledAgain) ? { ...timing, backoffLongest: timing.lasting } : timing

const absentOf = (found: readonly Result[]): KernelEnforcer[] =>
  found.filter(({ hopeless }) => hopeless?.absent).map(({ enforcer }) => enforcer)

function standingOf(
  { key }: Observation,
  { uid, generation, leaving, leftOut }: WantedProfile,
  enforcers: KernelEnforcer[],
  absent: KernelEnforcer[],
  problems: string[],
  passing: boolean,
): ProfileStanding {
  const about = { key, uid, generation, enforcers }
  if (problems.length > 0) {
    const loaded = enforcers.length === 0 ? [] : [`loaded by ${enforcers.join(', ')}`]
    const message = [...problems, ...loaded].join('; ')
    return { ...about, state: 'failed', message, passing, ...(absent.length > 0 && { absent }) }
  }
  if (leaving) return { ...about, state: 'unloaded' }
  return { ...about, state: 'loaded', ...(leftOut !== undefined && { leftOut }) }
}

function retryOf(
  before: Memory,
  { untilLasting, failures }: Memory,
  problems: number,
  { backoffFirst: first, backoffLongest: longest, lasting }: LoadedProfileTiming,
  random: Random,
): Conclusion['retry'] {
  if (problems === 0) return 'none'
  if (!untilLasting) return backoff(failures - 1, { first, longest }, random)
  return before.untilLasting ? 'as-set' : backoff(0, { first: lasting, longest: lasting }, random)
}
