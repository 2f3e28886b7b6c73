import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import type { Loss } from '../../../src/audit/sink/loss-tally.ts'
import { Checkpoint, parseContent } from '../../../src/audit/source/checkpoint.ts'
import type { MissedPorts } from '../../../src/audit/source/missed-records.ts'
import { openAuditSource } from '../../../src/audit/source/open-source.ts'
import { bytesOf } from '../harness.ts'
import { ManualClock, presentBy } from '../manual-clock.ts'
import { IdleSource } from './idle-source.ts'
import { notices, Reading } from './notices.ts'

const hour = 3_600_000
const year = 365 * 24 * hour
const sets = [
  { what: 'stays', by: 0 },
  { what: 'is set an hour back', by: -hour },
  { what: 'is set an hour ahead', by: hour },
  { what: 'is set a year back', by: -year },
  { what: 'is set a year ahead', by: year },
]

async function allOf(source: AsyncIterable<SourceBatch>): Promise<SourceBatch[]> {
  const batches: SourceBatch[] = []
  for await (const batch of source) batches.push(batch)
  return batches
}

/** Yields some records, and then none until it is stopped. */
class Heard extends IdleSource {
  readonly #text: string

  constructor(text: string) {
    super('multicast')
    this.#text = text
  }

  override async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    yield { source: this.name, seq: 0, format: 'netlink', bytes: bytesOf(this.#text) }
    await super[Symbol.asyncIterator]().next()
  }
}

describe('what was said while no agent listened', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-gap-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const denial = (clock: ManualClock, serial: number): string =>
    `audit(${(clock.wall() / 1_000).toFixed(3)}:${serial}): apparmor="DENIED" name="/f/${serial}"`
  const path = (): string => join(folder, 'position.json')
  const booted = new ManualClock().now() - 1_000_000
  const serialsOf = (text: string): number[] => Array.from(text.matchAll(/name="\/f\/(\d+)"/g), ([, n]) => Number(n))

  /** An agent reads record 6 and ends. Then the kernel makes records 7 and 8, and another agent starts. */
  async function restart(by: number, logs: 'kernel' | 'auditd', setAt: 'before' | 'between' | 'after') {
    const clock = new ManualClock()
    const options = { clock, present: presentBy(clock) }
    const [lost, log] = [[] as Loss[], notices()]
    const kernel = ['<6>[    0.000000] Linux']
    const auditd: string[] = []
    const said = (serial: number): string => {
      const text = denial(clock, serial)
      kernel.push(`<5>[ ${((clock.now() - booted) / 1_000).toFixed(6)}] audit: type=1400 ${text}`)
      auditd.push(`type=AVC msg=${text}`)
      return `type=1400 ${text}\n`
    }
    for (const serial of [1, 2, 3, 4, 5]) {
      said(serial)
      await clock.advance(60_000)
    }
    const first = new Checkpoint(path(), options)
    const heard = said(6)
    const { source } = await openAuditSource(
      { kind: 'multicast' },
      { ...options, checkpoint: first, multicast: () => new Heard(heard) },
    )
    const reading = allOf(source!)
    await clock.advance(30_000)
    source!.stop()
    for (const { position } of await reading) first.commit(position)
    await first.flush()

    if (setAt === 'before') clock.setBack(-by)
    await clock.advance(10_000)
    said(7)
    if (setAt === 'between') clock.setBack(-by)
    await clock.advance(10_000)
    said(8)
    if (setAt === 'after') clock.setBack(-by)
    await clock.advance(10_000)

    const missed: MissedPorts = {
      // Record 6 has a line. Lines of older records are gone, but these records do not belong to the gap.
      findWritten: async () => new Set([`boot-audit-${heard.slice(16, heard.indexOf(')'))}-00000000`]),
      kernelLog: () => (logs === 'kernel' ? `${kernel.join('\n')}\n` : `${kernel[0]}\n`),
      auditLog: join(folder, 'audit.log'),
      limit: () => ({ interval: 0, burst: 10 }),
      now: () => clock.wall() / 1_000,
      uptime: () => (clock.now() - booted) / 1_000,
    }
    const present = () => ({ ...presentBy(clock)(), up: clock.now() })
    const opening = openAuditSource(
      { kind: 'multicast' },
      {
        ...{ clock, present, missed, multicast: () => new IdleSource('multicast') },
        ...{ checkpoint: new Checkpoint(path(), options), follow: { notify: log.notify } },
        lost: (loss) => void lost.push(loss),
      },
    )
    const again = (await opening).source!
    // Record 9 comes after the gap.
    await clock.advance(500)
    said(9)
    writeFileSync(join(folder, 'audit.log'), logs === 'auditd' ? `${auditd.join('\n')}\n` : '')
    const found = new Reading(again)
    await clock.advance(1_000)
    await found.until((text) => text !== '' || lost.length > 0)
    again.stop()
    await found.ended
    return { found: serialsOf(found.text), lost, clock }
  }

  for (const { what, by } of sets)
    for (const logs of ['kernel', 'auditd'] as const)
      for (const setAt of ['before', 'between', 'after'] as const)
        it(`is found in the log of ${logs} where the time of day ${what} ${setAt} it`, async () => {
          const { found, lost } = await restart(by, logs, setAt)
          expect(found.filter((serial) => serial < 9)).to.deep.equal([7, 8])
          expect(lost).to.deep.equal([])
        })

  for (const { what, by } of sets)
    it(`is said to be lost, and since when, where the logs lack it and the time of day ${what}`, async () => {
      const clock = new ManualClock()
      const options = { clock, present: presentBy(clock) }
      await new Checkpoint(path(), options).begin('multicast', options.present())
      await clock.advance(60_000)
      clock.setBack(-by)
      const lost: Loss[] = []
      const multicast = () => new IdleSource('multicast')
      const checkpoint = new Checkpoint(path(), options)
      const note = (loss: Loss): void => void lost.push(loss)
      const { source } = await openAuditSource({ kind: 'multicast' }, { ...options, checkpoint, multicast, lost: note })
      await source!.close()
      expect(lost).to.deep.equal([{ where: 'multicast', why: 'not-running', since: clock.wall() - 60_000 }])
    })

  it('is said to be lost where the machine was booted with a time of day that was set back', async () => {
    const clock = new ManualClock()
    const options = (boot: string) => ({ clock, present: presentBy(clock, boot) })
    const before = options('one')
    await new Checkpoint(path(), before).begin('multicast', before.present())
    clock.setBack(hour)
    const lost: Loss[] = []
    const multicast = () => new IdleSource('multicast')
    const found = (): never => expect.fail('nothing tells which records these are')
    const missed: MissedPorts = { findWritten: async () => found(), kernelLog: () => found() }
    const checkpoint = new Checkpoint(path(), before)
    const note = (loss: Loss): void => void lost.push(loss)
    const { source } = await openAuditSource(
      { kind: 'multicast' },
      { ...options('two'), checkpoint, multicast, missed, lost: note },
    )
    await source!.close()
    expect(lost).to.deep.equal([{ where: 'multicast', why: 'not-running' }])
  })

  it('never goes back to before what was taken, where the time of day is set back while an agent listens', async () => {
    const clock = new ManualClock()
    const options = { clock, present: presentBy(clock) }
    const checkpoint = new Checkpoint(path(), options)
    const { source } = await openAuditSource(
      { kind: 'multicast' },
      { ...options, checkpoint, multicast: () => new IdleSource('multicast') },
    )
    const reading = allOf(source!)
    await clock.advance(60_000)
    clock.setBack(hour)
    await clock.advance(60_000)
    source!.stop()
    const positions = (await reading).map(({ position }) => position as { up: number; at: number })
    expect(positions.map(({ up }) => up)).to.deep.equal(positions.map(({ up }) => up).toSorted((a, b) => a - b))
    expect(positions.at(-1)!.at).to.equal(clock.wall())
    await checkpoint.flush()
    expect(Object(parseContent(readFileSync(path()))?.position).boot).to.equal('boot')
  })
})
