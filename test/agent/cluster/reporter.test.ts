import { expect } from 'chai'
import fc from 'fast-check'
import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import { Simulation } from '../../../actors/runtime/index.ts'
import { type Reply, Reporter, type SendReport } from '../../../src/agent/cluster/reporter.ts'
import { type AgentReport, checkReport, MAX_REPORT_BYTES, type ProfileReport } from '../../../src/api/agent-report.ts'
import { noLogger } from '../../../src/base/logger.ts'

const standing = (i: number, more: Partial<ProfileStatus> = {}): ProfileStatus => ({
  key: `demo/varmor-demo-p${i}`,
  uid: `u${i}`,
  generation: 1,
  state: 'loaded',
  enforcers: ['Seccomp'],
  ...more,
})

/** A manager that stores reports according to the protocol. */
class Manager {
  epoch = 'e1'
  knows = new Map<string, ProfileReport>()
  complete = false
  readonly reports: (AgentReport & { at: number; url: string })[] = []
  /** Replies to the next reports; undefined: the manager answers normally. */
  script: (Reply | undefined)[] = []
  wrongs: unknown[] = []
  /** The manager accepts the next report, but its answer is lost. */
  loseAnswers = 0

  answer(url: string, report: AgentReport, at: number): Reply {
    this.reports.push({ ...report, at, url })
    const checked = checkReport(report)
    if (!checked.ok) this.wrongs.push(checked.errors)
    const scripted = this.script.shift()
    if (scripted !== undefined) return scripted
    if (report.complete) this.knows.clear()
    for (const profile of report.profiles) this.knows.set(`${profile.namespace}/${profile.name}`, profile)
    if (report.complete) this.complete = true
    if (this.loseAnswers > 0) {
      this.loseAnswers--
      return { kind: 'unreachable', message: 'the answer was lost' }
    }
    return { kind: 'answer', answer: { epoch: this.epoch, complete: !this.complete, intervalSeconds: 15 } }
  }

  restart(epoch: string): void {
    this.epoch = epoch
    this.knows.clear()
    this.complete = false
  }
}

class World {
  readonly simulation: Simulation
  readonly manager = new Manager()
  readonly reporter: Reporter
  readonly warnings: object[] = []
  readonly errors: unknown[] = []
  whole = true
  latency = 0

  constructor(managers: [string, ...string[]] = ['https://m'], seed = 1) {
    this.simulation = new Simulation({ seed })
    const { clock, random } = this.simulation
    const send: SendReport = async (url, report) => {
      if (this.latency > 0) await new Promise<void>((done) => void clock.after(this.latency, done))
      return this.manager.answer(url, structuredClone(report), clock.now())
    }
    const logger = {
      ...noLogger,
      warn: (fields: object) => void this.warnings.push(fields),
      error: (fields: { err?: unknown }) => void this.errors.push(fields.err),
    }
    this.reporter = new Reporter({
      node: 'n1',
      agent: 'a1',
      managers,
      send,
      whole: () => this.whole,
      clock,
      random,
      logger,
    })
    // Starts after the test's synchronous setup.
    queueMicrotask(() => this.reporter.start())
  }

  async stop(): Promise<void> {
    const stopped = this.reporter.stop()
    await this.simulation.runFor(60_000)
    await stopped
    expect(this.simulation.clock.timers).to.equal(0)
    expect(this.manager.wrongs).to.deep.equal([])
  }

  get names(): string[] {
    return [...this.manager.knows.keys()]
  }
}

describe('reports to the manager', () => {
  let world: World
  afterEach(() => world.stop())

  it('log a bug in the way as one, with its stack, and go on', async () => {
    world = new World()
    world.reporter.set(standing(1))
    const bug = new TypeError('a bug')
    const answer = world.manager.answer.bind(world.manager)
    let failures = 2
    world.manager.answer = (...given) => {
      if (failures-- > 0) throw bug
      return answer(...given)
    }
    await world.simulation.runFor(10_000)
    expect(world.errors).to.deep.equal([bug, bug])
    expect(world.names).to.deep.equal(['demo/varmor-demo-p1'])
  })

  it('begin with a complete one', async () => {
    world = new World()
    world.reporter.set(standing(1))
    await world.simulation.runFor(1)
    expect(
      world.manager.reports.map(({ complete, epoch, profiles }) => [complete, epoch, profiles.length]),
    ).to.deep.equal([[true, '', 1]])
    expect(world.manager.knows.get('demo/varmor-demo-p1')).to.deep.equal({
      namespace: 'demo',
      name: 'varmor-demo-p1',
      uid: 'u1',
      generation: 1,
      state: 'loaded',
      enforcers: ['Seccomp'],
      changed: true,
    })
  })

  it('are not called complete while not every profile has a standing', async () => {
    world = new World()
    world.whole = false
    world.reporter.set(standing(1))
    await world.simulation.runFor(5_000)
    expect(world.manager.reports.map(({ complete }) => complete)).to.not.include(true)
    world.whole = true
    world.reporter.set(standing(2))
    await world.simulation.runFor(1_000)
    expect(world.manager.complete).to.equal(true)
    expect(world.names).to.have.length(2)
  })

  it('are complete as soon as they can be, where a manager has asked, and not sooner', async () => {
    world = new World()
    world.whole = false
    await world.simulation.runFor(1_000)
    world.reporter.becameWhole()
    await world.simulation.runFor(1_000)
    expect(world.manager.reports.map(({ complete }) => complete)).to.deep.equal([false])
    world.whole = true
    world.reporter.becameWhole()
    world.reporter.becameWhole()
    await world.simulation.runFor(1_000)
    expect(world.manager.reports.map(({ complete }) => complete)).to.deep.equal([false, true])
    world.reporter.becameWhole()
    await world.simulation.runFor(1_000)
    expect(world.manager.reports).to.have.length(2)
  })

  it('are complete as soon as what was missing is forgotten', async () => {
    world = new World()
    world.whole = false
    await world.simulation.runFor(1_000)
    world.whole = true
    world.reporter.forget('demo/varmor-demo-p1')
    await world.simulation.runFor(1_000)
    expect(world.manager.reports.map(({ complete }) => complete)).to.deep.equal([false, true])
  })

  it('say of a complete one what no manager has acknowledged', async () => {
    world = new World()
    world.reporter.set(standing(1))
    await world.simulation.runFor(1_000)
    world.manager.restart('e2')
    world.manager.script = [{ kind: 'answer', answer: { epoch: 'e2', complete: true, intervalSeconds: 15 } }]
    world.reporter.set(standing(2))
    while (world.manager.reports.length < 2) await world.simulation.runFor(1)
    world.reporter.set(standing(3))
    await world.simulation.runFor(1_000)
    const last = world.manager.reports.at(-1)!
    expect(last.complete).to.equal(true)
    expect(last.profiles.map(({ name, changed }) => [name.slice(-2), changed])).to.deep.equal([
      ['p1', undefined],
      ['p2', undefined],
      ['p3', true],
    ])
  })

  it('bring changes at once, many together, each only once', async () => {
    world = new World()
    await world.simulation.runFor(5_000)
    const before = world.manager.reports.length
    for (let i = 0; i < 1_000; i++) world.reporter.set(standing(i))
    await world.simulation.runFor(400)
    for (let i = 0; i < 1_000; i++) world.reporter.set(standing(i))
    await world.simulation.runFor(5_000)
    expect(world.manager.reports.slice(before).map(({ profiles }) => profiles.length)).to.deep.equal([1_000])
    expect(world.reporter.unacknowledged).to.equal(0)
  })

  it('are heartbeats when nothing changes, within the interval, and not all nodes at once', async () => {
    world = new World()
    await world.simulation.runFor(300_000)
    const times = world.manager.reports.slice(1).map(({ at }) => at)
    const gaps = times.slice(1).map((at, i) => at - times[i]!)
    for (const gap of gaps) expect(gap).to.be.within(10_000, 15_000)
    expect(new Set(gaps).size).to.be.greaterThan(5)
  })

  it('go to a new leader, all of them', async () => {
    world = new World()
    for (let i = 0; i < 10; i++) world.reporter.set(standing(i))
    await world.simulation.runFor(5_000)
    world.manager.restart('e2')
    await world.simulation.runFor(16_000)
    expect(world.names).to.have.length(10)
    expect(world.manager.complete).to.equal(true)
  })

  it('do not name what is gone, nor wait for it', async () => {
    world = new World()
    world.reporter.set(standing(1))
    world.reporter.set(standing(2))
    world.reporter.forget('demo/varmor-demo-p1')
    await world.simulation.runFor(5_000)
    expect(world.names).to.deep.equal(['demo/varmor-demo-p2'])
  })

  it('do not loop when a manager is never content', async () => {
    world = new World()
    world.manager.script = Array.from({ length: 40 }, () => ({
      kind: 'answer',
      answer: { epoch: 'e1', complete: true, intervalSeconds: 15 },
    }))
    await world.simulation.runFor(60_000)
    expect(world.manager.reports.length).to.be.within(4, 7)
  })

  it('come no more often than the manager asks, and lose nothing by it', async () => {
    world = new World()
    world.manager.script = Array.from({ length: 8 }, () => ({
      kind: 'answer',
      answer: { epoch: 'e1', complete: false, intervalSeconds: 15, spacingSeconds: 2 },
    }))
    for (let i = 0; i < 100; i++) {
      world.reporter.set(standing(i))
      await world.simulation.runFor(100)
    }
    const { reports } = world.manager
    expect(reports.length).to.be.within(4, 8)
    await world.simulation.runFor(5_000)
    expect(new Set(reports.flatMap(({ profiles }) => profiles.map(({ name }) => name))).size).to.equal(100)
    expect(world.reporter.unacknowledged).to.equal(0)
  })

  const refusal = (status: number, retryAfter?: number): Reply => ({
    kind: 'refused',
    status,
    message: 'no',
    ...(retryAfter !== undefined && { retryAfter }),
  })

  it('go to the next manager at once when one does not lead or does not answer, and stay with the one that takes them', async () => {
    world = new World(['https://m0', 'https://m1', 'https://m2'])
    world.manager.script = [refusal(503), { kind: 'unreachable', message: 'ECONNREFUSED' }]
    await world.simulation.runFor(700)
    expect(world.manager.reports.map(({ url }) => url)).to.deep.equal(['https://m0', 'https://m1', 'https://m2'])
    await world.simulation.runFor(60_000)
    expect(new Set(world.manager.reports.slice(2).map(({ url }) => url))).to.deep.equal(new Set(['https://m2']))
  })

  it('come with growing pauses while no manager takes them, with everything newest afterwards', async () => {
    world = new World(['https://m0', 'https://m1'])
    world.manager.script = Array.from({ length: 20 }, () => refusal(503))
    for (let i = 0; i < 50; i++) {
      world.reporter.set(standing(i % 5, { generation: i }))
      await world.simulation.runFor(1_000)
    }
    expect(world.manager.reports.length).to.be.lessThan(14)
    expect(world.warnings).to.have.length(1)
    await world.simulation.runFor(600_000)
    expect([...world.manager.knows.values()].map(({ generation }) => generation).sort()).to.deep.equal([
      45, 46, 47, 48, 49,
    ])
  })

  it('wait as long as a manager says that is busy', async () => {
    world = new World()
    world.manager.script = [refusal(429, 40)]
    await world.simulation.runFor(39_000)
    expect(world.manager.reports).to.have.length(1)
    await world.simulation.runFor(3_000)
    expect(world.manager.reports).to.have.length(2)
  })

  for (const status of [400, 401, 403])
    it(`that are refused with ${status} are said in the log, and tried again slowly with the same manager`, async () => {
      world = new World(['https://m0', 'https://m1'])
      world.manager.script = Array.from({ length: 3 }, () => refusal(status))
      await world.simulation.runFor(60_000)
      expect(world.warnings).to.have.length(3)
      expect(world.manager.reports.every(({ url }) => url === 'https://m0')).to.equal(true)
      expect(world.manager.complete).to.equal(true)
    })

  it('say what a node does not enforce, and again when that is another', async () => {
    world = new World()
    const leftOut = [{ enforcer: 'AppArmor' as const, rule: 'disallow-create-user-ns', reason: 'the kernel is older' }]
    world.reporter.set(standing(1, { leftOut }))
    await world.simulation.runFor(5_000)
    expect(world.manager.knows.get('demo/varmor-demo-p1')?.leftOut).to.deep.equal(leftOut)
    world.reporter.set(standing(1, { leftOut: [] }))
    await world.simulation.runFor(5_000)
    expect(world.manager.knows.get('demo/varmor-demo-p1')?.leftOut).to.deep.equal([])
    world.reporter.set(standing(1))
    await world.simulation.runFor(5_000)
    expect(world.manager.knows.get('demo/varmor-demo-p1')).not.to.have.property('leftOut')
  })

  it('are cut where they are long, and get smaller where they are still too long for a manager', async () => {
    world = new World()
    const message = 'ü'.repeat(2_000)
    const rule = { enforcer: 'AppArmor' as const, rule: 'disallow-create-user-ns', reason: 'the kernel is older' }
    const leftOut = Array.from({ length: 5 }, () => rule)
    for (let i = 0; i < 9_000; i++) world.reporter.set(standing(i, { state: 'failed', message, leftOut }))
    await world.simulation.runFor(5_000)
    const sizes = world.manager.reports.map((report) => Buffer.byteLength(JSON.stringify(report)))
    for (const size of sizes) expect(size).to.be.lessThan(MAX_REPORT_BYTES)
    expect(world.names).to.have.length(9_000)
    expect([...world.manager.knows.values()].every((one) => one.leftOut?.at(-1)?.rule === '…')).to.equal(true)
    for (let i = 0; i < 9_000; i++) world.reporter.set(standing(i, { generation: 2, state: 'failed', message }))
    world.manager.script = [refusal(413)]
    await world.simulation.runFor(60_000)
    expect([...world.manager.knows.values()].every(({ generation }) => generation === 2)).to.equal(true)
  })

  it('leave the manager with the newest state of everything, whatever becomes of managers and answers', async () => {
    const step = fc.record({
      kind: fc.constantFrom('set', 'set', 'set', 'forget', 'lose', 'busy', 'down', 'restart', 'wait'),
      who: fc.nat(3),
    })
    world = new World()
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.nat(),
      fc.nat(900),
      async (steps, seed, latency) => {
        const run = new World(['https://m0', 'https://m1'], seed)
        run.latency = latency
        const wanted = new Map<string, number>()
        let generation = 0
        for (const { kind, who } of steps) {
          const { key } = standing(who)
          if (kind === 'set') {
            wanted.set(key, ++generation)
            run.reporter.set(standing(who, { generation }))
          } else if (kind === 'forget') {
            wanted.delete(key)
            run.reporter.forget(key)
          } else if (kind === 'lose') run.manager.loseAnswers++
          else if (kind === 'busy') run.manager.script.push(refusal(429, who))
          else if (kind === 'down') run.manager.script.push(refusal(503))
          else if (kind === 'restart') run.manager.restart(`e${++generation}`)
          else await run.simulation.runFor(who * 300)
        }
        await run.simulation.runFor(600_000)
        for (const [key, newest] of wanted) expect(run.manager.knows.get(key)?.generation).to.equal(newest)
        expect(run.reporter.unacknowledged).to.equal(0)
        await run.stop()
      },
    )
    await fc.assert(property, { numRuns: 100 })
  })
})
