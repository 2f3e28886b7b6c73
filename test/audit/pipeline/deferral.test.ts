import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import fc from 'fast-check'
import type { WaitKey } from '../../../src/audit/enrich/wait-keys.ts'
import { Deferral, type Retry } from '../../../src/audit/pipeline/deferral.ts'
import type { News } from '../../../src/audit/pipeline/snapshot-changes.ts'
import { ManualClock } from '../manual-clock.ts'

/** Records that wait for data about their container; each text is one record with a newline. */
function deferredOf(records: readonly (readonly [text: string, ...keys: WaitKey[]])[], holder = '') {
  const waits: WaitKey[][] = []
  const waitOf = records.map(([, ...keys]) => {
    const known = waits.findIndex(([first]) => first === keys[0])
    return known === -1 ? waits.push(keys) - 1 : known
  })
  let end = 0
  const ends = records.map(([text]) => {
    end += text.length + 1
    return end
  })
  return {
    reason: 'process-gone' as const,
    recorded: false,
    holder,
    records: records.length,
    bytes: new Uint8Array(Buffer.from(records.map(([text]) => `${text}\n`).join(''))),
    ends: Uint32Array.from(ends),
    waitOf: Uint32Array.from(waitOf),
    waits,
  }
}

const linesOf = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString().split('\n').slice(0, -1)

describe('the waiting room for events without a container', () => {
  const make = (bound = 1000) => {
    const clock = new ManualClock()
    const retries: Retry<string>[] = []
    let news: WaitKey[] | 'all' = []
    const room: Deferral<string> = new Deferral<string>({
      ...{ clock, bound, timeout: 2000, longTimeout: 5000, timeoutInRing: 500 },
      news: (): News => {
        const taken = news
        news = []
        return taken
      },
      retry: (retry) => void retries.push(retry),
    })
    const learn = (...keys: WaitKey[] | ['all']) => {
      news = keys[0] === 'all' ? 'all' : [...(news as WaitKey[]), ...keys]
    }
    const hold = (
      owner: string,
      records: Parameters<typeof deferredOf>[0] = [['x'.repeat(99), 1]],
      before?: Retry<string>['before'],
    ) => room.hold({ owner, format: 'auditlog', readAt: 1, deferred: deferredOf(records), before })
    const tried = () => retries.map(({ owner, final }): [string, boolean] => [owner, final])
    const went = () => retries.map(({ bytes }) => linesOf(bytes))
    return { clock, retries, tried, went, learn, room, hold }
  }

  it('keeps what is recorded longer, as it would be missing in a model', async () => {
    const { clock, room, tried } = make()
    room.hold({ owner: 'a', format: 'auditlog', readAt: 1, deferred: { ...deferredOf([['x', 1]]), recorded: true } })
    await clock.advance(4000)
    expect(tried()).to.deep.equal([])
    await clock.advance(1000)
    expect(tried()).to.deep.equal([['a', true]])
  }).timeout(10_000)

  it('keeps what stays in a ring of the kernel for a shorter time', async () => {
    const { clock, room, tried } = make()
    room.hold({ owner: 'a', format: 'record', readAt: 1, deferred: { ...deferredOf([['x', 1]]), recorded: true } })
    await clock.advance(500)
    expect(tried()).to.deep.equal([['a', true]])
  })

  it('has what is recorded make room for violations, however long those have waited', () => {
    const { room, hold, tried } = make(250)
    const recorded = { ...deferredOf([['x'.repeat(99), 1]]), recorded: true }
    hold('violation')
    for (const owner of ['model', 'another']) room.hold({ owner, format: 'auditlog', readAt: 1, deferred: recorded })
    hold('second violation')
    expect(tried()).to.deep.equal([
      ['model', true],
      ['another', true],
    ])
  })

  it('lets them go when their time is up, and keeps no timer when nothing waits', async () => {
    const { clock, tried, room, hold } = make()
    hold('a')
    await clock.advance(1000)
    hold('b')
    await clock.advance(999)
    expect(tried()).to.deep.equal([])
    await clock.advance(200)
    expect(tried()).to.deep.equal([['a', true]])
    await clock.advance(2000)
    expect(tried()).to.deep.equal([
      ['a', true],
      ['b', true],
    ])
    expect([room.depth, room.bytes, clock.waiting]).to.deep.equal([0, 0, 0])
  })

  it('tries again soon after something was learned about them, without giving more time', async () => {
    const { clock, retries, tried, learn, hold } = make()
    const begin = clock.now()
    hold('a', [['r', 7]])
    learn(7)
    await clock.advance(150)
    expect(tried()).to.deep.equal([['a', false]])
    expect(retries[0]!.before).to.deep.equal({ since: begin, deadline: begin + 2000, tries: 1 })
    hold('a', [['r', 7]], retries[0]!.before)
    await clock.advance(1900)
    expect(tried().at(-1)).to.deep.equal(['a', true])
  })

  const rows: { what: string; learnt: WaitKey[]; go: string[] }[] = [
    { what: 'of a process', learnt: [7], go: ['a', 'c'] },
    { what: 'of a container', learnt: ['c1'], go: ['b'] },
    { what: 'of a cgroup, which is known beside the process', learnt: ['cgroup 9'], go: ['d'] },
    { what: 'of two', learnt: ['c1', 7], go: ['a', 'b', 'c'] },
    { what: 'that is no news for any of them', learnt: [8, 'c2', 'cgroup 7'], go: [] },
  ]
  for (const { what, learnt, go } of rows)
    it(`tries only those that wait for it, in their order, after news ${what}`, async () => {
      const { clock, went, learn, room, hold } = make()
      hold('x', [
        ['a', 7],
        ['b', 'c1'],
        ['c', 7],
        ['d', 6, 'cgroup 9'],
      ])
      learn(...learnt)
      await clock.advance(150)
      expect(went()).to.deep.equal(go.length > 0 ? [go] : [])
      await clock.advance(2000)
      expect(went().flat().toSorted()).to.deep.equal(['a', 'b', 'c', 'd'])
      expect([room.depth, room.bytes]).to.deep.equal([0, 0])
    })

  it('says which retry is the last one of what was held together', async () => {
    const { clock, retries, learn, hold } = make()
    hold('x', [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
    for (const pid of [2, 1]) {
      learn(pid)
      await clock.advance(100)
    }
    await clock.advance(2000)
    expect(retries.map(({ last }) => last)).to.deep.equal([false, false, true])
  })

  it('takes what was learnt while the first of them was on its way, and nothing of old', async () => {
    const { clock, went, learn, hold } = make()
    learn(7)
    hold('x', [['a', 7]])
    await clock.advance(150)
    expect(went()).to.deep.equal([['a']])
    await clock.advance(5000)
    learn('all')
    hold('y', [['b', 7]])
    await clock.advance(150)
    expect(went()).to.deep.equal([['a']])
  })

  it('tries everything when it is not known any more what was learnt', async () => {
    const { clock, went, learn, hold } = make()
    hold('x', [
      ['a', 1],
      ['b', 'c1'],
    ])
    learn('all')
    await clock.advance(150)
    expect(went()).to.deep.equal([['a', 'b']])
  })

  it('tries no record more than a few times, however many news there are of it', async () => {
    const { clock, retries, learn, room, hold } = make()
    hold('x', [['a', 7]])
    let seen = 0
    for (let ms = 0; ms < 3000; ms += 10) {
      learn(7)
      await clock.advance(10)
      for (; seen < retries.length; seen++) if (!retries[seen]!.final) hold('x', [['a', 7]], retries[seen]!.before)
    }
    expect(retries.length).to.be.within(3, 6)
    expect(retries.at(-1)!.final).to.equal(true)
    expect(room.depth).to.equal(0)
  })

  it('lets the longest waiting go when too many wait, and counts them', () => {
    const { tried, room, hold } = make(250)
    const two = [
      ['x'.repeat(49), 1],
      ['y'.repeat(49), 2],
    ] as const
    for (const owner of ['a', 'b', 'c']) hold(owner, two)
    expect(tried()).to.deep.equal([['a', true]])
    expect([room.cutShort, room.bytes]).to.deep.equal([2, 200])
  })

  it('has the holder of most make room, and keeps what others have, however long that has waited', () => {
    const { room, tried } = make(1000)
    const holdOf = (owner: string, holder: string, bytes: number): void => {
      const deferred = deferredOf([['x'.repeat(bytes - 1), 1]], holder)
      room.hold({ owner, format: 'auditlog', readAt: 1, deferred })
    }
    for (const victim of ['c1', 'varmor-demo-web']) holdOf(victim, victim, 100)
    for (let i = 0; i < 2_000; i++) holdOf(`flood ${i}`, 'c2', 50)
    holdOf('c3', 'c3', 100)
    expect(tried().map(([owner]) => owner)).to.deep.equal(Array.from({ length: 2_000 - 14 }, (_, i) => `flood ${i}`))
    expect([room.bytes, room.depth, room.cutShort]).to.deep.equal([1000, 17, 1_986])
  })

  it('has the holder of most results make room where these are many and small', () => {
    const { room, tried, hold } = make(10_000_000)
    hold('victim', [['x'.repeat(9_999), 1]])
    const deferred = deferredOf([['x', 1]], 'c2')
    for (let i = 0; i < 20_000; i++) room.hold({ owner: 'flood', format: 'auditlog', readAt: 1, deferred })
    expect(room.depth).to.equal(16_384)
    expect(new Set(tried().map(([owner]) => owner))).to.deep.equal(new Set(['flood']))
  })

  it('keeps so many shares, and the records of further holders in one', () => {
    const { room, tried } = make(100_000)
    for (let i = 0; i < 5_000; i++) {
      const deferred = deferredOf([['x'.repeat(49), 1]], `holder ${i}`)
      room.hold({ owner: `${i}`, format: 'auditlog', readAt: 1, deferred })
    }
    // The first records already had their own shares when the others arrived.
    expect(
      tried()
        .map(([owner]) => Number(owner))
        .every((i) => i >= 1_024),
    ).to.equal(true)
    expect(room.bytes).to.equal(100_000)
  })

  it('lets everything go at the end', () => {
    const { tried, room, hold, clock } = make()
    hold('a')
    room.close()
    hold('b')
    expect(tried()).to.deep.equal([
      ['a', true],
      ['b', true],
    ])
    expect(clock.waiting).to.equal(0)
  })

  it('gives every record exactly once, whatever is learnt and when', async () => {
    const step = fc.oneof(
      fc.record({ hold: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }) }),
      fc.record({ learn: fc.constantFrom<WaitKey | 'all'>(1, 2, 3, 4, 5, 'all') }),
      fc.record({ advance: fc.integer({ min: 1, max: 700 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { clock, went, learn, room, hold } = make(200)
        const held: string[] = []
        for (const one of steps)
          if ('hold' in one) {
            const records = one.hold.map((pid, i) => [`${held.length + i} of ${pid}`, pid] as const)
            held.push(...records.map(([text]) => text))
            hold('x', records)
          } else if ('learn' in one) learn(one.learn as WaitKey)
          else await clock.advance(one.advance)
        room.close()
        expect(went().flat().toSorted()).to.deep.equal(held.toSorted())
        for (const together of went())
          expect(together).to.deep.equal(together.toSorted((a, b) => held.indexOf(a) - held.indexOf(b)))
        expect([room.depth, room.bytes, clock.waiting]).to.deep.equal([0, 0, 0])
      }),
    )
  })
})
