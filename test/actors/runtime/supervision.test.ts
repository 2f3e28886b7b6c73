import { expect } from 'chai'
import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { type Failure, restartDelay } from '../../../actors/runtime/supervision.ts'
import { actorOf, fail, type Note, note, notebook } from './behaviours.ts'

describe('supervision', () => {
  it('rebuilds the state with start and keeps the mailbox; the failing message is not handled again', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = actorOf(simulation.system, notebook(log))
    for (const message of [note('a'), fail('x'), note('b'), note('c')]) actor.tell(message)
    await simulation.settle()
    expect(log).to.deep.equal(['a'])
    actor.tell(note('d'))
    await simulation.runFor(100)
    expect(log).to.deep.equal(['a', 'b', 'c', 'd'])
    const read = actor.ask({ type: 'read' })
    await simulation.settle()
    expect(await read).to.deep.equal(['b', 'c', 'd'])
    expect(simulation.system.stats().total).to.include({ processed: 6, failed: 1, restarts: 1, queued: 0 })
  })

  it('keeps the mailbox bounded while it waits', async () => {
    const simulation = new Simulation()
    const actor = actorOf(simulation.system, notebook(), { mailbox: { capacity: 3 } })
    actor.tell(fail('x'))
    await simulation.settle()
    expect([1, 2, 3, 4, 5].map((i) => actor.tell(note(`${i}`)))).to.deep.equal([true, true, true, false, false])
  })

  it('concerns the failing actor alone', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const [bad, good] = [actorOf(simulation.system, notebook()), actorOf(simulation.system, notebook(log))]
    bad.tell(fail('x'))
    good.tell(note('a'))
    await simulation.settle()
    expect(log).to.deep.equal(['a'])
  })

  it('reports each failure with the message, and start sees the last one until the actor is healthy', async () => {
    const simulation = new Simulation()
    const failures: Failure[] = []
    const seen: unknown[] = []
    const behaviour: Behaviour<undefined, Note> = {
      start: (context) => void seen.push(context.lastFailure),
      receive: (_, message) => {
        if (message.type === 'fail') throw message.text
        return undefined
      },
    }
    const supervision = { healthyAfter: 1_000, report: (failure: Failure) => failures.push(failure) }
    const actor = actorOf(simulation.system, behaviour, { name: 'a', supervision })
    actor.tell(fail('first'))
    await simulation.runFor(100)
    actor.tell(fail('second'))
    await simulation.runFor(5_000)
    actor.tell(fail('third'))
    await simulation.runFor(5_000)
    expect(seen).to.deep.equal([undefined, 'first', 'second', 'third'])
    expect(failures.map(({ error, failures: row }) => [error, row])).to.deep.equal([
      ['first', 1],
      ['second', 2],
      ['third', 1],
    ])
    const about = { address: 'a/one', family: 'a', key: 'one', during: 'receive' }
    expect(failures[0]).to.deep.include({ ...about, message: fail('first') })
    expect(failures[0]?.retryIn).to.be.within(0, 100)
  })

  it('backs off a failing start in the same way, and never gives up', async () => {
    const simulation = new Simulation()
    let starts = 0
    const behaviour: Behaviour<undefined, Note> = {
      start: async () => {
        starts++
        if (simulation.clock.now() < 3_600_000) throw new Error('not yet')
        return undefined
      },
      receive: () => undefined,
    }
    const actor = actorOf(simulation.system, behaviour, { supervision: { maxBackoff: 10_000 } })
    actor.tell(note('kept'))
    await simulation.runFor(3_600_000)
    expect(starts).to.be.within(300, 3_000)
    await simulation.runFor(10_000)
    expect(simulation.system.stats().total).to.include({ processed: 1, failed: 0, restarts: starts - 1 })
  })

  const limits: [failures: number, limit: number][] = [
    [1, 100],
    [2, 200],
    [3, 400],
    [10, 51_200],
    [11, 60_000],
    [2_000, 60_000],
  ]
  for (const [failures, limit] of limits)
    it(`waits between half of ${limit} ms and all of it after failure ${failures}`, () => {
      expect(restartDelay({}, failures, () => 0)).to.equal(limit / 2)
      expect(restartDelay({}, failures, () => 1)).to.equal(limit)
    })

  it('starts the actor again although the report itself fails', async () => {
    const simulation = new Simulation()
    const report = (): never => {
      throw new Error('broken')
    }
    const actor = actorOf(simulation.system, notebook(), { supervision: { report } })
    actor.tell(fail('x'))
    await simulation.runFor(1_000)
    expect(simulation.system.stats().total).to.include({ restarts: 1, live: 1 })
  })
})
