import { expect } from 'chai'
import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { sleep } from '../../../src/base/clock.ts'
import { actorOf, fail, type Note, note, notebook } from './behaviours.ts'

describe('the end of an actor', () => {
  it('by itself comes after the message in hand, and makes dead letters of what is queued', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = actorOf(simulation.system, notebook(log))
    for (const message of [note('a'), { type: 'end' } as const, note('b'), note('c')]) actor.tell(message)
    await simulation.settle()
    expect(log).to.deep.equal(['a'])
    expect(simulation.system.stats().total).to.include({ processed: 2, live: 0, queued: 0 })
    expect(simulation.system.stats().total.deadLetters.stopped).to.equal(2)
  })

  it('is followed by a new instance with the next message', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = actorOf(simulation.system, notebook(log))
    actor.tell({ type: 'end' })
    await simulation.settle()
    expect(actor.tell(note('a'))).to.equal(true)
    await simulation.settle()
    expect(log).to.deep.equal(['a'])
  })

  it('with its system handles what is queued first, takes nothing more, and calls stop with the last state', async () => {
    const simulation = new Simulation()
    const last: unknown[] = []
    const stop = (notes: readonly string[]) => void last.push(notes)
    const actor = actorOf(simulation.system, { ...notebook(), stop })
    actor.tell(note('a'))
    actor.tell(note('b'))
    const stopped = simulation.system.stop()
    expect(actor.tell(note('c'))).to.equal(false)
    await simulation.settle()
    await stopped
    expect(last).to.deep.equal([['a', 'b']])
    expect(simulation.system.stats().total).to.include({ sent: 3, processed: 2, queued: 0, live: 0 })
    expect(simulation.system.stats().total.deadLetters.stopped).to.equal(1)
  })

  it('comes through failures: each costs its message and its backoff', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = actorOf(simulation.system, notebook(log))
    for (const message of [note('a'), fail('x'), note('b'), fail('y'), note('c')]) actor.tell(message)
    const stopped = simulation.system.stop()
    await simulation.runFor(1_000)
    await stopped
    expect(log).to.deep.equal(['a', 'b', 'c'])
  })

  it('abandons what takes too long, counts it, and ignores what comes of it', async () => {
    const simulation = new Simulation()
    let stops = 0
    const actor = actorOf<number, Note>(simulation.system, {
      start: () => 0,
      receive: (count) => sleep(simulation.clock, 60_000).then(() => count + 1),
      stop: () => void stops++,
    })
    actor.tell(note('a'))
    actor.tell(note('b'))
    await simulation.settle()
    const stopped = simulation.system.stop({ within: 1_000 })
    await simulation.runFor(1_000)
    await stopped
    expect(simulation.system.stats().total.deadLetters).to.include({ abandoned: 1, stopped: 1 })
    await simulation.runFor(120_000)
    expect(simulation.system.stats().total).to.include({ sent: 2, processed: 0, queued: 0, live: 0 })
    expect(stops).to.equal(0)
  })

  it('does not wait for the restart of one that failed', async () => {
    const simulation = new Simulation()
    const actor = actorOf(simulation.system, notebook(), { supervision: { firstBackoff: 50_000 } })
    actor.tell(fail('x'))
    await simulation.settle()
    await Promise.all([simulation.system.stop(), simulation.settle()])
    expect(simulation.clock.timers).to.equal(0)
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
    for (const stop of stops)
      actorOf<undefined, Note>(simulation.system, {
        start: () => undefined,
        receive: () => undefined,
        stop: stop!,
      }).tell(note('a'))
    await simulation.settle()
    await Promise.all([simulation.system.stop(), simulation.settle()])
    expect(failures).to.deep.equal(['stop', 'stop'])
    expect(simulation.system.stats().total.live).to.equal(0)
  })
})
