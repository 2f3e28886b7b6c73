import { expect } from 'chai'
import fc from 'fast-check'
import type { Scratch } from '../../../src/audit/batch/scratch.ts'
import { Accounting } from '../../../src/audit/pipeline/accounting.ts'
import { demo, demoPid, knowing, run } from '../harness.ts'
import { ManualClock } from '../manual-clock.ts'
import { denial } from '../pipeline-world.ts'
import { DigestWorld, parsed } from './digest-world.ts'

const containerID = demo.containers[0]!.containerID
const many = (count: number, name = '/same', pid = demoPid): string => denial(name, pid).repeat(count)

describe('a rate of violations', () => {
  let clock: ManualClock
  let world: DigestWorld
  let scratch: Scratch
  const add = (text: string): void =>
    world.add(run('auditlog', text, { final: true, minute: world.digest.minute }, scratch))

  beforeEach(() => {
    clock = new ManualClock()
    world = new DigestWorld(clock, 10)
    scratch = knowing({ kinds: 'lines' })
  })

  it('lets so many of a container through in a second, and says how many of what it holds back', async () => {
    add(many(10))
    expect(world.said('held back')).to.deep.equal([])
    add(many(20) + many(5, '/other'))
    expect(world.held).to.equal(24)
    expect(world.violations.filter(({ event }) => event.name === '/other')).to.have.length(1)
    const [closing] = world.said('held back')
    expect(closing).to.include({ level: 'warn', containerID, podName: 'demo-1-5bccf6777c-c8lzr' })
    expect(closing!['heldBack']).to.include({ rate: 10 })
    expect(world.digest.holding).to.equal(1)

    await clock.advance(500)
    add(many(7))
    expect(world.held, 'half a second is five more').to.equal(26)
    await clock.advance(3_000)
    const [opening] = world.said('held back ended')
    expect(opening).to.include({ level: 'warn', containerID })
    const { events, kinds, other, from, to } = opening!['heldBack']
    expect([events, other, Date.parse(to) - Date.parse(from)]).to.deep.equal([26, 0, 500])
    expect(kinds.map((kind: { object: string; events: number }) => [kind.object, kind.events])).to.deep.equal([
      ['/same', 22],
      ['/other', 4],
    ])
    expect(world.digest.holding).to.equal(0)
    add(many(10))
    expect(world.held).to.equal(26)
  })

  it('says that it holds back while the queue of the log has room, and what it held back in any case', async () => {
    add(many(30))
    await clock.advance(3_000)
    expect(world.said('held back ended')).to.have.length(1)
    expect(parsed(world.log.lossyText).map(({ message }) => message)).to.deep.equal(['held back'])
  })

  it('lets the first of each kind in a minute through, always', async () => {
    for (let i = 0; i < 100; i++) add(many(2, `/${i}`))
    expect(new Set(world.violations.map(({ event }) => event.name)).size).to.equal(100)
    const before = world.violations.length
    await clock.advance(0)
    add(many(2, '/1'))
    expect(world.violations.length).to.equal(before)
    await clock.advance(60_000)
    world.digest.close()
    expect(world.happened.length).to.equal(202)
    expect(world.violations.length + world.held).to.equal(202)
  })

  it('holds back nothing of one container for another one, and no record that could not be decoded', () => {
    add(many(100) + denial('/of-another', 4000) + denial('/x').replace('audit(1740381264', 'audit(odd').repeat(30))
    expect(world.violations.filter(({ event }) => event.name === '/of-another')).to.have.length(1)
    expect(world.violations.filter(({ undecoded }) => undecoded !== undefined)).to.have.length(30)
    expect(world.held).to.equal(90)
  })

  it('lets so many bytes of a container through, however long its lines are, and how many kinds they are of', async () => {
    const long = (i: number): string => denial(`/${'x'.repeat(4_000)}${i}`)
    for (let second = 0; second < 120; second++) {
      add(Array.from({ length: 12 }, (_, i) => long(second * 12 + i)).join('') + denial('/of-another', 4000))
      await clock.advance(1_000)
    }
    const bytes = world.violations
      .filter(({ event }) => event.name !== '/of-another')
      .reduce((sum, line) => sum + JSON.stringify(line).length + 1, 0)
    // The limits: 10 events of 2 KiB per second with a burst of 64 KiB, and 256 kinds of 2 KiB at once and each minute.
    expect(bytes).to.be.within(3_000_000, 120 * 20_480 + 65_536 + 3 * 524_288)
    expect(world.violations.filter(({ event }) => event.name === '/of-another')).to.have.length(120)
    world.digest.close()
    expect(world.violations.length + world.held).to.equal(world.happened.length)
  })

  it('says what it held back when it ends, and leaves no timer', () => {
    add(many(50))
    world.digest.close()
    expect(world.said('held back ended').map(({ heldBack }) => heldBack.events)).to.deep.equal([40])
    expect(clock.waiting).to.equal(0)
  })

  it('says each minute how much it holds back, as long as that has no end, and adds up', async () => {
    for (let half = 0; half < 400; half++) {
      add(many(20))
      await clock.advance(500)
    }
    expect(world.said('held back ended')).to.deep.equal([])
    const counted = world.said('held back').filter(({ heldBack }) => heldBack.events !== undefined)
    expect(counted).to.have.length(3)
    await clock.advance(3_000)
    const all = [...counted, ...world.said('held back ended')]
    expect(all.reduce((sum, { heldBack }) => sum + heldBack.events, 0)).to.equal(world.held)
    for (const [i, { heldBack }] of all.slice(1).entries())
      expect(Date.parse(heldBack.from)).to.be.at.least(Date.parse(all[i]!['heldBack'].to))
  })

  it('says nothing of a batch that may be read again, and has it stored under its source once it is not', async () => {
    const reached: (() => void)[] = []
    const origin = { source: '0 file', reached: (then: () => void) => void reached.push(then) }
    world.digest.add(run('auditlog', many(30), { final: true, minute: world.digest.minute }, scratch), origin)
    await clock.advance(5_000)
    expect([world.said('held back ended'), world.digest.unsaidOf('0 file')]).to.deep.equal([[], []])
    for (const then of reached) then()
    expect(world.digest.unsaidOf('1 bpf')).to.deep.equal([])
    expect(world.digest.unsaidOf('0 file').map(({ about }) => Object(about['heldBack']).events)).to.deep.equal([20])
    await clock.advance(2_000)
    expect(world.said('held back ended').map(({ heldBack }) => heldBack.events)).to.deep.equal([20])
    expect(world.digest.unsaidOf('0 file')).to.deep.equal([])
  })

  it('says after its end what becomes certain only then, once for all batches', () => {
    const reached: (() => void)[] = []
    const origin = { source: '0 file', reached: (then: () => void) => void reached.push(then) }
    for (let i = 0; i < 2; i++)
      world.digest.add(run('auditlog', many(30), { final: true, minute: world.digest.minute }, scratch), origin)
    world.digest.close()
    expect(world.said('held back ended')).to.deep.equal([])
    for (const then of reached) then()
    expect(world.said('held back ended').map(({ heldBack }) => heldBack.events)).to.deep.equal([50])
  })

  it('forgets containers that are quiet', async () => {
    add(many(1))
    await clock.advance(180_000)
    expect(clock.waiting).to.equal(0)
  })

  it('accounts for every event to the unit: written and held back are all that happened, each line whole and in order', async () => {
    const batch = fc.record({
      lines: fc.array(fc.tuple(fc.constantFrom('/a', '/b', '/c', '/odd'), fc.constantFrom(demoPid, 77, 4000)), {
        maxLength: 60,
      }),
      pause: fc.nat(1_500),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 8 }), fc.constantFrom(0.5, 3, 20), async (batches, rate) => {
        const time = new ManualClock()
        const one = new DigestWorld(time, rate)
        const worker = knowing({ kinds: 'lines' })
        const accounting = new Accounting(() => undefined)
        for (const { lines, pause } of batches) {
          const text = lines
            .map(([name, pid]) =>
              name === '/odd' ? denial(name, pid).replace('audit(', 'audit(x') : denial(name, pid),
            )
            .join('')
          const before = one.held
          const result = run('auditlog', text, { final: true, minute: one.digest.minute }, worker)
          one.add(result)
          accounting.processed(result, false, one.held - before)
          expect(accounting.balanced).to.equal(true)
          await time.advance(pause)
        }
        one.digest.close()
        expect(one.violations.length + one.held).to.equal(one.happened.length)
        expect(accounting.totals.heldBack).to.equal(one.held)
        const said = one.said('held back ended').reduce((sum, { heldBack }) => sum + heldBack.events, 0)
        expect(said).to.equal(one.held)
        expect(one.said('held back')).to.have.length(one.said('held back ended').length)
        let at = 0
        const all = one.happened.map((line) => JSON.stringify(line))
        for (const line of one.violations) {
          at = all.indexOf(JSON.stringify(line), at) + 1
          expect(at, 'a line that came, behind the one before').to.be.above(0)
        }
        expect(one.counts.reduce((sum, { digest }) => sum + digest.events, 0)).to.equal(one.happened.length)
      }),
      { numRuns: 60 },
    )
  })
})
