import { expect } from 'chai'
import { Deferral } from '../../../src/audit/pipeline/deferral.ts'
import { ManualClock } from '../manual-clock.ts'

describe('the waiting room for events without a container', () => {
  const make = (bound = 1000) => {
    const clock = new ManualClock()
    const tried: [owner: string, final: boolean][] = []
    const learned = { version: 1 }
    const room: Deferral<string> = new Deferral<string>({
      ...{ clock, bound, patience: 2000, known: () => learned.version },
      retry: ({ owner }, final) => void tried.push([owner, final]),
    })
    const hold = (owner: string, bytes = 100, deadline?: number) =>
      room.hold(
        {
          owner,
          format: 'auditlog',
          readAt: 1,
          deferred: { reason: 'process-gone', records: 2, bytes: new Uint8Array(bytes) },
        },
        deadline,
      )
    return { clock, tried, learned, room, hold }
  }

  it('lets them go when their time is up, and keeps no timer when nothing waits', async () => {
    const { clock, tried, room, hold } = make()
    hold('a')
    await clock.advance(1000)
    hold('b')
    await clock.advance(999)
    expect(tried).to.deep.equal([])
    await clock.advance(200)
    expect(tried).to.deep.equal([['a', true]])
    await clock.advance(2000)
    expect(tried).to.deep.equal([
      ['a', true],
      ['b', true],
    ])
    expect([room.depth, room.bytes, clock.waiting]).to.deep.equal([0, 0, 0])
  })

  it('tries again soon after something was learned, without giving more time', async () => {
    const { clock, tried, learned, hold } = make()
    const begin = clock.now()
    hold('a')
    learned.version++
    await clock.advance(150)
    expect(tried).to.deep.equal([['a', false]])
    hold('a', 100, begin + 2000)
    await clock.advance(1900)
    expect(tried.at(-1)).to.deep.equal(['a', true])
  })

  it('lets the longest waiting go when too many wait, and counts them', () => {
    const { tried, room, hold } = make(250)
    for (const owner of ['a', 'b', 'c']) hold(owner)
    expect(tried).to.deep.equal([['a', true]])
    expect([room.cutShort, room.bytes]).to.deep.equal([2, 200])
  })

  it('lets everything go at the end', () => {
    const { tried, room, hold, clock } = make()
    hold('a')
    room.close()
    hold('b')
    expect(tried).to.deep.equal([
      ['a', true],
      ['b', true],
    ])
    expect(clock.waiting).to.equal(0)
  })
})
