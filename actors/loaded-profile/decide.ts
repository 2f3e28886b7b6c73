import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import { backoff } from '../../src/base/backoff.ts'
import type { Random } from '../../src/base/random.ts'
import type { LoadFailure, ProfileStatus, WantedContent, WantedProfile } from './ports.ts'

export interface LoadedProfileTiming {
  /** First and longest delay in milliseconds before a retry after a temporary failure. Default 1,000 and 60,000. */
  backoffFirst: number
  backoffLongest: number
  /**
   * Delay in milliseconds before a retry after a lasting failure: an administrator may have installed a program or
   * removed a file. Default 600,000.
   */
  lasting: number
}

/** Content that an enforcer refuses at each try, and the reason. */
export interface Hopeless {
  digest: string
  reason: string
  /** The failure is temporary: skip the content until the timer fires, because each try compiles it again. */
  passing?: boolean
  /** The node lacks the enforcer. */
  absent?: boolean
}

/** The actor's memory. The kernel and the disk have the real state. */
export interface Memory {
  /** Consecutive temporary failures. */
  failures: number
  hopeless: ReadonlyMap<KernelEnforcer, Hopeless>
  /** The current timer retries lasting failures. More frequent checks must not postpone this retry. */
  untilLasting: boolean
}

export interface Observation {
  /** `namespace/name` of the ArmorProfile. */
  key: string
  /** Undefined if the ArmorProfile does not exist. */
  wanted: WantedProfile | undefined
  /** Whether another ArmorProfile wants a profile of this name. */
  wantedByOthers: boolean
  /** Whether a process or a pod on the node still refers to the profile; determined only for a removal. */
  used: boolean
  enforcers: readonly KernelEnforcer[]
  memory: Memory
  /** Why the contents of the ArmorProfile did not compile. */
  uncompiled?: LoadFailure
}

/** What one enforcer must do about the profile. */
export type Goal =
  | { enforcer: KernelEnforcer; is: 'loaded'; content: WantedContent }
  | { enforcer: KernelEnforcer; is: 'absent' }
  /**
   * The profile is being removed, but pods refer to it: replace it by a profile that allows all, until the next
   * cleanup.
   */
  | { enforcer: KernelEnforcer; is: 'free' }
  /** The enforcer would refuse the content again, so do not load it. */
  | { enforcer: KernelEnforcer; is: 'refused'; hopeless: Hopeless }
  | { enforcer: KernelEnforcer; is: 'without-content' }

/** Name of the profile in the kernel and on disk. After the ArmorProfile is deleted, the name follows from the key. */
export const profileOf = ({ key, wanted }: Pick<Observation, 'key' | 'wanted'>): string =>
  wanted?.profile ?? key.slice(key.indexOf('/') + 1)

export const isLeaving = ({ wanted }: Pick<Observation, 'wanted'>): boolean => wanted === undefined || wanted.leaving

/**
 * Lists the goals: load missing profiles, and unload profiles from enforcers that the policy no longer names, or from
 * all enforcers.
 */
export function goalsOf(seen: Observation): Goal[] {
  const { wanted, wantedByOthers, enforcers, memory } = seen
  if (wanted?.strange !== undefined) return []
  if (wanted === undefined || isLeaving(seen))
    // Another ArmorProfile owns the profile of this name, so do not remove it.
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

/**
 * The next step of an enforcer toward its goal, given the digest of the loaded profile and whether that profile allows
 * all.
 */
export function stepOf(
  goal: Goal,
  listed: string | undefined,
  isFree: boolean,
): 'load' | 'unload' | 'free' | 'nothing' {
  if (goal.is === 'free') return listed === undefined || isFree ? 'nothing' : 'free'
  if (goal.is === 'loaded') return listed === goal.content.digest ? 'nothing' : 'load'
  return goal.is === 'absent' && listed !== undefined ? 'unload' : 'nothing'
}

/** A goal, and the failure if the actor did not reach it. */
export interface Outcome {
  goal: Goal
  failure?: LoadFailure
  /** This try compiled the content again, which is costly, so do not retry soon. */
  compiledAgain?: boolean
}

export interface Conclusion {
  memory: Memory
  /** The status to report; undefined if the ArmorProfile does not exist. */
  standing: ProfileStatus | undefined
  /** The ArmorProfile is gone and unloaded, so its report can be withdrawn. */
  forgotten: boolean
  /** Milliseconds until the next attempt. `none`: do not retry. `as-set`: keep the current timer. */
  retry: number | 'none' | 'as-set'
}

/** Derives the report, the memory and the next retry from the outcomes of the goals. */
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
    retry: waits ? 'as-set' : retryOf(memory, next, problems.length, maxOf(outcomes, timing), random),
  }
}

interface Result {
  enforcer: KernelEnforcer
  problem?: string
  /** A temporary failure. */
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
    return { enforcer, problem: `${enforcer}: the ArmorProfile has no profile for this enforcer`, passing: false }
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

const maxOf = (outcomes: readonly Outcome[], timing: LoadedProfileTiming): LoadedProfileTiming =>
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
): ProfileStatus {
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
  { backoffFirst: first, backoffLongest: max, lasting }: LoadedProfileTiming,
  random: Random,
): Conclusion['retry'] {
  if (problems === 0) return 'none'
  if (!untilLasting) return backoff(failures - 1, { first, max }, random)
  return before.untilLasting ? 'as-set' : backoff(0, { first: lasting, max: lasting }, random)
}
