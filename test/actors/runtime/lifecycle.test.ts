import { expect } from 'chai'
import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import type { Terminated } from '../../../actors/runtime/watches.ts'
import { sleep } from '../../../src/base/clock.ts'
import { fail, type Note, note, notebook } from './behaviours.ts'

describe('stop', () => {
  it('handles what is queued first, takes nothing more, and calls stop with the last state', async () => {
    const simulation = new Simulation()
    const last: unknown[] = []
    const actor = simulation.system.spawn({ ...notebook(), stop: (notes: readonly string[]) => void last.push(notes) })
    actor.tell(note('a'))
    actor.tell(note('b'))
    const stopped = actor.stop()
    expect(actor.tell(note('c'))).to.equal(false)
    await simulation.settle()
    await stopped
    expect(last).to.deep.equal([['a', 'b']])
    expect(simulation.system.stats().total).to.include({ sent: 3, processed: 2, queued: 0, live: 0 })
    expect(simulation.system.stats().total.deadLetters.stopped).to.equal(1)
  })

  it('without drain makes dead letters of what is queued, after the message in hand', async () => {
    const simulation = new Simulation()
    const done: string[] = []
    const actor = simulation.system.spawn<undefined, Note>({
      start: () => undefined,
      receive: async (_, message) => {
        await sleep(simulation.clock, 100)
        done.push(message.type)
        return undefined
      },
    })
    for (const text of ['a', 'b', 'c']) actor.tell(note(text))
    await simulation.settle()
    const stopped = actor.stop({ drain: false })
    await simulation.runFor(1_000)
    await stopped
    expect(done).to.have.length(1)
    expect(simulation.system.stats().total.deadLetters.stopped).to.equal(2)
  })

  it('drains through failures: each costs its message and its backoff', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = simulation.system.spawn(notebook(log))
    for (const message of [note('a'), fail('x'), note('b'), fail('y'), note('c')]) actor.tell(message)
    const stopped = actor.stop()
    await simulation.runFor(1_000)
    await stopped
    expect(log).to.deep.equal(['a', 'b', 'c'])
  })

  it('abandons what takes too long, counts it, and ignores what comes of it', async () => {
    const simulation = new Simulation()
    let stops = 0
    const actor = simulation.system.spawn<number, Note>({
      start: () => 0,
      receive: (count) => sleep(simulation.clock, 60_000).then(() => count + 1),
      stop: () => void stops++,
    })
    actor.tell(note('a'))
    actor.tell(note('b'))
    await simulation.settle()
    const stopped = actor.stop({ within: 1_000 })
    await simulation.runFor(1_000)
    await stopped
    expect(simulation.system.stats().total.deadLetters).to.include({ abandoned: 1, stopped: 1 })
    await simulation.runFor(120_000)
    expect(simulation.system.stats().total).to.include({ sent: 2, processed: 0, queued: 0, live: 0 })
    expect(stops).to.equal(0)
  })

  it('ends a failed actor that waits for its restart', async () => {
    const simulation = new Simulation()
    const actor = simulation.system.spawn(notebook(), { supervision: { firstBackoff: 50_000 } })
    actor.tell(fail('x'))
    await simulation.settle()
    await Promise.all([actor.stop(), simulation.settle()])
    expect(simulation.clock.timers).to.equal(0)
  })

  it('is done when it was done before', async () => {
    const simulation = new Simulation()
    const actor = simulation.system.spawn(notebook())
    await Promise.all([actor.stop(), actor.stop({ drain: false }), simulation.settle()])
    await actor.stop()
    expect(simulation.system.stats().total.live).to.equal(0)
  })

  it('lets an actor end itself', async () => {
    const simulation = new Simulation()
    const actor = simulation.system.spawn<undefined, Note>({
      start: () => undefined,
      receive: (_, _message, context) => void context.stop(),
    })
    actor.tell(note('a'))
    actor.tell(note('b'))
    await simulation.settle()
    expect(simulation.system.stats().total).to.include({ processed: 1, live: 0 })
  })

  it('ends children first, with what they have queued', async () => {
    const simulation = new Simulation()
    const order: string[] = []
    const child: Behaviour<undefined, Note> = {
      start: () => undefined,
      receive: () => void order.push('child works'),
      stop: () => void order.push('child ends'),
    }
    const parent: Behaviour<undefined, Note> = {
      start: (context) => void context.spawn(child, { name: 'child' }).tell(note('a')),
      receive: () => undefined,
      stop: () => void order.push('parent ends'),
    }
    const actor = simulation.system.spawn(parent, { name: 'parent' })
    actor.tell(note('x'))
    await Promise.all([actor.stop(), simulation.settle()])
    expect(order).to.deep.equal(['child works', 'child ends', 'parent ends'])
    expect(simulation.system.stats().total.live).to.equal(0)
  })

  it('reports a stop that throws, and ends all the same', async () => {
    const failures: unknown[] = []
    const simulation = new Simulation({ onFailure: ({ during }) => failures.push(during) })
    const stops: Behaviour<undefined, Note>['stop'][] = [
      () => {
        throw new Error('x')
      },
      () => Promise.reject(new Error('x')),
    ]
    const actors = stops.map((stop) =>
      simulation.system.spawn<undefined, Note>({ start: () => undefined, receive: () => undefined, stop: stop! }),
    )
    await simulation.settle()
    await Promise.all([...actors.map((actor) => actor.stop()), simulation.settle()])
    expect(failures).to.deep.equal(['stop', 'stop'])
  })
})

describe('watch', () => {
  type Watcher = { type: 'watch'; address: string } | { type: 'unwatch'; address: string } | Note | News
  type News = { type: 'ended'; terminated: Terminated }

  const watcher = (log: unknown[]): Behaviour<undefined, Watcher> => ({
    start: () => undefined,
    receive(_, message, context) {
      if (message.type === 'watch')
        context.watch(context.lookup(message.address), (terminated) => ({ type: 'ended', terminated }))
      else if (message.type === 'unwatch') context.unwatch(context.lookup(message.address))
      else if (message.type === 'ended') log.push(message.terminated.why)
      else if (message.type === 'note') log.push(message.text)
      else throw new Error('fail')
      return undefined
    },
  })

  it('tells an actor of the end of another, after all that the other one told it', async () => {
    const simulation = new Simulation()
    const log: unknown[] = []
    const observer = simulation.system.spawn(watcher(log), { name: 'observer', mailbox: { capacity: 2 } })
    const actor = simulation.system.spawn<undefined, Note>(
      {
        start: () => undefined,
        receive(_, message, context) {
          context.lookup<Watcher>('observer').tell(message)
          context.stop()
          return undefined
        },
      },
      { name: 'a' },
    )
    observer.tell({ type: 'watch', address: 'a' })
    await simulation.settle()
    actor.tell(note('last words'))
    await simulation.settle()
    expect(log).to.deep.equal(['last words', 'stopped'])
  })

  it('finds room in a full mailbox, and tells of an actor that is not there at once', async () => {
    const simulation = new Simulation()
    const log: unknown[] = []
    const observer = simulation.system.spawn(watcher(log), { mailbox: { capacity: 1 } })
    observer.tell({ type: 'watch', address: 'nobody' })
    await simulation.settle()
    expect(log).to.deep.equal(['unknown'])
    const actor = simulation.system.spawn(notebook(), { name: 'a' })
    observer.tell({ type: 'watch', address: 'a' })
    await simulation.settle()
    void actor.stop()
    observer.tell(note('full'))
    await simulation.settle()
    expect(log).to.deep.equal(['unknown', 'full', 'stopped'])
  })

  it('ends with unwatch, with the watcher and with its failure', async () => {
    const simulation = new Simulation()
    const logs: unknown[][] = [[], [], [], []]
    const observers = logs.map((log) => simulation.system.spawn(watcher(log)))
    const actor = simulation.system.spawn(notebook(), { name: 'a' })
    for (const observer of observers) observer.tell({ type: 'watch', address: 'a' })
    await simulation.settle()
    observers[0]!.tell({ type: 'unwatch', address: 'a' })
    observers[1]!.tell(fail('x'))
    void observers[2]!.stop()
    await simulation.runFor(1_000)
    await Promise.all([actor.stop(), simulation.settle()])
    expect(logs).to.deep.equal([[], [], [], ['stopped']])
    expect(simulation.system.stats().total.deadLetters.stopped).to.equal(0)
  })

  it('is not spoilt by a listener that throws', async () => {
    const simulation = new Simulation()
    const actor = simulation.system.spawn(notebook(), { name: 'a' })
    const heard: string[] = []
    actor.watch(() => {
      throw new Error('listener')
    })
    actor.watch(({ why }) => heard.push(why))
    await Promise.all([actor.stop(), simulation.settle()])
    expect(heard).to.deep.equal(['stopped'])
    expect(simulation.system.stats().total.live).to.equal(0)
  })

  it('survives a restart of the watched', async () => {
    const simulation = new Simulation()
    const log: unknown[] = []
    const actor = simulation.system.spawn(notebook(), { name: 'a' })
    const unwatch = actor.watch(({ why }) => log.push(why))
    actor.watch(({ why }) => log.push(`other ${why}`))
    actor.tell(fail('x'))
    await simulation.runFor(1_000)
    expect(log).to.deep.equal([])
    unwatch()
    await Promise.all([actor.stop(), simulation.settle()])
    expect(log).to.deep.equal(['other stopped'])
  })
})
