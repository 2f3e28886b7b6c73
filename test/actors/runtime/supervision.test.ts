import { expect } from 'chai'
import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { type Failure, restartDelay, type Supervision } from '../../../actors/runtime/supervision.ts'
import type { Terminated } from '../../../actors/runtime/watches.ts'
import { fail, type Note, note, notebook } from './behaviours.ts'

describe('supervision', () => {
  it('rebuilds the state with start and keeps the mailbox; the failing message is not handled again', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const actor = simulation.system.spawn(notebook(log))
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
    const actor = simulation.system.spawn(notebook(), { mailbox: { capacity: 3 } })
    actor.tell(fail('x'))
    await simulation.settle()
    expect([1, 2, 3, 4, 5].map((i) => actor.tell(note(`${i}`)))).to.deep.equal([true, true, true, false, false])
  })

  it('concerns the failing actor alone', async () => {
    const simulation = new Simulation()
    const log: string[] = []
    const [bad, good] = [simulation.system.spawn(notebook()), simulation.system.spawn(notebook(log))]
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
    const actor = simulation.system.spawn(behaviour, { name: 'a', supervision })
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
    expect(failures[0]).to.deep.include({ address: 'a', during: 'receive', message: fail('first') })
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
    const actor = simulation.system.spawn(behaviour, { supervision: { longestBackoff: 10_000 } })
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

  /** Why an actor with this supervision ended, after it failed once. */
  async function endOf(supervision: Supervision): Promise<Terminated | undefined> {
    const simulation = new Simulation()
    const actor = simulation.system.spawn(notebook(), { name: 'a', supervision })
    let end: Terminated | undefined
    actor.watch((terminated) => {
      end = terminated
    })
    actor.tell(fail('x'))
    await simulation.runFor(60_000)
    return end
  }

  it('stops the actor when asked to, at once or after some failures', async () => {
    expect(await endOf({})).to.equal(undefined)
    expect(await endOf({ giveUpAfter: 2 })).to.equal(undefined)
    for (const supervision of [{ giveUpAfter: 1 }, { decide: () => 'stop' as const }]) {
      const end = await endOf(supervision)
      expect(end).to.include({ address: 'a', why: 'failed' })
      expect(end?.error).to.have.property('message', 'x')
    }
  })

  it('restarts although the decision itself is broken', async () => {
    const decide = (): never => {
      throw new Error('broken')
    }
    expect(await endOf({ decide, report: decide })).to.equal(undefined)
  })

  it('escalates: the parent fails, and restarts with a new child', async () => {
    const failures: Failure[] = []
    const simulation = new Simulation({ onFailure: (failure) => failures.push(failure) })
    let starts = 0
    const parent: Behaviour<undefined, never> = {
      start(context) {
        starts++
        context.spawn(notebook(), { name: 'child', supervision: { decide: () => 'escalate' } })
        return undefined
      },
      receive: () => undefined,
    }
    simulation.system.spawn(parent, { name: 'parent' })
    await simulation.settle()
    simulation.system.lookup<Note>('parent/child').tell(fail('x'))
    await simulation.runFor(1_000)
    expect(starts).to.equal(2)
    expect(failures.map(({ address, during, decision }) => [address, during, decision])).to.deep.equal([
      ['parent/child', 'receive', 'escalate'],
      ['parent', 'child', 'restart'],
    ])
    expect(simulation.system.lookup<Note>('parent/child').tell(note('a'))).to.equal(true)
  })

  it('tells the system when nobody is left to escalate to', async () => {
    const escalated: unknown[] = []
    const simulation = new Simulation({ onEscalation: (address, error) => escalated.push(address, error) })
    simulation.system.spawn(notebook(), { name: 'a', supervision: { decide: () => 'escalate' } }).tell(fail('x'))
    await simulation.settle()
    expect(escalated[0]).to.equal('a')
    expect(escalated[1]).to.have.property('message', 'x')
  })

  it('ends the children of a failed actor before it starts again', async () => {
    const simulation = new Simulation()
    const order: string[] = []
    let run = 0
    const child: Behaviour<undefined, never> = {
      start: () => undefined,
      receive: () => undefined,
      stop: async () => {
        await new Promise<void>((resolve) => simulation.clock.after(5_000, resolve))
        order.push('child ended')
      },
    }
    const actor = simulation.system.spawn<undefined, Note>({
      start(context) {
        order.push(`start ${++run}`)
        context.spawn(child, { name: 'child' })
        return undefined
      },
      receive: () => {
        throw new Error('x')
      },
    })
    await simulation.settle()
    actor.tell(fail('x'))
    await simulation.runFor(10_000)
    expect(order).to.deep.equal(['start 1', 'child ended', 'start 2'])
  })
})
