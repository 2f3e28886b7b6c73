import { backoff } from '../src/base/backoff.ts'
import { carryOut, forgetNodes } from './policy/act.ts'
import { decide } from './policy/decide.ts'
import { type Decision, type Effect, type Part, type TimerReason, timerReasons } from './policy/decision.ts'
import { failureText } from './policy/failure-text.ts'
import { freshMemory, type Memory, withProgress, withRolloutFailure } from './policy/memory.ts'
import type { Observation } from './policy/observation.ts'
import { objectsNow, observe, seenOf } from './policy/observe.ts'
import type { PolicyMessage, PolicyPorts } from './policy/ports.ts'
import { StatusWriteSemaphore, TIMEOUT } from './policy/status-write-semaphore.ts'
import { UnwrittenDocuments } from './policy/unwritten-documents.ts'
import { PortError } from './ports.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

export { defaultPolicySettings, type PolicyMessage, type PolicyPorts, type PolicySettings } from './policy/ports.ts'
export { POLICY_FINALIZER } from './policy/situation.ts'

/** Sent only by the actor's own timers. */
type PolicyDue = { type: 'due' }
type Message = PolicyMessage | PolicyDue
type Context = ActorContext<Message>

/** Upper bound of rounds in one pass. The longest case has a compilation, six writes, and a last check. */
const MAX_ROUNDS = 12

/**
 * Maximum number of concurrent status writes: twice the burst of the rate limiter. Without this limit, a thousand
 * policies that change at the same time would keep their observations in memory for seconds, and write outdated
 * statuses. A policy that waits for its turn keeps no data.
 */
const STATUSES_AT_ONCE = 32

/** State that all actors of the family share. */
interface Means {
  ports: PolicyPorts
  statuses: StatusWriteSemaphore
  documents: UnwrittenDocuments
}

/**
 * One policy: its ArmorProfile, statuses, restarts and removal. On any message the actor reads the state from the API
 * server and the nodes, decides what is missing, and does that, so a crash at any point does no harm. The actor
 * remembers its own writes until the watches show them, so it does not repeat them.
 */
export function policy(ports: PolicyPorts): Behaviour<Memory, Message> {
  const means: Means = {
    ports,
    statuses: new StatusWriteSemaphore(STATUSES_AT_ONCE, ports.turnCame),
    documents: new UnwrittenDocuments(),
  }
  return {
    start(context) {
      means.documents.drop(context.key)
      const { lastFailure } = context
      if (lastFailure === undefined) return freshMemory()
      context.after('start', 0, { type: 'due' })
      return freshMemory(failureText(lastFailure))
    },
    receive(memory, message, context) {
      switch (message.type) {
        case 'rollout':
          return converge(means, withProgress(memory, message.progress), context)
        case 'rollout-failed':
          // The restarted rollout actor has lost its request: send it again.
          return converge(means, withRolloutFailure(memory, failureText(message.failure.error)), context)
        case 'nodes':
          return isDue(ports, memory, context) ? converge(means, memory, context) : memory
        case 'watched':
          return withoutNews(ports, memory, context) ?? converge(means, memory, context)
        case 'changed':
        case 'due':
          return converge(means, memory, context)
        default:
          return assertNever(message)
      }
    },
  }
}

/** Ten thousand nodes report within seconds: handle their reports together. */
function isDue({ settings }: PolicyPorts, { convergedAt }: Memory, context: Context): boolean {
  const wait = convergedAt + settings.nodesInterval - context.now()
  if (wait > 0) context.after('nodes', wait, { type: 'due' })
  return wait <= 0
}

/** The memory after a watch event that shows only known state; undefined if the state is new. */
function withoutNews(ports: PolicyPorts, memory: Memory, context: Context): Memory | undefined {
  const now = context.now()
  const objects = objectsNow(ports, context.key, memory, now)
  if (seenOf(objects) !== memory.looked) return undefined
  // Our own write counts for a while, until the watch shows the profile.
  if (objects.profileUnseenUntil === undefined) context.cancel('watch')
  else pollAgain(context, 'watch', objects.profileUnseenUntil - now)
  return objects.memory
}

/** Observes, decides and acts until nothing is left to do, or until a status write must wait for its turn. */
async function converge(means: Means, before: Memory, context: Context): Promise<Memory> {
  const { ports, statuses } = means
  const { key } = context
  let memory: Memory = { ...before, convergedAt: context.now(), looked: '' }
  let [isWriter, waits] = [false, false]
  try {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const seen = observe(ports, key, memory, { now: context.now(), wall: context.wall() })
      const decision = decide(seen)
      memory = decision.memory
      announce(ports, decision)
      if (decision.rollout !== undefined) ports.sendToRollout(key, decision.rollout)
      if (decision.ended) end(means, seen, context)
      if (decision.effect === undefined) {
        if (memory.compiled === undefined) means.documents.drop(key)
        setTimers(decision, context)
        return { ...memory, failures: 0, looked: seenOf(seen) }
      }
      if (isStatus(decision.effect)) {
        isWriter ||= statuses.take(key, context.now())
        if (!isWriter) {
          waits = true
          setTimers(decision, context)
          pollAgain(context, 'turn', TIMEOUT)
          // Keep the failure until the status that names it is written.
          return { ...memory, failure: seen.memory.failure, looked: seenOf(seen) }
        }
      } else {
        // A compilation may wait long for a thread; other policies' status writes must not wait for it.
        if (isWriter) statuses.end()
        else statuses.leave(key)
        isWriter = false
      }
      try {
        const answer = await carryOutWithin(means, seen, decision.effect, key)
        announce(ports, answer)
        memory = { ...memory, ...answer.memory }
        if (memory.compiled === undefined) means.documents.drop(key)
      } catch (error) {
        if (!(error instanceof PortError)) throw error
        setTimers(decision, context)
        return retryLater(ports, memory, error, context)
      }
    }
  } finally {
    if (isWriter) statuses.end()
    else if (!waits) statuses.leave(key)
    if (!waits) context.cancel('turn')
  }
  // Another client changes the object as often as this actor does: let other actors run.
  pollAgain(context, 'round', ports.settings.statusInterval)
  return memory
}

/** Like `carryOut`, but compiles only if its document fits into the memory for unwritten documents. */
async function carryOutWithin(
  { ports, documents }: Means,
  seen: Observation,
  effect: Effect,
  key: string,
): Promise<Part> {
  if (effect.type !== 'compile') return carryOut(ports, seen, effect)
  const { namespace = '' } = effect.policy.metadata
  if (documents.isRefused(key, namespace)) throw noRoom()
  const answer = await carryOut(ports, seen, effect)
  const desired = answer.memory?.compiled?.desired
  if (desired?.ok === true && !documents.take(key, namespace, desired.document)) throw noRoom()
  return answer
}

const noRoom = (): PortError =>
  new PortError('UNAVAILABLE', 'too many compiled profiles wait for the API server; this policy will be compiled later')

const isStatus = ({ type }: Effect): boolean => type === 'write-policy-status' || type === 'write-profile-status'

function announce(ports: PolicyPorts, { events = [], counts = [] }: Part): void {
  for (const event of events) ports.event(event)
  for (const name of counts) ports.count(name)
}

function setTimers({ timers }: Decision, context: Context): void {
  for (const reason of timerReasons) {
    const delay = timers[reason]
    if (delay === undefined) context.cancel(reason)
    else pollAgain(context, reason, delay)
  }
}

function pollAgain(context: Context, reason: TimerReason | 'retry' | 'round' | 'turn', delay: number): void {
  context.after(reason, Math.max(1, delay), { type: 'due' })
}

function end({ ports, documents }: Means, seen: Observation, context: Context): void {
  forgetNodes(ports, seen)
  documents.drop(context.key)
  context.stop()
}

/** Retries a failed API call or compilation after a growing delay, and a refused API call after a long delay. */
function retryLater(ports: PolicyPorts, memory: Memory, error: PortError, context: Context): Memory {
  const { firstBackoff, maxBackoff: max, refusedInterval } = ports.settings
  ports.count('api-error')
  const isRefused = error.code === 'REFUSED'
  const first = isRefused ? refusedInterval : firstBackoff
  const delay = backoff(isRefused ? 0 : memory.failures, { first, max }, () => context.random())
  context.log.warn({ actor: context.address, err: error, retryMs: delay }, 'cannot carry out a policy')
  pollAgain(context, 'retry', delay)
  return { ...memory, failures: memory.failures + 1 }
}

/** The family `policy`; `keyOfPolicy` makes its keys. */
export const policyFamily = (ports: PolicyPorts): FamilyOptions<Memory, Message, Memory> => ({
  behaviour: policy(ports),
  mailbox: { capacity: 16, coalesce: ({ type }) => type },
  passivate: (memory) => memory,
  activate: (memory) => memory,
})
