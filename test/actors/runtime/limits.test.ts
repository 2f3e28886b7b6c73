import { expect } from 'chai'
import type { ActorContext } from '../../../actors/runtime/behaviour.ts'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import type { Supervision } from '../../../actors/runtime/supervision.ts'
import { ActorSystem, type SystemOptions } from '../../../actors/runtime/system.ts'
import { sleep, systemClock } from '../../../src/base/clock.ts'
import { asRun } from '../../run/as-run.ts'
import { actorOf, notebook } from './behaviours.ts'

const forever = Number.POSITIVE_INFINITY
const never = [Number.NaN, -1, Number.NEGATIVE_INFINITY, '5' as unknown as number]
const noTime = [...never, 0, forever]
const noCount = [...never, 0, 1.5, forever]

/** The error that a promise is rejected with. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

const module = asRun('./placement/furnished-thread.ts', import.meta.url)

describe('a limit that is none is refused at once', () => {
  it('of an ask, whose message is not sent then', async () => {
    const { system } = new Simulation()
    const references = [actorOf(system, notebook())]
    for (const actor of [...references, system.lookup<never>('no/one')])
      for (const timeout of noTime)
        expect(await rejection(actor.ask({ type: 'read' } as never, { timeout })), `${timeout}`)
          .to.be.instanceOf(RangeError)
          .with.property('message')
          .that.includes(`${timeout}`)
    expect(system.stats().total.sent).to.equal(0)
  })

  it('of an ask of an actor on another thread', async () => {
    const system = new ActorSystem()
    const actor = system
      .thread('t', { module, families: ['keeper'] })
      .family<never>('keeper')
      .of('k')
    for (const timeout of noTime)
      expect(await rejection(actor.ask({ type: 'list' } as never, { timeout }))).to.be.instanceOf(RangeError)
    expect(system.stats().threads['t']?.link.sent).to.equal(0)
    await system.stop({ within: 0 })
  })

  it('of the time to stop, which may be nothing or without end', async () => {
    for (const within of never) {
      const { system } = new Simulation()
      expect(await rejection(system.stop({ within }))).to.be.instanceOf(RangeError)
      expect(actorOf(system, notebook()).tell({ type: 'note', text: 'a' })).to.equal(true)
    }
    for (const within of [0, forever]) {
      const { system } = new Simulation()
      await system.stop({ within })
    }
  })

  it('of a mailbox, of what a system does at once, of a thread', () => {
    const system = new ActorSystem()
    for (const count of noCount) {
      const mailbox = { capacity: count }
      expect(() => actorOf(system, notebook(), { mailbox }), `${count}`).to.throw(RangeError, `${count}`)
      expect(() => system.family('f', { behaviour: notebook(), mailbox })).to.throw(RangeError)
      expect(() => system.thread('t', { module, families: [], limit: count })).to.throw(RangeError)
      for (const options of [{ concurrency: count }, { batch: count }] satisfies SystemOptions[])
        expect(() => new ActorSystem(options), `${count}`).to.throw(RangeError)
    }
    for (const size of noTime)
      for (const options of [{ heap: size }, { newObjects: size }])
        expect(() => system.thread('t', { module, families: [], ...options })).to.throw(RangeError, `${size}`)
    expect(system.stats()).to.have.property('threads').that.deep.equals({})
  })

  it('of supervision', () => {
    const { system } = new Simulation()
    const wrong: Supervision[] = [
      ...[...never, forever].flatMap((time) => [{ firstBackoff: time }, { maxBackoff: time }]),
      ...never.map((healthyAfter) => ({ healthyAfter })),
    ]
    for (const supervision of wrong) {
      expect(() => actorOf(system, notebook(), { supervision }), JSON.stringify(supervision)).to.throw(RangeError)
      expect(() => system.thread('t', { module, families: [], restart: supervision })).to.throw(RangeError)
    }
    actorOf(system, notebook(), { supervision: { firstBackoff: 0, healthyAfter: forever } })
  })

  it('of the time after which an actor of a family is idle, which may never come', async () => {
    const simulation = new Simulation()
    const { system } = simulation
    for (const idleAfter of [...never, 0])
      expect(() => system.family('f', { behaviour: notebook(), idleAfter })).to.throw(RangeError)
    system.family('f', { behaviour: notebook(), idleAfter: forever }).of('k').tell({ type: 'note', text: 'a' })
    await simulation.runFor(1e9)
    expect(system.stats().total).to.include({ live: 1, processed: 1 })
    expect(simulation.clock.timers).to.equal(0)
  })

  it('of a timer, which fails its actor', async () => {
    const simulation = new Simulation()
    const wrong: ((context: ActorContext<never>) => void)[] = [
      ...[...never, forever].map((delay) => (context: ActorContext<never>) => context.after('k', delay, 0 as never)),
    ]
    for (const start of wrong) {
      const errors: unknown[] = []
      const supervision = { firstBackoff: 1e6, report: ({ error }: { error: unknown }) => errors.push(error) }
      actorOf<void, never>(simulation.system, { start, receive: () => undefined }, { supervision }).tell(0 as never)
      await simulation.settle()
      expect(errors).to.have.length(1)
      expect(errors[0]).to.be.instanceOf(RangeError)
    }
    // The remaining timers belong to the dead letters of the restarts.
    expect(simulation.clock.timers).to.equal(wrong.length)
  })

  it('of clocks and simulations', async () => {
    const simulation = new Simulation()
    const { clock } = simulation
    for (const time of [...never, forever]) {
      expect(() => clock.advance(time)).to.throw(RangeError)
      expect(await rejection(simulation.runFor(time))).to.be.instanceOf(RangeError)
      expect(await rejection(simulation.runUntil(() => false, time))).to.be.instanceOf(RangeError)
      expect(await rejection(simulation.runUntilQuiet(time))).to.be.instanceOf(RangeError)
    }
    for (const time of [Number.NaN, forever]) {
      expect(await rejection(simulation.runUntilTime(time))).to.be.instanceOf(RangeError)
      expect(() => new SimulatedClock(time)).to.throw(RangeError)
    }
    expect(() => systemClock.after(Number.NaN, () => undefined)).to.throw(RangeError)
    expect(await rejection(sleep(clock, Number.NaN))).to.be.instanceOf(RangeError)
    expect(clock.now()).to.equal(0)
  })
})
