import { expect } from 'chai'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import type { Loss } from '../../../src/audit/sink/loss-tally.ts'
import { AuditIds } from '../../../src/audit/source/audit-ids.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { KeptSource, type KeptSourceOptions } from '../../../src/audit/source/kept-source.ts'
import type { AuditSource, SourceStats } from '../../../src/audit/source/source.ts'
import { asWall } from '../../../src/base/clock.ts'
import { bytesOf } from '../harness.ts'
import { ManualClock, presentBy, turn } from '../manual-clock.ts'
import { notices } from './notices.ts'

const broken = () => new AuditSourceError('SYSTEM', 'listen: receive', 'see errno', { errno: 'ENOMEM' })

/** Replaces the multicast: a test gives it records, ends it, or breaks it. */
class Wire implements AuditSource {
  readonly name = 'multicast'
  readonly lossKinds = { socketFull: { where: 'socket', why: 'full' } }
  received = 0
  full: number | null = 0
  closed = 0
  #queue: (string | Error | 'end')[] = []
  #wake: () => void = () => undefined
  #seq = 0

  give(...what: (string | Error)[]): void {
    this.#queue.push(...what)
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    for (;;) {
      const next = this.#queue.shift()
      if (next instanceof Error) throw next
      if (next === 'end') return
      if (next === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
      else {
        this.received++
        yield { source: this.name, seq: this.#seq++, format: 'netlink', bytes: bytesOf(next) }
      }
    }
  }

  stats(): SourceStats & { received: number } {
    return { received: this.received, dropped: { socketFull: this.full } }
  }

  stop(): void {
    this.give('end')
  }

  close(): void {
    this.closed++
    this.stop()
  }
}

describe('a source that is kept open', () => {
  function make(refusals: (Error | undefined)[] = [], options: KeptSourceOptions = {}) {
    const [clock, log] = [new ManualClock(), notices()]
    const [wires, lost, got] = [[] as Wire[], [] as Loss[], [] as SourceBatch[]]
    const open = () => {
      const refusal = wires.length === 0 ? undefined : refusals.shift()
      if (refusal !== undefined) throw refusal
      wires.push(new Wire())
      return wires.at(-1)!
    }
    const source = new KeptSource(open, {
      ...{
        clock,
        present: presentBy(clock),
        notify: log.notify,
        lost: (loss) => void lost.push(loss),
        random: () => 0,
      },
      ...options,
    })
    const ended = (async () => {
      for await (const batch of source) got.push(batch)
    })()
    const texts = () => got.map(({ bytes }) => Buffer.from(bytes).toString()).filter((text) => text !== '')
    return { clock, log, wires, lost, got, texts, source, ended }
  }

  describe('that has missed something', () => {
    const before = { at: asWall(5), boot: 'boot', up: 5 }
    const line = (serial: number): string => `type=1400 audit(1740001000.100:${serial}): apparmor="DENIED"\n`
    const missedOf = (...serials: number[]) => {
      const ids = new AuditIds()
      for (const serial of serials) ids.add(`1740001000.100:${serial}`, 1_740_001_000.1)
      return { pieces: serials.map((serial) => bytesOf(line(serial))), ids }
    }

    it('hands that on first, and what it then brings of it not again; its place stays where it was until then', async () => {
      const { clock, wires, texts, got, source, ended } = make([], {
        missed: { since: before, find: async () => missedOf(1, 2) },
      })
      const start = source.position
      wires[0]!.give(line(2) + line(3), line(4))
      await turn()
      expect(texts()).to.deep.equal([])
      await clock.advance(1_000)
      await turn()
      source.stop()
      await ended
      expect(texts()).to.deep.equal([line(1), line(2), line(3), line(4)])
      expect(start).to.deep.equal(before)
      expect(got.slice(0, 2).map(({ format, position }) => ({ format, position }))).to.deep.equal(
        Array(2).fill({ format: 'auditlog', position: start }),
      )
      expect(got.map(({ seq }) => seq)).to.deep.equal(got.map((_, i) => i))
    })

    for (const how of ['stop', 'close'] as const)
      it(`leaves it to the next one with ${how} before it is found: its place stays before that, whatever comes`, async () => {
        const { wires, got, clock, source, ended } = make([], {
          missed: { since: before, find: async () => missedOf(1) },
        })
        expect(source.stats().behind).to.equal(true)
        wires[0]!.give(line(2))
        await turn()
        await source[how]()
        await ended
        expect(got.map(({ position }) => position)).to.deep.equal(got.map(() => before))
        expect(source.position).to.deep.equal(before)
        expect(source.stats().behind).to.equal(true)
        expect(clock.waiting).to.equal(0)
      })

    it('hands on what is found while it is stopped, and nothing more once it is closed', async () => {
      for (const how of ['stop', 'close'] as const) {
        let found: () => void = () => undefined
        const find = async () => {
          await new Promise<void>((resolve) => (found = resolve))
          return missedOf(1, 2)
        }
        const { clock, texts, source, ended } = make([], { missed: { since: before, find } })
        await clock.advance(1_000)
        await turn()
        await source[how]()
        found()
        await ended
        expect(texts()).to.deep.equal(how === 'stop' ? [line(1), line(2)] : [])
        expect(source.position.at).to.equal(how === 'stop' ? clock.now() : 5)
        expect(source.stats().behind).to.equal(how === 'close')
      }
    })
  })

  it('hands on what comes, and says until when everything was taken', async () => {
    const { clock, wires, got, texts, source, ended } = make()
    wires[0]!.give('a\n', 'b\n')
    await turn()
    await clock.advance(60_000)
    wires[0]!.give('c\n')
    await clock.advance(10)
    const at = () => got.map(({ position }) => (position as { at: number }).at)
    expect(at().at(-1)).to.equal(clock.now() - 1_010)
    source.stop()
    await ended
    expect(texts()).to.deep.equal(['a\n', 'b\n', 'c\n'])
    expect(at()).to.deep.equal(at().toSorted((x, y) => x - y))
    expect(at().at(-1)).to.equal(clock.now())
    expect(got.map(({ seq }) => seq)).to.deep.equal(got.map((_, i) => i))
    expect(clock.waiting).to.equal(0)
  })

  it('says no more than that what came is taken, where records wait behind it for long', async () => {
    const { clock, wires, got, source, ended } = make([], { aliveMs: 1_000_000 })
    const start = clock.now()
    const made = (after: number, text = ''): string => {
      const seconds = (start + after) / 1000
      return `type=1400 audit(${seconds.toFixed(3)}:7): apparmor="DENIED"${text}\n`
    }
    await clock.advance(100_000)
    wires[0]!.give(made(30_250) + made(40_250, ` name="type=1400 audit(${start / 1000 + 90}.000:8)"`))
    await clock.advance(0)
    wires[0]!.give(made(60_250))
    await clock.advance(0)
    wires[0]!.give(made(99_900))
    await clock.advance(0)
    expect(got.map(({ position }) => (position as { at: number }).at - start)).to.deep.equal([40_250, 60_250, 99_000])
    source.stop()
    await ended
  })

  it('says that nothing came, while nothing comes, and that costs a batch of no bytes', async () => {
    const { clock, got, source, ended } = make()
    await clock.advance(20_500)
    expect(got.map(({ bytes }) => bytes.length)).to.deep.equal([0, 0, 0, 0])
    expect(got.at(-1)!.position).to.deep.equal({ at: clock.now() - 1_500, boot: 'boot', up: clock.now() - 1_500 })
    source.stop()
    await ended
  })

  it('is opened again after an error, says so, and counts the missed records as one loss', async () => {
    const { clock, log, wires, lost, texts, source, ended } = make([broken(), broken()])
    wires[0]!.give('a\n')
    wires[0]!.full = 3
    await clock.advance(100)
    const brokeAt = clock.now()
    wires[0]!.give(broken())
    await clock.advance(5_000)
    expect(wires).to.have.length(2)
    wires[1]!.give('b\n')
    wires[1]!.full = 4
    await clock.advance(100)
    expect(texts()).to.deep.equal(['a\n', 'b\n'])
    expect(log.codes()).to.deep.equal(['audit-source-broke', 'audit-source-back'])
    expect(lost).to.deep.equal([{ where: 'multicast', why: 'reopened', since: brokeAt }])
    expect(source.stats()).to.deep.include({ received: 2, restarts: 1, dropped: { socketFull: 7 } })
    expect(wires[0]!.closed).to.be.above(0)
    source.stop()
    await ended
  })

  it('gives up after a while, so that another source is looked for', async () => {
    const { clock, wires, lost, ended } = make(
      Array.from({ length: 100 }, () => broken()),
      { timeout: 30_000 },
    )
    const error = ended.catch((problem: unknown) => problem)
    wires[0]!.give(broken())
    await clock.advance(60_000)
    expect(await error).to.be.instanceOf(AuditSourceError)
    expect(lost).to.have.length(1)
    expect(clock.waiting).to.equal(0)
  })

  it('throws a bug on', async () => {
    const { wires, ended } = make()
    wires[0]!.give(new TypeError('a bug'))
    expect(await ended.catch((problem: unknown) => problem)).to.be.instanceOf(TypeError)
  })

  for (const how of ['stop', 'close'] as const)
    it(`ends at once with ${how} while it is away`, async () => {
      const { clock, wires, lost, source, ended } = make([broken()])
      wires[0]!.give(broken())
      await clock.advance(1)
      await source[how]()
      await ended
      expect(lost).to.have.length(1)
      expect(clock.waiting).to.equal(0)
    })

  it('does not know a count that the kernel does not give, before or after', async () => {
    const { clock, wires, source, ended } = make()
    wires[0]!.full = null
    wires[0]!.give(broken())
    await clock.advance(1_000)
    expect(source.stats().dropped).to.deep.equal({ socketFull: 0 })
    source.stop()
    await ended
  })

  it('keeps nothing of the times at which it found nothing new', async () => {
    const clock = new ManualClock()
    const wire = new Wire()
    let waits = 0
    const next = new Promise<never>(() => undefined)
    const then = next.then.bind(next)
    Reflect.set(next, 'then', (...handlers: Parameters<typeof then>) => {
      waits++
      return then(...handlers)
    })
    wire[Symbol.asyncIterator] = () => ({ next: () => next }) as unknown as AsyncGenerator<SourceBatch, void, void>
    const source = new KeptSource(() => wire, { clock, present: presentBy(clock) })
    let marks = 0
    const reading = source[Symbol.asyncIterator]()
    while (marks < 100) {
      const mark = reading.next()
      await turn()
      await clock.advance(5_000)
      if ((await mark).done === false) marks++
    }
    expect(waits).to.equal(1)
  })
})
