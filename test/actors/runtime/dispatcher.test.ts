import { expect } from 'chai'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { ActorSystem } from '../../../actors/runtime/system.ts'
import { sleep, systemClock } from '../../../src/base/clock.ts'
import { actorOf } from './behaviours.ts'

describe('dispatcher', () => {
  it('lets no more behaviours await at once than it may', async () => {
    const simulation = new Simulation({ concurrency: 4 })
    let now = 0
    let max = 0
    const actors = Array.from({ length: 50 }, () =>
      actorOf<undefined, number>(simulation.system, {
        start: () => undefined,
        async receive() {
          max = Math.max(max, ++now)
          await sleep(simulation.clock, 100)
          now--
          return undefined
        },
      }),
    )
    for (const actor of actors) actor.tell(1)
    await simulation.runFor(1_200)
    expect(now).to.be.above(0)
    await simulation.runFor(100)
    expect(max).to.equal(4)
    expect(simulation.system.stats().total.processed).to.equal(50)
  })

  it('gives actors that never await their turn while all places are taken by others that hang', async () => {
    const simulation = new Simulation({ concurrency: 2 })
    const { system } = simulation
    let handled = 0
    const prompt = actorOf<undefined, number>(system, { start: () => undefined, receive: () => void handled++ })
    prompt.tell(1)
    await simulation.settle()
    for (let i = 0; i < 5; i++)
      actorOf<undefined, number>(system, {
        start: () => undefined,
        receive: () => new Promise<never>(() => undefined),
      }).tell(1)
    await simulation.settle()
    prompt.tell(2)
    await simulation.settle()
    expect(handled).to.equal(2)
  })

  it('counts a behaviour that begins to await after a while', async () => {
    const simulation = new Simulation({ concurrency: 1 })
    let now = 0
    let max = 0
    const actors = Array.from({ length: 3 }, () =>
      actorOf<undefined, boolean>(simulation.system, {
        start: () => undefined,
        receive: (_, slow) => {
          if (!slow) return undefined
          max = Math.max(max, ++now)
          return sleep(simulation.clock, 10).then(() => void now--)
        },
      }),
    )
    for (const slow of [false, true]) {
      for (const actor of actors) actor.tell(slow)
      await simulation.runFor(100)
    }
    // The dispatcher learns of an actor's first promise only after the call; it holds back later calls.
    max = 0
    for (const actor of actors) actor.tell(true)
    await simulation.runFor(100)
    expect(max).to.equal(1)
    expect(simulation.system.stats().total.processed).to.equal(9)
  })

  it('leaves time for timers and I/O while messages never end', async () => {
    const system = new ActorSystem()
    let rounds = 0
    let over = false
    const endless = actorOf<undefined, number>(system, {
      start: () => undefined,
      receive(_, message, context) {
        rounds++
        if (message > 0) context.self.tell(over ? 0 : message)
        return undefined
      },
    })
    endless.tell(1)
    while (rounds <= 100) await sleep(systemClock, 1)
    over = true
    await system.stop()
  })
})
