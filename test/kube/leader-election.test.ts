import { expect } from 'chai'
import { sleep } from '../../src/base/clock.ts'
import type { ApiClient } from '../../src/kube/client.ts'
import { FencedError } from '../../src/kube/fence.ts'
import { type LeaderElectionOptions, LeaderElector } from '../../src/kube/leader-election.ts'
import type { Lease } from '../../src/kube/resources.ts'
import type { Term } from '../../src/kube/term.ts'
import { failure, ManualClock, type TestClient, testClient, thing, things, turn } from './harness.ts'
import { LeaseServer } from './lease-server.ts'
import { until } from './scripted-server.ts'

const lease = { namespace: 'varmor', name: 'manager' }

describe('kube leader election', () => {
  let server: LeaseServer
  const made: { elector: LeaderElector; test: TestClient }[] = []

  beforeEach(async () => {
    server = await LeaseServer.start()
  })
  afterEach(async () => {
    for (const { elector, test } of made.splice(0)) {
      server.down = undefined
      await elector.stop()
      expect(test.clock.waiting, 'timers left').to.equal(0)
      await test.connection.close()
    }
    await server.stop()
  })

  const member = (identity: string, options: Partial<LeaderElectionOptions> = {}) => {
    const test = testClient(server.url)
    const terms: Term[] = []
    const log: string[] = []
    let slept = 0
    const elector = new LeaderElector({
      client: test.client,
      lease,
      identity,
      clock: test.clock,
      sinceBoot: () => test.clock.now() + slept,
      random: () => 0,
      leading: (term) => {
        terms.push(term)
        log.push(`leads ${term.token.transitions}`)
      },
      ended: (_, reason) => log.push(`ended: ${(reason as Error).message.split(': ')[1]}`),
      ...options,
    })
    made.push({ elector, test })
    elector.start()
    return { elector, test, clock: test.clock, terms, log, sleep: (by: number) => (slept += by) }
  }
  const pass = async (ms: number, ...clocks: ManualClock[]) => {
    for (let left = ms; left > 0; left -= 500) {
      for (const clock of clocks) await clock.advance(Math.min(500, left))
      await server.quiet()
    }
  }

  it('makes the lease, and keeps it', async () => {
    const { elector, clock, log } = member('a')
    await until('the lease', () => elector.isLeader())
    expect(server.lease?.spec).to.deep.include({
      holderIdentity: elector.identity,
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
    })
    expect(server.lease?.spec?.renewTime).to.match(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/)
    const first = server.lease?.spec
    await pass(60_000, clock)
    expect(elector.isLeader()).to.equal(true)
    expect(server.lease?.spec?.acquireTime).to.equal(first?.acquireTime)
    expect(server.lease?.spec?.renewTime).to.not.equal(first?.renewTime)
    expect(log).to.deep.equal(['leads 0'])
  })

  it('lets one lead, and another after it, as soon as the lease is given back', async () => {
    const a = member('a')
    await until('a leads', () => a.elector.isLeader())
    const b = member('b')
    await pass(30_000, a.clock, b.clock)
    expect([a.elector.isLeader(), b.elector.isLeader()]).to.deep.equal([true, false])
    await a.elector.stop()
    expect(server.lease?.spec).to.include({ leaseDurationSeconds: 1 }).and.not.have.property('holderIdentity')
    await pass(3000, b.clock)
    expect(b.log).to.deep.equal(['leads 1'])
    expect(a.log).to.deep.equal(['leads 0', 'ended: the election was stopped'])
  })

  it('takes over from one that is gone, after the duration as seen by its own clock', async () => {
    // The lease's times are of another century; the election must ignore them.
    server.lease = {
      metadata: { ...lease, resourceVersion: '1' },
      spec: {
        holderIdentity: 'gone',
        leaseDurationSeconds: 15,
        renewTime: '2001-01-01T00:00:00.000000Z',
        leaseTransitions: 4,
      },
    }
    const b = member('b')
    await pass(14_500, b.clock)
    expect(b.elector.isLeader()).to.equal(false)
    await pass(3000, b.clock)
    expect(b.log).to.deep.equal(['leads 5'])
  })

  it('gives up at the renew deadline, before anybody else may lead, and leads again later', async () => {
    const a = member('a')
    await until('a leads', () => a.elector.isLeader())
    await pass(1000, a.clock)
    server.down = 500
    await pass(10_000, a.clock)
    expect(a.elector.isLeader()).to.equal(false)
    expect(a.terms[0]!.signal.aborted).to.equal(true)
    server.down = undefined
    await pass(10_000, a.clock)
    expect(a.log).to.deep.equal(['leads 0', 'ended: the lease was not renewed within 10000 ms', 'leads 1'])
    expect(a.terms[0]!.holds).to.equal(false)
  })

  it('keeps leading while each answer takes seconds', async () => {
    const clock = new ManualClock()
    const answer = async <T>(value: T, { deadline = 0 }: { deadline?: number }): Promise<T> => {
      await sleep(clock, Math.min(4500, deadline))
      if (deadline < 4500) throw new Error('the request timed out')
      return value
    }
    const held = { metadata: lease, spec: { holderIdentity: '' } }
    const client = {
      get: (_: unknown, __: unknown, options: object) => answer(held, options),
      update: (_: unknown, object: Lease, options: object) => answer(object, options),
      updateWithRetry: async () => undefined,
    }
    const log: string[] = []
    const elector = new LeaderElector({
      ...{ client: client as unknown as ApiClient, lease, identity: 'a', clock, sinceBoot: () => clock.now() },
      leading: ({ token }) => log.push(`leads ${token.transitions}`),
      ended: (_, reason) => log.push(String(reason)),
    })
    elector.start()
    for (let i = 0; i < 200; i++) await clock.advance(500)
    expect(log).to.deep.equal(['leads 1'])
    const stopped = elector.stop()
    await clock.advance(5000)
    await stopped
  })

  it('ends at once when somebody else has the lease', async () => {
    const a = member('a')
    await until('a leads', () => a.elector.isLeader())
    server.change((spec) => ({ ...spec, holderIdentity: 'thief' }))
    await pass(4000, a.clock)
    expect(a.log).to.deep.equal(['leads 0', 'ended: the lease is held by thief'])
  })

  it('keeps leading when somebody else touched the lease and left its holder', async () => {
    const a = member('a')
    await until('a leads', () => a.elector.isLeader())
    for (let i = 0; i < 10; i++) {
      server.change((spec) => spec)
      await pass(3000, a.clock)
    }
    expect(a.log).to.deep.equal(['leads 0'])
  })

  describe('fence', () => {
    const write = (test: TestClient, term: Term) => test.client.fenced(term).update(things, thing('one', 1))

    it('lets only the leader write, and lets all clients read', async () => {
      const a = member('a')
      await until('a leads', () => a.elector.isLeader())
      const [term] = a.terms as [Term]
      await write(a.test, term)
      await a.elector.stop()
      expect(await failure(write(a.test, term))).to.be.instanceOf(FencedError)
      await a.test.client.fenced(term).get(things, { namespace: 'default', name: 'one' })
      expect(server.writes('things')).to.equal(1)
    })

    for (const [title, pass] of Object.entries({
      'time of the monotonic clock passed': (m: ReturnType<typeof member>) => m.clock.jump(10_000),
      'the machine slept, which only the clock since boot shows': (m: ReturnType<typeof member>) => m.sleep(10_000),
    }))
      it(`is closed by the first check after ${title}, before any timer fired`, async () => {
        const a = member('a')
        await until('a leads', () => a.elector.isLeader())
        const [term] = a.terms as [Term]
        pass(a as never)
        expect(term.signal.aborted).to.equal(false)
        expect(() => term.check()).to.throw(FencedError, 'not renewed within 10000 ms')
        expect(term.signal.aborted).to.equal(true)
        expect(await failure(write(a.test, term))).to.be.instanceOf(FencedError)
        expect(server.writes('things')).to.equal(0)
      })

    for (const hours of [-8_760, -1, 1, 8_760])
      it(`stays open when the time of day is set by ${hours} hours`, async () => {
        const a = member('a')
        await until('a leads', () => a.elector.isLeader())
        a.clock.setBack(-hours * 3_600_000)
        await pass(30_000, a.clock)
        expect(a.terms[0]!.holds).to.equal(true)
        expect(a.log).to.deep.equal(['leads 0'])
      })

    it('that is closed takes no turn from others', async () => {
      const a = member('a')
      await until('a leads', () => a.elector.isLeader())
      a.terms[0]!.end('enough')
      let turns = 0
      const limiter = { turn: async () => turns++, waiting: 0, close: () => undefined }
      const test = testClient(server.url, { limiter })
      expect(await failure(write(test, a.terms[0]!))).to.be.instanceOf(FencedError)
      expect(turns).to.equal(0)
      await test.connection.close()
    })

    it('is asked again when the request has its turn: one that waited too long is not sent', async () => {
      const a = member('a')
      await until('a leads', () => a.elector.isLeader())
      const [term] = a.terms as [Term]
      let open = (): unknown => undefined
      const limiter = {
        turn: () => new Promise<number>((resolve) => (open = () => resolve(0))),
        waiting: 0,
        close: () => undefined,
      }
      const slow = testClient(server.url, { limiter })
      const result = failure(slow.client.fenced(term).update(things, thing('one', 1)))
      await turn()
      a.clock.jump(10_000)
      open()
      expect(await result).to.be.instanceOf(FencedError)
      expect(server.writes('things')).to.equal(0)
      await slow.connection.close()
    })

    it('ends a request under way at the deadline', async () => {
      const a = member('a')
      await until('a leads', () => a.elector.isLeader())
      const [term] = a.terms as [Term]
      server.hold = true
      const result = failure(write(a.test, term))
      await until('the write', () => server.writes('things') === 1)
      await a.clock.advance(10_000)
      expect(await result).to.be.instanceOf(FencedError)
      server.hold = false
    })
  })

  it('refuses times that cannot work', () => {
    const base = { client: testClient(server.url).client, lease, identity: 'a', leading: () => undefined }
    expect(() => new LeaderElector({ ...base, leaseDuration: 10_000 })).to.throw('above renewDeadline')
    expect(() => new LeaderElector({ ...base, renewDeadline: 2000 })).to.throw('retryPeriod')
    expect(() => new LeaderElector({ ...base, leaseDuration: 15_500 })).to.throw('whole seconds')
  })
})
