import { expect } from 'chai'
import type { ActorContext, Behaviour } from '../../../actors/runtime/behaviour.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { sleep } from '../../../src/base/clock.ts'

type Do = { type: 'do'; what: (context: ActorContext<Message>) => unknown }
type Message = Do | { type: 'due'; text: string }

const due = (text: string): Message => ({ type: 'due', text })

/** An actor that does what it is told with its context, and logs its timers. */
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
  const actor = simulation.system.spawn(behaviour)
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

  it('send it again and again', async () => {
    const { run } = actorWithTimers()
    expect(await run((context) => context.every('a', 300, due('a')), 1_000)).to.deep.equal(['300 a', '600 a', '900 a'])
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

  it('are not heard of once they are cancelled, even if the message was in the mailbox', async () => {
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

  it('do not pile up in a mailbox that is not looked at', async () => {
    const { run, simulation } = actorWithTimers()
    const log = await run(async (context) => {
      context.every('a', 100, due('a'))
      await sleep(simulation.clock, 1_050)
    }, 1_200)
    expect(log).to.deep.equal(['1050 a', '1100 a', '1200 a'])
  })

  it('end with a failure, and with the actor', async () => {
    const { run, simulation, actor } = actorWithTimers()
    await run((context) => context.every('a', 400, due('a')), 0)
    const log = await run(() => {
      throw new Error('x')
    }, 5_000)
    expect(log).to.deep.equal([])
    await run((context) => context.every('a', 400, due('a')), 0)
    void actor.stop()
    await simulation.settle()
    expect(simulation.clock.timers).to.equal(0)
  })

  it('find room in a full mailbox', async () => {
    const { run, simulation, actor } = actorWithTimers()
    const log = await run(async (context) => {
      context.after('a', 100, due('a'))
      while (actor.tell(due('told')));
      await sleep(simulation.clock, 200)
    }, 1_000)
    expect(log.filter((line) => line === '200 a')).to.have.length(1)
  })

  it('need a period to repeat', async () => {
    const { run, simulation } = actorWithTimers()
    await run((context) => context.every('a', 0, due('a')), 0)
    expect(simulation.system.stats().total.failed).to.equal(1)
  })

  it('are not held by an actor that set none: a thousand idle actors, no timer', async () => {
    const simulation = new Simulation()
    for (let i = 0; i < 1_000; i++)
      simulation.system.spawn<undefined, Message>({ start: () => undefined, receive: () => undefined }).tell(due('a'))
    await simulation.settle()
    expect(simulation.clock.timers).to.equal(0)
    expect(simulation.system.stats().total).to.include({ processed: 1_000, live: 1_000 })
  })
})

describe('stash', () => {
  type Door = { type: 'open' } | { type: 'knock'; name: string } | { type: 'fail' }
  const door = (log: string[]): Behaviour<boolean, Door> => ({
    start: () => false,
    receive(open, message, context) {
      if (message.type === 'fail') throw new Error('fail')
      if (message.type === 'open') {
        context.unstash()
        return true
      }
      if (!open) context.stash()
      else log.push(message.name)
      return open
    },
  })
  const knock = (name: string): Door => ({ type: 'knock', name })

  it('keeps messages for later, in their order and before newer ones', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = simulation.system.spawn(door(log))
    for (const message of [knock('a'), knock('b'), { type: 'open' } as const, knock('c')]) actor.tell(message)
    await simulation.settle()
    expect(log).to.deep.equal(['a', 'b', 'c'])
    expect(simulation.system.stats().total).to.include({ sent: 4, processed: 4, queued: 0 })
  })

  it('takes up room in the mailbox', async () => {
    const simulation = new Simulation()
    const actor = simulation.system.spawn(door([]), { mailbox: { capacity: 2 } })
    actor.tell(knock('a'))
    actor.tell(knock('b'))
    await simulation.settle()
    expect(actor.tell(knock('c'))).to.equal(false)
    expect(simulation.system.stats().total.queued).to.equal(2)
  })

  it('gives way, oldest first, where the oldest is dropped', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = simulation.system.spawn(door(log), { mailbox: { capacity: 2, whenFull: 'drop-oldest' } })
    for (const name of ['a', 'b']) actor.tell(knock(name))
    await simulation.settle()
    actor.tell({ type: 'open' })
    await simulation.settle()
    expect(log).to.deep.equal(['b'])
    expect(simulation.system.stats().total.deadLetters['dropped-oldest']).to.equal(1)
  })

  it('survives a failure, as the mailbox does', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = simulation.system.spawn(door(log))
    for (const message of [knock('a'), { type: 'fail' } as const, knock('b')]) actor.tell(message)
    await simulation.runFor(1_000)
    actor.tell({ type: 'open' })
    await simulation.settle()
    expect(log).to.deep.equal(['a', 'b'])
  })

  it('becomes dead letters with the end of the actor', async () => {
    const simulation = new Simulation()
    const actor = simulation.system.spawn(door([]))
    actor.tell(knock('a'))
    await Promise.all([actor.stop(), simulation.settle()])
    expect(simulation.system.stats().total.deadLetters.stopped).to.equal(1)
    expect(simulation.system.stats().total.queued).to.equal(0)
  })
})
