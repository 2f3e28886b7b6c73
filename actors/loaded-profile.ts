import type { KernelEnforcer } from '../src/api/enforcer.ts'
import type { Holdings } from './loaded-profile/holdings.ts'
import { isLoadFailure, type ProfileStanding, type WantedContent, type WantedProfile } from './loaded-profile/ports.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

/** Both say only that something may be otherwise now; what is, is read where it is known. */
export type LoadedProfileMessage =
  /** The ArmorProfile appeared, changed, or went. */
  | { type: 'changed' }
  /** What this node holds may have been lost, or changed by somebody. */
  | { type: 'check' }
type RetryDue = { type: 'retry-due' }
type Message = LoadedProfileMessage | RetryDue

export interface LoadedProfilePorts {
  /** What the node is to hold of the ArmorProfile; undefined for one that does not exist. */
  wanted(key: string): WantedProfile | undefined
  /** Whether an ArmorProfile other than that of the key wants the profile of the name. */
  wantedByOthers(key: string, profile: string): boolean
  holdings: Holdings
  /** Takes the standing to the manager. Level-triggered: a later one of the key takes the place of an earlier. */
  report(standing: ProfileStanding): void
  /** There is nothing to tell of the ArmorProfile any more. */
  forget(key: string): void
  /** Milliseconds. */
  timing?: Partial<LoadedProfileTiming>
}

export interface LoadedProfileTiming {
  /** First and longest delay after a failure that passes. Default 1,000 and 60,000. */
  backoffFirst: number
  backoffLongest: number
  /** When what failed for a lasting reason is tried again nevertheless: a program may be installed, a file removed. Default 600,000. */
  lasting: number
}

const defaultTiming: LoadedProfileTiming = { backoffFirst: 1_000, backoffLongest: 60_000, lasting: 600_000 }

interface Hopeless {
  digest: string
  reason: string
}

interface State {
  /** Passing failures in a row. */
  failures: number
  /** What an enforcer will refuse again. */
  hopeless: ReadonlyMap<KernelEnforcer, Hopeless>
  /** The timer that is set tries again what is hopeless. Looks in between, which come more often, must not put it off. */
  untilLasting: boolean
}

interface Outcome {
  held: KernelEnforcer[]
  problems: string[]
  hopeless: Map<KernelEnforcer, Hopeless>
  /** One of the problems passes by itself. */
  passing: boolean
}

/**
 * One ArmorProfile on this node; its key is `namespace/name`. Kernel and disk hold the truth: an actor that failed, or comes
 * back from passivation, knows nothing and converges from what they and the API server say.
 */
export const loadedProfile = (ports: LoadedProfilePorts): Behaviour<State, Message> => ({
  start(context) {
    // The message that it failed with is not handled again.
    if (context.lastFailure !== undefined) context.after('retry', 0, { type: 'retry-due' })
    return { failures: 0, hopeless: new Map(), untilLasting: false }
  },
  receive(state, message, context) {
    switch (message.type) {
      case 'changed':
      case 'check':
        return converge(ports, state, context)
      case 'retry-due':
        return converge(ports, { ...state, hopeless: new Map(), untilLasting: false }, context)
      default:
        return assertNever(message)
    }
  },
})

export const loadedProfileFamily = (ports: LoadedProfilePorts): FamilyOptions<State, Message> => ({
  behaviour: loadedProfile(ports),
  mailbox: { capacity: 10, coalesce: ({ type }) => type },
  supervision: {
    report: ({ address, error, retryIn = 0 }) => reportFailure(ports, keyOf(address), error, retryIn),
  },
})

const keyOf = (address: string): string => address.slice(address.indexOf('/') + 1)

/** A bug must not leave the manager waiting without a word. */
function reportFailure(ports: LoadedProfilePorts, key: string, error: unknown, retryIn: number): void {
  const wanted = ports.wanted(key)
  if (wanted === undefined) return
  const message = `the agent failed and tries again in ${Math.ceil(retryIn / 1000)} s: ${error}`
  ports.report({ ...about(key, wanted), state: 'failed', enforcers: [], message, passing: true })
}

const about = (key: string, { uid, generation }: WantedProfile) => ({ key, uid, generation })

async function converge(ports: LoadedProfilePorts, state: State, context: ActorContext<Message>): Promise<State> {
  const { key } = context
  const wanted = ports.wanted(key)
  const leaves = wanted === undefined || wanted.leaving
  const outcome = leaves ? await leave(ports, key, wanted) : await hold(ports, state, wanted)
  if (wanted !== undefined) ports.report(standing(key, wanted, outcome))
  else if (outcome.problems.length === 0) ports.forget(key)
  return retryLater({ ...defaultTiming, ...ports.timing }, state, outcome, context)
}

function retryLater(
  { backoffFirst, backoffLongest, lasting }: LoadedProfileTiming,
  state: State,
  { problems, passing, hopeless }: Outcome,
  context: ActorContext<Message>,
): State {
  const failures = passing ? state.failures + 1 : 0
  const untilLasting = problems.length > 0 && !passing
  const next = { failures, hopeless, untilLasting }
  if (untilLasting && state.untilLasting) return next
  if (problems.length === 0) {
    context.cancel('retry')
    return next
  }
  const step = passing ? Math.min(backoffLongest, backoffFirst * 2 ** Math.min(failures - 1, 30)) : lasting
  context.after('retry', step / 2 + (step / 2) * context.random(), { type: 'retry-due' })
  return next
}

function standing(key: string, wanted: WantedProfile, { held, problems, passing }: Outcome): ProfileStanding {
  if (problems.length > 0)
    return { ...about(key, wanted), state: 'failed', enforcers: held, message: problems.join('; '), passing }
  return { ...about(key, wanted), state: wanted.leaving ? 'unloaded' : 'loaded', enforcers: held }
}

const nothingYet = (): Outcome => ({ held: [], problems: [], hopeless: new Map(), passing: false })

/** Loads what is not there as wanted, and unloads from enforcers that the policy has left. */
async function hold(ports: LoadedProfilePorts, state: State, wanted: WantedProfile): Promise<Outcome> {
  const outcome = nothingYet()
  if (wanted.conflict !== undefined) {
    outcome.problems.push(wanted.conflict)
    return outcome
  }
  for (const enforcer of ports.holdings.enforcers)
    await attempt(outcome, enforcer, wanted.contents.get(enforcer)?.digest, async () => {
      const content = wanted.contents.get(enforcer)
      if (content !== undefined) await holdOne(ports, state, enforcer, wanted.profile, content, outcome)
      else if (wanted.contents.has(enforcer))
        outcome.problems.push(`${enforcer}: the ArmorProfile has no content for it`)
      else await unloadOne(ports, enforcer, wanted.profile)
    })
  return outcome
}

async function holdOne(
  { holdings }: LoadedProfilePorts,
  state: State,
  enforcer: KernelEnforcer,
  profile: string,
  content: WantedContent,
  outcome: Outcome,
): Promise<void> {
  const known = state.hopeless.get(enforcer)
  if (known?.digest === content.digest) {
    outcome.hopeless.set(enforcer, known)
    outcome.problems.push(known.reason)
    return
  }
  const listing = await holdings.listing(enforcer)
  if (listing.get(profile) !== content.digest) await holdings.load(enforcer, profile, content)
  outcome.held.push(enforcer)
}

/** Removes all of it, unless another ArmorProfile has the name: then it is not ours to remove. */
async function leave(ports: LoadedProfilePorts, key: string, wanted: WantedProfile | undefined): Promise<Outcome> {
  const outcome = nothingYet()
  const profile = wanted?.profile ?? keyOf(key)
  if (ports.wantedByOthers(key, profile)) return outcome
  for (const enforcer of ports.holdings.enforcers)
    await attempt(outcome, enforcer, undefined, () => unloadOne(ports, enforcer, profile))
  return outcome
}

async function unloadOne({ holdings }: LoadedProfilePorts, enforcer: KernelEnforcer, profile: string): Promise<void> {
  if ((await holdings.listing(enforcer)).has(profile)) await holdings.unload(enforcer, profile)
}

/** What one enforcer cannot do does not keep the others from doing theirs. */
async function attempt(
  outcome: Outcome,
  enforcer: KernelEnforcer,
  digest: string | undefined,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isLoadFailure(error)) throw error
    const reason = `${enforcer}: ${error.reason}`
    outcome.problems.push(reason)
    if (error.retryable || digest === undefined) outcome.passing = true
    else outcome.hopeless.set(enforcer, { digest, reason })
  }
}
