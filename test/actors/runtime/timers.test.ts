import { expect } from 'chai'
import type { ActorContext, Behaviour } from '../../../actors/runtime/behaviour.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { sleep } from '../../../src/base/clock.ts'
import { actorOf } from './behaviours.ts'

type Do = { type: 'do'; what: (context: ActorContext<Message>) => unknown }
type Message = Do | { type: 'due'; text: string }

const due = (text: string): Message => ({ type: 'due', text })

/** An actor that makes the calls on its context that a message requests, and logs its timers. */
function actorWithTimers() {
  const simulation = new Simulation()
  const log: string[] = []
  const behaviour: Behaviour<undefined, Message> = {
    start: () => undefined,
    async receive(_, message, context) {
      if (message.type === 'do') await message.what(context)
      else log.push(`${simulation.clock.now()} ${message.text}`)
      return undefined
    },
  }
  const actor = actorOf(simulation.system, behaviour)
  const run = async (what: Do['what'], duration: number): Promise<string[]> => {
    actor.tell({ type: 'do', what })
    await simulation.runFor(duration)
    return log
  }
  return { simulation, actor, run }
}

describe('timers', () => {
  it('send their message once, after the delay', async () => {
    const { run } = actorWithTimers()
    expect(await run((context) => context.after('a', 100, due('a')), 1_000)).to.deep.equal(['100 a'])
  })

  it('of one key replace each other', async () => {
    const { run } = actorWithTimers()
    const log = await run((context) => {
      context.after('a', 100, due('first'))
      context.after('a', 200, due('second'))
      context.after('b', 50, due('other'))
    }, 1_000)
    expect(log).to.deep.equal(['50 other', '200 second'])
  })

  it('send nothing once they are cancelled, even if the message was in the mailbox', async () => {
    const { run, simulation } = actorWithTimers()
    const log = await run(async (context) => {
      context.after('a', 100, due('a'))
      context.after('b', 100, due('b'))
      await sleep(simulation.clock, 200)
      context.cancel('a')
    }, 1_000)
    expect(log).to.deep.equal(['200 b'])
    expect(simulation.system.stats().total).to.include({ sent: 3, processed: 2, coalesced: 1, queued: 0 })
  })

  it('end with a failure, and with the actor', async () => {
    const { run, simulation, actor } = actorWithTimers()
    await run((context) => context.after('a', 400, due('a')), 0)
    const log = await run(() => {
      throw new Error('x')
    }, 5_000)
    expect(log).to.deep.equal([])
    await run((context) => context.after('a', 400, due('a')), 0)
    actor.tell({ type: 'do', what: (context) => context.stop() })
    await simulation.settle()
    expect(simulation.clock.timers).to.equal(0)
  })

  it('find room in a full mailbox', async () => {
    const { run, simulation, actor } = actorWithTimers()
    const log = await run(async (context) => {
      context.after('a', 100, due('a'))
      while (actor.tell(due('full')));
      await sleep(simulation.clock, 200)
    }, 1_000)
    expect(log.filter((line) => line === '200 a')).to.have.length(1)
  })

  it('are not held by an actor that set none: a thousand idle actors, no timer', async () => {
    const simulation = new Simulation()
    for (let i = 0; i < 1_000; i++)
      actorOf<undefined, Message>(simulation.system, { start: () => undefined, receive: () => undefined }).tell(
        due('a'),
      )
    await simulation.settle()
    expect(simulation.clock.timers).to.equal(0)
    expect(simulation.system.stats().total).to.include({ processed: 1_000, live: 1_000 })
  })
})
