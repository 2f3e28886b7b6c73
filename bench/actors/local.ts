import { EventEmitter } from 'node:events'
import type { Behaviour } from '../../actors/runtime/behaviour.ts'
import type { Family } from '../../actors/runtime/family.ts'
import type { Reference } from '../../actors/runtime/reference.ts'
import { ActorSystem } from '../../actors/runtime/system.ts'
import { type CounterMessage, type CounterState, counter, turn } from './messages.ts'

const WINDOW = 1_000

/** Runs `send` until `count` messages are handled, a window at a time; returns messages per second. */
async function rate(count: number, send: (amount: number) => void, through: () => Promise<void>): Promise<number> {
  const start = performance.now()
  for (let sent = 0; sent < count; ) {
    for (let i = 0; i < WINDOW; i++) send(sent++)
    await through()
  }
  return count / ((performance.now() - start) / 1_000)
}

/** The best of a few runs: the first runs warm up, and other work on the machine can only slow a run down. */
async function best(runs: number, run: () => Promise<number>): Promise<number> {
  let fastest = 0
  for (let i = 0; i < runs; i++) fastest = Math.max(fastest, await run())
  return fastest
}

export async function emitter(): Promise<number> {
  const bus = new EventEmitter()
  let state = { total: 0 }
  bus.on('message', (message: CounterMessage) => {
    if (message.type === 'add') state = { total: state.total + message.amount }
  })
  const result = await best(5, () => rate(2_000_000, (amount) => bus.emit('message', { type: 'add', amount }), turn))
  if (state.total === 0) throw new Error('nothing was added')
  return result
}

export async function promiseQueue(): Promise<number> {
  let chain = Promise.resolve({ total: 0 })
  const send = (amount: number): void => {
    chain = chain.then((state) => ({ total: state.total + amount }))
  }
  return best(5, () => rate(1_000_000, send, async () => void (await chain)))
}

/** Waits until all messages are handled. This takes several turns of the event loop if the dispatcher pauses. */
const through = (system: ActorSystem) => async (): Promise<void> => {
  do await turn()
  while (!system.environment.dispatcher.quiet)
}

async function withSystem(run: (system: ActorSystem) => Promise<number>): Promise<number> {
  const system = new ActorSystem()
  const result = await run(system)
  const { deadLetters, processed, sent } = system.stats().total
  if (Object.values(deadLetters).some((count) => count > 0)) throw new Error('messages were lost')
  if (processed !== sent) throw new Error(`${sent} sent, ${processed} processed`)
  await system.stop()
  return result
}

/** A family whose actors never become idle, so that the sweep for idle actors is not measured. */
const counters = (
  system: ActorSystem,
  behaviour: Behaviour<CounterState, CounterMessage> = counter,
): Family<CounterMessage> => system.family('counter', { behaviour, idleAfter: Number.POSITIVE_INFINITY })

const thousand = (family: Family<CounterMessage>): Reference<CounterMessage>[] =>
  Array.from({ length: 1_000 }, (_, i) => family.of(`${i}`))

export const tellOne = (): Promise<number> =>
  withSystem(async (system) => {
    const actor = counters(system).of('0')
    await turn()
    return best(5, () => rate(3_000_000, (amount) => actor.tell({ type: 'add', amount }), through(system)))
  })

/** Each message goes to another actor than the previous message. */
export const tellMany = (): Promise<number> =>
  withSystem(async (system) => {
    const actors = thousand(counters(system))
    await turn()
    return best(5, () =>
      rate(3_000_000, (amount) => actors[amount % 1_000]!.tell({ type: 'add', amount }), through(system)),
    )
  })

/** Finds actors by name in a family of 100,000, as the manager does for each watch event. */
export const tellFamily = (): Promise<number> =>
  withSystem(async (system) => {
    const family = system.family('counter', { behaviour: counter })
    const keys = Array.from({ length: 100_000 }, (_, i) => `node-${i}`)
    return best(3, () =>
      rate(
        1_000_000,
        (amount) => family.of(keys[amount % keys.length]!).tell({ type: 'add', amount }),
        through(system),
      ),
    )
  })

async function asks(actor: Reference<CounterMessage>, count: number, atOnce: number): Promise<number> {
  const start = performance.now()
  for (let done = 0; done < count; done += atOnce)
    await Promise.all(Array.from({ length: atOnce }, () => actor.ask({ type: 'total' })))
  return count / ((performance.now() - start) / 1_000)
}

export const askOne = (): Promise<number> =>
  withSystem(async (system) => {
    const actor = counters(system).of('0')
    return best(5, () => asks(actor, 200_000, 1))
  })

export const askMany = (): Promise<number> =>
  withSystem(async (system) => {
    const actor = counters(system).of('0')
    return best(5, () => asks(actor, 400_000, 200))
  })

/** The actor awaits a promise in every message, so each message takes a place in the p-queue. */
export const tellAwaiting = (): Promise<number> =>
  withSystem(async (system) => {
    const actors = thousand(
      counters(system, {
        start: () => ({ total: 0 }),
        receive: async (state, message) => {
          await Promise.resolve()
          return message.type === 'add' ? { total: state.total + message.amount } : state
        },
      }),
    )
    await turn()
    return best(3, () =>
      rate(500_000, (amount) => actors[amount % 1_000]!.tell({ type: 'add', amount }), through(system)),
    )
  })
