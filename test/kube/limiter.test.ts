import { expect } from 'chai'
import fc from 'fast-check'
import { ClassQueue } from '../../src/kube/class-queue.ts'
import { type Pace, PriorityLimiter, type RequestClass, requestClasses } from '../../src/kube/limiter.ts'
import { failure, ManualClock, turn } from './harness.ts'

/** A pace whose turns a test gives by hand. */
class HandPace implements Pace {
  waiting: ((turns: number) => void)[] = []
  closed = false
  next(_most: number, callback: (turns: number) => void): void {
    this.waiting.push(callback)
  }
  close(): void {
    this.closed = true
  }
  give(turns: number): void {
    for (let i = 0; i < turns; i++) this.waiting.shift()?.(1)
  }
}

const never = () => new AbortController().signal

function leaving(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort(new Error('left')) }
}

describe('kube limiter', () => {
  const made = (maxPassed = 20) => {
    const pace = new HandPace()
    const clock = new ManualClock()
    const limiter = new PriorityLimiter({ pace, clock, maxPassed })
    const order: string[] = []
    const ask = (of: RequestClass, signal = never()) => limiter.turn(of, signal).then(() => order.push(of))
    return { pace, clock, limiter, order, ask }
  }

  it('gives turns to the highest class, however late it comes', async () => {
    const { pace, order, ask } = made()
    for (const of of [...requestClasses].reverse()) void ask(of)
    pace.give(requestClasses.length)
    await turn()
    expect(order).to.deep.equal(requestClasses)
  })

  it('lets writes of statuses and restarts go before whatever strangers cause', async () => {
    const { pace, order, ask } = made()
    for (let i = 0; i < 15; i++) void ask('stranger')
    for (const of of ['status', 'restart', 'event'] as const) void ask(of)
    pace.give(4)
    await turn()
    expect(order).to.deep.equal(['status', 'restart', 'event', 'stranger'])
  })

  it('keeps what is too much for the server to itself, where the urgent goes first, and a lease goes at once', async () => {
    const pace = new HandPace()
    const limiter = new PriorityLimiter({ pace, clock: new ManualClock(), inFlight: 2 })
    const order: string[] = []
    const ask = (of: RequestClass) => void limiter.turn(of, never()).then(() => order.push(of))
    for (const of of ['status', 'status', 'status', 'policy', 'lease'] as const) {
      ask(of)
      pace.give(1)
    }
    await turn()
    expect(order).to.deep.equal(['status', 'status', 'lease'])
    for (let i = 0; i < 2; i++) limiter.ended()
    await turn()
    expect(order).to.deep.equal(['status', 'status', 'lease', 'policy'])
    limiter.ended()
    await turn()
    expect(order.at(-1)).to.equal('status')
    expect(limiter.waiting).to.equal(0)
  })

  it('loses no turn and gives no turn twice, even if callers leave during requests', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...requestClasses), fc.boolean()), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 3 }),
        async (asked, inFlight) => {
          const pace = new HandPace()
          const limiter = new PriorityLimiter({ pace, clock: new ManualClock(), inFlight })
          let [running, max, done] = [0, 0, 0]
          const stays = asked.filter(([, leaves]) => !leaves).length
          for (const [of, leaves] of asked) {
            const { signal, abort } = leaving()
            const went = async (): Promise<void> => {
              if (of !== 'lease') max = Math.max(max, ++running)
              if (!leaves) done++
              await turn()
              if (of !== 'lease') running--
              limiter.ended()
            }
            void limiter.turn(of, signal).then(went, () => undefined)
            if (leaves) abort()
            pace.give(1)
          }
          for (let i = 0; i < 200; i++) {
            pace.give(1)
            await turn()
          }
          expect(done).to.equal(stays)
          expect(max).to.be.at.most(inFlight)
          expect(limiter.waiting).to.equal(0)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('starves no class: each gets a turn after its patience', async () => {
    const { pace, order, ask } = made(5)
    for (const of of ['event', 'restart'] as const) void ask(of)
    for (let i = 0; i < 30; i++) void ask('policy')
    pace.give(14)
    await turn()
    expect(order.indexOf('event')).to.equal(5)
    expect(order.indexOf('restart')).to.be.within(6, 8)
  })

  it('never lets a higher class wait for two turns of lower ones in a row', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...requestClasses), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 4 }),
        (asked, maxPassed) => {
          const queue = new ClassQueue<RequestClass, { of: RequestClass }>(requestClasses, maxPassed)
          const left = new Map<RequestClass, number>()
          for (const of of asked) {
            queue.add(of, { of })
            left.set(of, (left.get(of) ?? 0) + 1)
          }
          let lower = 0
          for (let item = queue.take(); item !== undefined; item = queue.take()) {
            const highest = requestClasses.find((of) => (left.get(of) ?? 0) > 0)!
            lower = item.of === highest ? 0 : lower + 1
            expect(lower).to.be.below(2)
            left.set(item.of, left.get(item.of)! - 1)
          }
          expect([...left.values()].every((count) => count === 0)).to.equal(true)
        },
      ),
    )
  })

  it('gives no turn to a request that was given up, and its turn to the next', async () => {
    const { pace, limiter, order, ask } = made()
    const controller = new AbortController()
    const given = failure(ask('policy', controller.signal))
    controller.abort(new Error('no more'))
    expect(await given).to.have.property('message', 'no more')
    void ask('event')
    expect([pace.waiting.length, limiter.waiting]).to.deep.equal([1, 1])
    pace.give(1)
    await turn()
    expect(order).to.deep.equal(['event'])
  })

  it('says how long a request waited', async () => {
    const { pace, clock, limiter } = made()
    const waited = limiter.turn('read', never())
    await clock.advance(2500)
    pace.give(1)
    expect(await waited).to.equal(2.5)
  })

  it('refuses who waits when it is closed, and who comes later', async () => {
    const { pace, limiter } = made()
    const waiting = failure(limiter.turn('read', never()))
    limiter.close()
    expect(await waiting).to.match(/closed/)
    expect(await failure(limiter.turn('read', never()))).to.match(/closed/)
    expect(pace.closed).to.equal(true)
  })

  it('gives a burst at once, the rest as the bucket fills, and leaves no timer', async () => {
    const clock = new ManualClock()
    const limiter = new PriorityLimiter({ qps: 40, burst: 20, inFlight: 60, clock })
    let given = 0
    const ask = (count: number) => {
      for (let i = 0; i < count; i++) void limiter.turn('read', never()).then(() => given++)
      return turn()
    }
    await ask(30)
    expect([given, limiter.waiting]).to.deep.equal([20, 10])
    await clock.advance(100)
    expect([given, limiter.waiting]).to.deep.equal([24, 6])
    await clock.advance(900)
    expect([given, limiter.waiting, clock.waiting]).to.deep.equal([30, 0, 0])
    await ask(35)
    expect([given, limiter.waiting]).to.deep.equal([50, 15])
    limiter.close()
    expect(clock.waiting).to.equal(0)
  })
})
