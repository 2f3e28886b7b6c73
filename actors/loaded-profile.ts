import type { KernelEnforcer } from '../src/api/enforcer.ts'
import {
  conclude,
  type Goal,
  goalsOf,
  isLeaving,
  type LoadedProfileTiming,
  type Memory,
  type Observation,
  type Outcome,
  profileOf,
  stepOf,
} from './loaded-profile/decide.ts'
import type { EnforcerListings } from './loaded-profile/enforcer-listings.ts'
import {
  isLoadFailure,
  type LoadFailure,
  type ProfileStatus,
  type WantedContent,
  type WantedProfile,
} from './loaded-profile/ports.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

/** A message only tells that the state may have changed. The actor reads the state itself. */
export type LoadedProfileMessage =
  /** The ArmorProfile appeared, changed, or was deleted. */
  | { type: 'changed' }
  /** The profile that this node has loaded may have been lost or changed. */
  | { type: 'check' }
type RetryDue = { type: 'retry-due' }
type Message = LoadedProfileMessage | RetryDue

export interface LoadedProfilePorts {
  /** The profile that the node must have; undefined if the ArmorProfile does not exist. */
  wanted(key: string): WantedProfile | undefined
  /**
   * Compiles the contents of the ArmorProfile if they are missing. Resolves to the failure, if any; it has a timeout.
   */
  compile(key: string): Promise<LoadFailure | undefined>
  /**
   * The actor has reached its goals, so the compiled contents may be dropped. `again`: a retry follows, so keep the
   * contents if possible.
   */
  letGo(key: string, again: boolean): void
  /** Whether another ArmorProfile wants a profile of this name. */
  wantedByOthers(key: string, profile: string): boolean
  /** Whether a process, or a pod that may start a container, still refers to the profile. */
  used(profile: string): Promise<boolean>
  listings: EnforcerListings
  /** Reports the status to the manager. Only the latest status of a key counts. */
  report(standing: ProfileStatus): void
  /** Withdraws the report about the ArmorProfile. */
  forget(key: string): void
  /** Milliseconds. */
  timing?: Partial<LoadedProfileTiming>
}

const defaultTiming: LoadedProfileTiming = { backoffFirst: 1_000, backoffLongest: 60_000, lasting: 600_000 }

/**
 * One ArmorProfile on this node; its key is `namespace/name`. After a failure or passivation the actor remembers
 * nothing, and reads the state from the kernel, the disk and the API server. `goalsOf`, `stepOf` and `conclude` decide;
 * this actor acts.
 */
export const loadedProfile = (ports: LoadedProfilePorts): Behaviour<Memory, Message> => ({
  start(context) {
    // The actor does not handle the message that caused the failure again.
    if (context.lastFailure !== undefined) context.after('retry', 0, { type: 'retry-due' })
    return { failures: 0, hopeless: new Map(), untilLasting: false }
  },
  receive(memory, message, context) {
    switch (message.type) {
      case 'changed':
        return converge(ports, { ...memory, hopeless: lastingOf(memory.hopeless) }, context)
      case 'check':
        return converge(ports, memory, context)
      case 'retry-due':
        return converge(ports, { ...memory, hopeless: new Map(), untilLasting: false }, context)
      default:
        return assertNever(message)
    }
  },
})

export const loadedProfileFamily = (ports: LoadedProfilePorts): FamilyOptions<Memory, Message> => ({
  behaviour: loadedProfile(ports),
  mailbox: { capacity: 10, coalesce: ({ type }) => type },
  supervision: { report: ({ key, error, retryIn = 0 }) => reportFailure(ports, key, error, retryIn) },
})

/** A change of the ArmorProfile may end a temporary failure, but not a lasting failure. */
const lastingOf = (hopeless: Memory['hopeless']): Memory['hopeless'] =>
  new Map([...hopeless].filter(([, { passing }]) => !passing))

/** Reports a failure to the manager even if a bug caused it. Otherwise the manager would wait for a report. */
function reportFailure(ports: LoadedProfilePorts, key: string, error: unknown, retryIn: number): void {
  const wanted = ports.wanted(key)
  if (wanted === undefined) return
  const { uid, generation } = wanted
  const message = `the agent failed and retries in ${Math.ceil(retryIn / 1000)} s: ${error}`
  ports.report({ key, uid, generation, state: 'failed', enforcers: [], message, passing: true })
}

async function converge(ports: LoadedProfilePorts, memory: Memory, context: ActorContext<Message>): Promise<Memory> {
  const { key } = context
  const uncompiled = await compiled(ports, key)
  const seen = { ...(await observe(ports, memory, key)), ...(uncompiled !== undefined && { uncompiled }) }
  // The ArmorProfile changed during the compilation; another message follows.
  if (uncompiled === undefined && isToCompile(seen.wanted)) return memory
  const outcomes: Outcome[] = []
  const goalsNow = async (): Promise<Goal[]> => goalsOf(await observe(ports, memory, key))
  // Load AppArmor profiles last, because they wait in a queue, while other enforcers load at once.
  for (const goal of goalsOf(seen).reverse()) outcomes.unshift(await reach(ports, key, profileOf(seen), goal, goalsNow))
  const timing = { ...defaultTiming, ...ports.timing }
  const { standing, forgotten, retry, memory: next } = conclude(seen, outcomes, timing, () => context.random())
  if (standing !== undefined) ports.report(standing)
  if (forgotten) ports.forget(key)
  ports.letGo(key, retry !== 'none')
  if (retry === 'none') context.cancel('retry')
  else if (retry !== 'as-set') context.after('retry', retry, { type: 'retry-due' })
  return next
}

function isToCompile(wanted: WantedProfile | undefined): boolean {
  if (wanted === undefined || wanted.leaving || wanted.conflict !== undefined || wanted.strange !== undefined)
    return false
  return wanted.contents === undefined
}

async function compiled(ports: LoadedProfilePorts, key: string): Promise<LoadFailure | undefined> {
  return isToCompile(ports.wanted(key)) ? ports.compile(key) : undefined
}

async function observe(
  { wanted: wantedOf, wantedByOthers, used, listings }: LoadedProfilePorts,
  memory: Memory,
  key: string,
): Promise<Observation> {
  const wanted = wantedOf(key)
  const { enforcers } = listings
  const profile = profileOf({ key, wanted })
  const seen = { key, wanted, memory, enforcers, wantedByOthers: wantedByOthers(key, profile) }
  return { ...seen, used: isLeaving(seen) && (await used(profile)) }
}

/** Reaches the goal of one enforcer. A failure of one enforcer does not stop the others. */
async function reach(
  ports: LoadedProfilePorts,
  key: string,
  profile: string,
  goal: Goal,
  goalsNow: () => Promise<Goal[]>,
): Promise<Outcome> {
  if (goal.is === 'refused' || goal.is === 'without-content') return { goal }
  const { enforcer } = goal
  const { listings } = ports
  let compiledAgain = false
  try {
    const listed = (await listings.listing(enforcer)).get(profile)
    const step = stepOf(goal, listed, listings.isFree(enforcer, profile))
    if (goal.is === 'loaded' && step === 'load') {
      compiledAgain = goal.content.content === undefined
      const content = await contentOf(ports, key, enforcer, goal.content)
      await listings.load(enforcer, profile, content, key.slice(0, key.indexOf('/')))
    } else if (step === 'unload') {
      // Check again after the wait: meanwhile, a container may have started with the profile, and would be unconfined
      // without the profile.
      const needed = async () => !(await goalsNow()).some((now) => now.enforcer === enforcer && now.is === 'absent')
      await listings.unload(enforcer, profile, needed)
    } else if (step === 'free') await listings.free(enforcer, profile)
    return { goal }
  } catch (error) {
    if (!isLoadFailure(error)) throw error
    return { goal, failure: error, compiledAgain }
  }
}

/** Returns the content to load; compiles it again if it was dropped. @throws {LoadFailure} */
async function contentOf(
  ports: LoadedProfilePorts,
  key: string,
  enforcer: KernelEnforcer,
  { content, digest }: WantedContent,
): Promise<Required<WantedContent>> {
  if (content !== undefined) return { content, digest }
  const failure = await ports.compile(key)
  if (failure !== undefined) throw failure
  const again = ports.wanted(key)?.contents?.get(enforcer)
  // The ArmorProfile changed during the compilation; another message follows.
  if (again?.content === undefined) throw Object.assign(new Error(), { retryable: true, reason: 'it has changed' })
  return { content: again.content, digest: again.digest }
}
