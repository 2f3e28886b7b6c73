import { expect } from 'chai'
import type { Loss } from '../../../src/audit/sink/loss-tally.ts'
import { parseAuditRules } from '../../../src/audit/source/audit-rules.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { SilenceWatch, type WatchedLog } from '../../../src/audit/source/silence-watch.ts'
import { ManualClock } from '../manual-clock.ts'
import { notices } from './notices.ts'
import { exe, type MadeRule, msgtype, rulesBytes } from './rule-bytes.ts'

const avc: MadeRule = { fields: [[msgtype, '=', 1400]] }
const harmless: MadeRule = { fields: [[msgtype, '=', 1307]] }
const minute = 60_000

/** A kernel whose rules a test changes; it announces each change to the multicast. */
class Kernel {
  enabled = 1
  rules: MadeRule[] = []
  changes = { all: 0, exclusionsRemoved: 0 }
  fault: Error | undefined
  asked = 0
  audit = 'normal'

  readonly ask = async () => {
    this.asked++
    if (this.fault !== undefined) throw this.fault
    return { enabled: this.enabled, rules: parseAuditRules(rulesBytes(...this.rules)) }
  }

  readonly read = (path: string): string | undefined =>
    path.endsWith('apparmor/parameters/enabled') ? 'Y' : path.endsWith('parameters/audit') ? this.audit : undefined

  add(rule: MadeRule): void {
    this.rules.push(rule)
    this.changes = { ...this.changes, all: this.changes.all + 1 }
  }

  remove(rule: MadeRule): void {
    this.rules = this.rules.filter((other) => other !== rule)
    this.changes = { all: this.changes.all + 1, exclusionsRemoved: this.changes.exclusionsRemoved + 1 }
  }
}

function world() {
  const [kernel, clock, log] = [new Kernel(), new ManualClock(), notices()]
  const start = clock.now()
  const watch = new SilenceWatch({ ask: kernel.ask, read: kernel.read, clock, notify: log.notify })
  const losses: (Loss & { to: number })[] = []
  /** The reported losses, with times in seconds from the start. */
  const said = () =>
    losses.splice(0).map(({ why, since = Number.NaN, to, events }) => {
      expect(events).to.equal(undefined)
      return `${why} ${(since - start) / 1000}..${(to - start) / 1000}`
    })
  const logOf = (more: Partial<WatchedLog> = {}): WatchedLog => ({
    lost: (loss) => {
      expect(loss.where).to.equal('kernel')
      losses.push({ ...loss, to: clock.wall() })
    },
    changes: () => kernel.changes,
    ...more,
  })
  return { kernel, clock, watch, log, said, logOf, start }
}

describe('a watch for records that the kernel does not make', () => {
  it('says at once that they are missing, since the last time that they were not, and until when', async () => {
    const { kernel, clock, watch, log, said, logOf } = world()
    await watch.start()
    watch.attach(logOf())
    await clock.advance(10_500)
    expect([said(), watch.unreported, log.said]).to.deep.equal([[], undefined, []])
    kernel.add(avc)
    await clock.advance(1_000)
    expect(watch.unreported?.why).to.contain('"-a always,exclude -F msgtype=AVC"')
    expect(watch.unreported?.remedy).to.contain('auditctl -d')
    // The last check without a finding was one second after the start, when the log was attached.
    expect(said()).to.deep.equal(['apparmor-excluded 1..11'])
    await clock.advance(4_000)
    kernel.remove(avc)
    await clock.advance(1_000)
    expect(said()).to.deep.equal(['apparmor-excluded 11..16'])
    expect(watch.unreported).to.equal(undefined)
    expect(log.codes()).to.deep.equal(['audit-silenced', 'audit-silence-ended'])
    expect(log.said[0]).to.include({ level: 'warn' })
  })

  it('finds within a minute what the source is told nothing of', async () => {
    const { kernel, clock, watch, said, logOf } = world()
    await watch.start()
    const { changes: _, ...untold } = logOf()
    watch.attach(untold)
    await clock.advance(30_000)
    kernel.rules = [avc]
    await clock.advance(minute)
    expect(said()).to.deep.equal(['apparmor-excluded 0..60'])
  })

  it('asks once a second at most, however often rules change, and else once a minute', async () => {
    const { kernel, clock, watch, logOf } = world()
    await watch.start()
    watch.attach(logOf())
    for (let i = 0; i < 100; i++) {
      kernel.add(harmless)
      await clock.advance(100)
    }
    expect(kernel.asked).to.be.within(10, 12)
    const before = kernel.asked
    await clock.advance(10 * minute)
    expect(kernel.asked - before).to.equal(10)
  })

  it('says every ten minutes that it lasts, without a gap, and what is left when the agent stops', async () => {
    const { kernel, clock, watch, log, said, logOf } = world()
    kernel.rules = [avc]
    await watch.start()
    const attached = logOf()
    watch.attach(attached)
    expect(said()).to.deep.equal(['apparmor-excluded 0..0'])
    await clock.advance(25 * minute)
    const lines = said()
    expect(lines).to.have.length(2)
    const ends = lines.map((line) => line.split(' ')[1]!.split('..'))
    expect(ends[0]![0]).to.equal('0')
    expect(ends[1]![0]).to.equal(ends[0]![1])
    watch.detach(attached, true)
    expect(said()).to.deep.equal([`apparmor-excluded ${ends[1]![1]}..1500`])
    expect(log.codes()).to.deep.equal(['audit-silenced'])
  })

  it('says of one that was there at the start that it may be as old as the end of the agent before', async () => {
    const { kernel, watch, said, logOf } = world()
    kernel.rules = [avc]
    await watch.start()
    watch.attach(logOf({ seenAgo: minute }))
    // The previous agent may not have reported its last ten minutes.
    expect(said()).to.deep.equal(['apparmor-excluded -660..0'])
  })

  it('says what was missing while no log was there to the next one', async () => {
    const { kernel, clock, watch, said, logOf } = world()
    await watch.start()
    const first = logOf()
    watch.attach(first)
    await clock.advance(2_000)
    watch.detach(first, false)
    kernel.rules = [avc]
    await clock.advance(2 * minute)
    kernel.rules = []
    await clock.advance(2 * minute)
    expect(said()).to.deep.equal([])
    watch.attach(logOf())
    const [line, ...others] = said()
    expect([line, others]).to.deep.equal(['apparmor-excluded 1..242', []])
  })

  it('says that it cannot know, once, and not that nothing is missing', async () => {
    const { kernel, clock, watch, log, said, logOf } = world()
    kernel.fault = new AuditSourceError('NOT_PERMITTED', 'read the rules', 'give AUDIT_CONTROL')
    await watch.start()
    watch.attach(logOf())
    const unknown = () => watch.samples.filter(({ reason }) => reason === 'unknown').map(({ value }) => value)
    await clock.advance(5 * minute)
    expect(log.said).to.have.length(1)
    expect(log.said[0]).to.include({ level: 'warn', code: 'audit-rules-unknown', remedy: 'give AUDIT_CONTROL' })
    expect([unknown(), watch.enabled, said()]).to.deep.equal([[1, 1, 1], undefined, []])
    kernel.fault = undefined
    kernel.rules = [avc]
    await clock.advance(minute)
    expect(unknown()).to.deep.equal([0, 0, 0])
    // The silence started before the first check, at an unknown time.
    expect(said()[0]).to.match(/^apparmor-excluded 0\.\./)
  })

  it('goes on saying that they are missing while it cannot ask whether it is over', async () => {
    const { kernel, clock, watch, said, logOf } = world()
    kernel.rules = [avc]
    await watch.start()
    watch.attach(logOf())
    said()
    kernel.rules = []
    kernel.fault = new Error('a bug')
    await clock.advance(2 * minute)
    expect(watch.unreported).not.to.equal(undefined)
    expect(watch.samples.find(({ records, reason }) => records === 'AppArmor' && reason === 'rule')?.value).to.equal(1)
    kernel.fault = undefined
    await clock.advance(minute)
    expect(watch.unreported).to.equal(undefined)
    expect(said()).to.have.length(1)
  })

  it('has nothing to say where the kernel has no audit: the choice of the source does', async () => {
    const { kernel, watch, log } = world()
    kernel.fault = new AuditSourceError('AUDIT_OFF', 'read', 'boot without audit=0')
    await watch.start()
    expect(log.said).to.deep.equal([])
  })

  it('says that an exclusion came and went between two looks', async () => {
    const { kernel, clock, watch, said, logOf } = world()
    kernel.rules = [harmless]
    await watch.start()
    watch.attach(logOf())
    await clock.advance(5_000)
    kernel.add(avc)
    kernel.remove(avc)
    await clock.advance(1_000)
    expect(said()).to.deep.equal(['excluded-unseen 1..6'])
    await clock.advance(5 * minute)
    kernel.remove(harmless)
    await clock.advance(minute)
    expect(said()).to.deep.equal([])
  })

  it('tells rules apart that differ behind 300 characters alone', async () => {
    const { kernel, clock, watch, said, logOf } = world()
    const long = (end: string): MadeRule => ({
      fields: [
        [msgtype, '=', 1307],
        [exe, '=', `/${'x'.repeat(400)}${end}`],
      ],
    })
    const [one, other] = [long('a'), long('b')]
    kernel.rules = [one, other]
    await watch.start()
    watch.attach(logOf())
    await clock.advance(5 * minute)
    expect(said()).to.deep.equal([])
    kernel.remove(other)
    await clock.advance(minute)
    expect(said()).to.deep.equal([])
  })

  it('does not call a switched-off audit a loss, but says what it changes', async () => {
    const { kernel, clock, watch, log, said, logOf } = world()
    await watch.start()
    watch.attach(logOf())
    kernel.enabled = 0
    await clock.advance(minute)
    kernel.enabled = 2
    await clock.advance(minute)
    expect([said(), watch.unreported, watch.enabled]).to.deep.equal([[], undefined, 2])
    expect(log.codes()).to.deep.equal(['audit-switched', 'audit-switched'])
    expect(log.said[0]!.message).to.contain('turned off').and.to.contain('a minute late')
  })

  it('sees a setting of AppArmor, too', async () => {
    const { kernel, clock, watch, said, logOf } = world()
    await watch.start()
    watch.attach(logOf())
    await clock.advance(2_000)
    kernel.audit = 'quiet'
    await clock.advance(minute)
    expect(said()).to.deep.equal(['apparmor-quiet 1..61'])
    expect(watch.unreported?.why).to.contain('"quiet"')
  })

  it('says how long it was by the clock of now, where that was set back', async () => {
    const { kernel, clock, watch, said, logOf } = world()
    kernel.rules = [avc]
    await watch.start()
    watch.attach(logOf())
    said()
    clock.setBack(24 * 60 * minute)
    await clock.advance(2 * minute)
    kernel.rules = []
    await clock.advance(minute)
    const day = 24 * 3_600
    expect(said()).to.deep.equal([`apparmor-excluded ${-day}..${121 - day}`])
  })

  it('leaves no timer behind', async () => {
    const { clock, watch } = world()
    await watch.start()
    watch.close()
    await clock.advance(2 * minute)
    expect(clock.waiting).to.equal(0)
  })
})
