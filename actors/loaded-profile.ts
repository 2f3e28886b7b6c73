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
  type ProfileStanding,
  type WantedContent,
  type WantedProfile,
} from './loaded-profile/ports.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

/** Both say only that something may be otherwise now; what is, is read where it is known. */
export type LoadedProfileMessage =
  /** The ArmorProfile appeared, changed, or went. */
  | { type: 'changed' }
  /** What this node has loaded may have been lost, or changed by somebody. */
  | { type: 'check' }
type RetryDue = { type: 'retry-due' }
type Message = LoadedProfileMessage | RetryDue

export interface LoadedProfilePorts {
  /** What the node is to hold of the ArmorProfile; undefined for one that does not exist. */
  wanted(key: string): WantedProfile | undefined
  /** Has the contents of the ArmorProfile compiled, where they are not there. Resolves to why that was not done; it has a time limit. */
  compile(key: string): Promise<LoadFailure | undefined>
  /** It converged: what was compiled may be let go, and rather is where it is not tried again. */
  letGo(key: string, again: boolean): void
  /** Whether an ArmorProfile other than that of the key wants the profile of the name. */
  wantedByOthers(key: string, profile: string): boolean
  /** Whether anything on the node still refers to the profile: a process, or a pod that may start a container. */
  used(profile: string): Promise<boolean>
  listings: EnforcerListings
  /** Takes the standing to the manager. Level-triggered: a later one of the key takes the place of an earlier. */
  report(standing: ProfileStanding): void
  /** There is nothing to report of the ArmorProfile any more. */
  forget(key: string): void
  /** Milliseconds. */
  timing?: Partial<LoadedProfileTiming>
}

const defaultTiming: LoadedProfileTiming = { backoffFirst: 1_000, backoffLongest: 60_000, lasting: 600_000 }

/**
 * One ArmorProfile on this node; its key is `namespace/name`. An actor that failed, or comes back from passivation, knows nothing and
 * converges from what kernel, disk and API server say. `goalsOf`, `stepOf` and `conclude` decide; this carries it out.
 */
export const loadedProfile = (ports: LoadedProfilePorts): Behaviour<Memory, Message> => ({
  start(context) {
    // The message that it failed with is not handled again.
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

/** What is not worth a try even though something has changed. */
const lastingOf = (hopeless: Memory['hopeless']): Memory['hopeless'] =>
  new Map([...hopeless].filter(([, { passing }]) => !passing))

/** A bug must not leave the manager waiting without a report. */
function reportFailure(ports: LoadedProfilePorts, key: string, error: unknown, retryIn: number): void {
  const wanted = ports.wanted(key)
  if (wanted === undefined) return
  const { uid, generation } = wanted
  const message = `the agent failed and tries again in ${Math.ceil(retryIn / 1000)} s: ${error}`
  ports.report({ key, uid, generation, state: 'failed', enforcers: [], message, passing: true })
}

async function converge(ports: LoadedProfilePorts, memory: Memory, context: ActorContext<Message>): Promise<Memory> {
  const { key } = context
  const uncompiled = await compiled(ports, key)
  const seen = { ...(await observe(ports, memory, key)), ...(uncompiled !== undefined && { uncompiled }) }
  // It changed meanwhile, and another message says so.
  if (uncompiled === undefined && isToCompile(seen.wanted)) return memory
  const outcomes: Outcome[] = []
  const goalsNow = async (): Promise<Goal[]> => goalsOf(await observe(ports, memory, key))
  // AppArmor last: its loads wait for each other, and those of the others need not.
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

/** What one enforcer cannot do does not keep the others from doing theirs. */
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
      // What came back while it waited may have started in the profile: without it, that runs unconfined.
      const needed = async () => !(await goalsNow()).some((now) => now.enforcer === enforcer && now.is === 'absent')
      await listings.unload(enforcer, profile, needed)
    } else if (step === 'free') await listings.free(enforcer, profile)
    return { goal }
  } catch (error) {
    if (!isLoadFailure(error)) throw error
    return { goal, failure: error, compiledAgain }
  }
}

/** What is to be loaded, compiled again where that was let go. @throws {LoadFailure} */
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
  // It changed meanwhile, and another message says so.
  if (again?.content === undefined) throw Object.assign(new Error(), { retryable: true, reason: 'it has changed' })
  return { content: again.content, digest: again.digest }
}
