import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { BottleneckRestartLimiter } from '../../src/manager/restart-limiter.ts'

const limits = { inFlight: 3, inFlightPerNamespace: 2, perMinute: 100, perMinutePerNamespace: 100 }

/** Asks for a turn for each caller, and returns each turn a moment later. */
async function run(limiter: BottleneckRestartLimiter, callers: readonly [caller: string, namespace: string][]) {
  const held = new Map<string, string>()
  const seen = { max: 0, maxInOne: 0, granted: [] as string[] }
  await Promise.all(
    callers.map(
      ([caller, namespace]) =>
        new Promise<void>((resolve) => {
          limiter.ask(caller, namespace, () => {
            held.set(caller, namespace)
            seen.granted.push(caller)
            seen.max = Math.max(seen.max, held.size)
            seen.maxInOne = Math.max(seen.maxInOne, [...held.values()].filter((one) => one === namespace).length)
            void pause(5).then(() => {
              held.delete(caller)
              limiter.done(caller)
              resolve()
            })
          })
        }),
    ),
  )
  return seen
}

describe('the limiter of restarts', () => {
  let limiter: BottleneckRestartLimiter

  beforeEach(() => {
    limiter = new BottleneckRestartLimiter(limits)
  })

  afterEach(() => limiter.close())

  it('gives everyone a turn, and never more at once than it may', async () => {
    const callers = Array.from({ length: 20 }, (_, i): [string, string] => [`c${i}`, `ns${i % 3}`])
    const seen = await run(limiter, callers)
    expect(seen.granted).to.have.members(callers.map(([caller]) => caller))
    expect(seen.max).to.be.at.most(3)
    expect(seen.maxInOne).to.be.at.most(2)
  })

  it('fills its limit, and no more', async () => {
    const granted: string[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) limiter.ask(name, name, () => void granted.push(name))
    while (granted.length < 3) await pause(1)
    await pause(30)
    expect(granted).to.have.length(3)
    limiter.done(granted[0]!)
    while (granted.length < 4) await pause(1)
  })

  it('counts what is in flight from before', async () => {
    limiter.resume('old', 'ns')
    await pause(20)
    const seen = await run(limiter, [
      ['a', 'ns'],
      ['b', 'ns'],
    ])
    expect(seen.maxInOne).to.equal(1)
  })

  it('does not make workloads wait for restarts that claim to be in flight from before', async () => {
    const granted: string[] = []
    const ask = (name: string) => limiter.ask(name, name, () => void granted.push(name))
    for (const name of ['a', 'b', 'c', 'd']) ask(name)
    while (granted.length < 3) await pause(1)
    for (const name of ['x', 'y', 'z']) limiter.resume(name, name)
    await pause(20)
    limiter.done('a')
    while (!granted.includes('d')) await pause(1)
  })

  it('gives no turn to one that has withdrawn', async () => {
    let granted = 0
    limiter.ask('a', 'ns', () => granted++)
    limiter.done('a')
    await run(limiter, [['b', 'ns']])
    expect(granted).to.equal(0)
  })

  it('has one turn wait for one that asks and withdraws without end, in its first place', async () => {
    const granted: string[] = []
    const held = ['x', 'y']
    for (const name of held) limiter.ask(name, 'ns', () => void granted.push(name))
    while (granted.length < 2) await pause(1)
    for (let i = 0; i < 1_000; i++) {
      limiter.ask('restless', 'ns', () => void granted.push(`restless ${i}`))
      if (i === 0) limiter.ask('other', 'ns', () => void granted.push('other'))
      limiter.done('restless')
    }
    limiter.ask('restless', 'ns', () => void granted.push('restless at last'))
    expect(limiter.waiting).to.equal(2)
    for (const name of held) limiter.done(name)
    while (granted.length < 4) await pause(1)
    expect(granted.slice(2)).to.deep.equal(['restless at last', 'other'])
    expect(limiter.waiting).to.equal(0)
  })

  it('forgets a namespace when nothing of it runs or waits, and not before', async () => {
    const short = new BottleneckRestartLimiter(limits, 10)
    const granted: string[] = []
    const ask = (caller: string) => short.ask(caller, 'ns', () => void granted.push(caller))
    for (const caller of ['a', 'b', 'c']) ask(caller)
    while (granted.length < 2) await pause(1)
    await pause(60)
    ask('d')
    await pause(30)
    expect(granted).to.deep.equal(['a', 'b'])
    for (const caller of ['a', 'b', 'c', 'd']) {
      while (!granted.includes(caller)) await pause(1)
      short.done(caller)
    }
    while (short.namespaces > 0) await pause(1)
    await short.close()
  })

  it('says which limit is none', () => {
    expect(() => new BottleneckRestartLimiter({ ...limits, perMinute: 0 })).to.throw(RangeError, 'perMinute')
  })
})
