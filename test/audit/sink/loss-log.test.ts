import { expect } from 'chai'
import { LossLog } from '../../../src/audit/sink/loss-log.ts'
import type { LossReport } from '../../../src/audit/sink/loss-tally.ts'
import { asWall } from '../../../src/base/clock.ts'
import { ManualClock } from '../manual-clock.ts'

describe('the log of losses', () => {
  let clock: ManualClock
  let lines: LossReport[]
  let warnings: object[]
  let losses: LossLog

  beforeEach(() => {
    clock = new ManualClock()
    lines = []
    warnings = []
    losses = new LossLog({ clock, logger: { warn: (fields) => void warnings.push(fields) } })
    losses.onLine(() => lines.push(...losses.takeLines()))
  })

  it('says at once what is lost, with all that is lost in the same turn', async () => {
    const now = clock.now()
    losses.note({ where: 'sink', why: 'ENOSPC', events: 2 })
    losses.note({ where: 'sink', why: 'ENOSPC', events: 3, since: asWall(now - 500) })
    await clock.advance(0)
    expect(lines).to.deep.equal([{ where: 'sink', why: 'ENOSPC', from: now - 500, to: now, events: 5 }])
    const [from, to] = [new Date(now - 500).toISOString(), new Date(now).toISOString()]
    expect(warnings).to.deep.equal([{ where: 'sink', reason: 'ENOSPC', count: 5, from, to }])
  })

  it('gives one line and one warning a second for each place and reason, and no event is left out', async () => {
    for (let i = 0; i < 5_000; i++) {
      losses.note({ where: 'kernel', why: 'backlog', events: 1 })
      losses.note({ where: 'ring', why: 'full', events: 2 })
      await clock.advance(1)
    }
    await clock.advance(1_000)
    for (const [where, events] of [['kernel', 5_000] as const, ['ring', 10_000] as const]) {
      const ofIt = lines.filter((line) => line.where === where)
      expect(ofIt.length).to.be.within(5, 6)
      expect(ofIt.reduce((sum, line) => sum + (line.events ?? 0), 0)).to.equal(events)
      for (const [i, line] of ofIt.slice(1).entries()) expect(line.from).to.be.at.least(ofIt[i]!.to)
    }
    expect(warnings).to.have.length(lines.length)
    expect(losses.counts).to.deep.equal([
      { where: 'kernel', why: 'backlog', events: 5_000, uncounted: 0 },
      { where: 'ring', why: 'full', events: 10_000, uncounted: 0 },
    ])
    expect(clock.waiting).to.equal(0)
  })

  it('says that a number is not known, rather than one that is too small', async () => {
    losses.note({ where: 'file', why: 'truncated', events: 7 })
    losses.note({ where: 'file', why: 'truncated' })
    losses.note({ where: 'file', why: 'truncated', events: 1 })
    await clock.advance(0)
    expect(lines.map(({ events }) => events)).to.deep.equal([undefined])
    expect(warnings).to.have.nested.property('[0].count', 'unknown')
    expect(losses.counts).to.deep.equal([{ where: 'file', why: 'truncated', events: 8, uncounted: 1 }])
  })

  it('keeps what the sink cannot write yet, and warns of it nevertheless', async () => {
    losses.onLine(() => undefined)
    for (let i = 0; i < 10; i++) {
      losses.note({ where: 'sink', why: 'EIO', events: 1 })
      await clock.advance(500)
    }
    expect(warnings.length).to.be.within(5, 6)
    expect(losses.owesLine()).to.equal(true)
    expect(losses.takeLines().map(({ events }) => events)).to.deep.equal([10])
    expect(losses.owesLine()).to.equal(false)
  })

  it('holds nothing back at the end', async () => {
    losses.note({ where: 'sink', why: 'EIO', events: 1 })
    await clock.advance(0)
    losses.note({ where: 'sink', why: 'EIO', events: 2 })
    expect([losses.owesLine(), losses.owesLine(true)]).to.deep.equal([false, true])
    expect(losses.takeLines(true).map(({ events }) => events)).to.deep.equal([2])
    losses.close()
    losses.note({ where: 'socket', why: 'discarded', events: 3 })
    expect(warnings.map((fields) => Object.values(fields)[2])).to.deep.equal([1, 2, 3])
    expect(losses.counts).to.deep.include({ where: 'socket', why: 'discarded', events: 3, uncounted: 0 })
    expect(clock.waiting).to.equal(0)
  })

  it('delays nothing when somebody sets the clock back', async () => {
    losses.note({ where: 'sink', why: 'EIO', events: 1 })
    await clock.advance(0)
    clock.setBack(3_600_000)
    losses.note({ where: 'sink', why: 'EIO', events: 1 })
    await clock.advance(1_000)
    expect(lines).to.have.length(2)
  })

  it('keeps a bounded number of reasons apart, and counts the rest together', async () => {
    for (let i = 0; i < 1_000; i++) losses.note({ where: 'sink', why: `E${i}`, events: 1 })
    await clock.advance(0)
    expect(lines.length).to.be.below(130)
    expect(lines.reduce((sum, { events }) => sum + (events ?? 0), 0)).to.equal(1_000)
    expect(losses.counts.reduce((sum, { events }) => sum + events, 0)).to.equal(1_000)
    expect(losses.counts.at(-1)).to.include({ where: 'other', why: 'other' })
  })

  it('says nothing where nothing is lost', async () => {
    losses.note({ where: 'sink', why: 'EIO', events: 0 })
    await clock.advance(2_000)
    expect([lines, warnings, losses.counts]).to.deep.equal([[], [], []])
  })

  it('has no line say what may be read again, and what is not said stored under its source', async () => {
    losses.onLine(() => undefined)
    const reached: (() => void)[] = []
    const loss = { where: 'kmsg', why: 'overwritten', events: 4, source: '0 kmsg' }
    losses.note(loss, (then) => void reached.push(then))
    losses.note({ where: 'ring', why: 'full', events: 2, source: '1 bpf' })
    losses.note({ where: 'sink', why: 'sync-EIO' })
    await clock.advance(2_000)
    expect(warnings, 'a warning waits for nothing').to.have.length(3)
    const eventsOf = (source: string) => losses.unsaidOf(source).map(({ about }) => Object(about['lost']).events)
    expect([eventsOf('0 kmsg'), eventsOf('1 bpf'), eventsOf('')]).to.deep.equal([[], [2], [null]])
    for (const then of reached) then()
    await clock.advance(0)
    expect(eventsOf('0 kmsg')).to.deep.equal([4])
    const [first, ...others] = losses.takeStatements()
    expect([first!.source, others.length, losses.owesLine(true)]).to.deep.equal(['1 bpf', 2, false])
    expect(eventsOf('1 bpf'), 'the log may not have it').to.deep.equal([2])
    await losses.said(first!)
    expect([eventsOf('1 bpf'), eventsOf('0 kmsg')]).to.deep.equal([[], [4]])
  })
})
