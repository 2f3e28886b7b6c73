import { expect } from 'chai'
import { CompilerPool, IDLE, type Outcome, type PoolOptions } from '../../../actors/compiler/compiler-pool.ts'
import { COSTLY_FOR } from '../../../actors/compiler/costly.ts'
import type { CompilerThread } from '../../../actors/compiler/placed-compiler.ts'
import { CompilerError, type JobOptions } from '../../../actors/compiler/ports.ts'
import { AskError, Simulation } from '../../../actors/runtime/index.ts'
import { noLogger } from '../../../src/base/logger.ts'

const FOREVER = Number.POSITIVE_INFINITY
const STARTING = 100
/** Milliseconds until the pool has a further thread for a waiting job. */
const ANOTHER = 100 + STARTING

/** The cost of a job in milliseconds, an error that the job throws, or the death of its thread. */
interface Input {
  cost: number
  end?: 'throws' | 'dies'
  id?: number
}

/** A thread that only waits for the time that each job costs. */
class FakeThread implements CompilerThread {
  kills = 0
  ends = 0
  /** The share of the time in which the thread gets a CPU. */
  share = 1
  /** Milliseconds of CPU. */
  startCost = STARTING
  readonly #simulation: Simulation
  #die: (error: unknown) => void = () => undefined

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  ready(): Promise<number> {
    return new Promise((resolve) => this.#simulation.clock.after(STARTING, () => resolve(this.startCost)))
  }

  run(_: string, [input]: readonly [Input]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#die = reject
      const done = (): void => {
        if (input.end === 'throws') reject(new TypeError('a bug'))
        else if (input.end === 'dies') reject(new AskError('THREAD_DIED', 'compiler-1/1'))
        else resolve(input.cost)
      }
      if (input.cost < FOREVER) this.#simulation.clock.after(input.cost / this.share, done)
    })
  }

  worked(): number {
    return this.#simulation.clock.now() * this.share
  }

  async kill(): Promise<void> {
    this.kills++
    this.#die(new AskError('THREAD_DIED', 'compiler-1/1'))
  }

  async end(): Promise<void> {
    this.ends++
  }
}

describe('a pool of compilers', () => {
  let simulation: Simulation
  let threads: FakeThread[]
  let pool: CompilerPool
  let outcomes: Outcome[]
  /** How each job ended, in the order of their ends: the job's id with `done`, a code, or the name of an error. */
  let ends: string[]

  function open(options: Partial<PoolOptions> = {}): void {
    simulation = new Simulation()
    threads = []
    outcomes = []
    ends = []
    pool = new CompilerPool({
      threads: 2,
      thread: () => {
        const thread = new FakeThread(simulation)
        threads.push(thread)
        return thread
      },
      deadline: 2_000,
      maxWait: 5_000,
      clock: simulation.clock,
      logger: noLogger,
      observe: (outcome) => outcomes.push(outcome),
      ...options,
    })
  }

  let ids = 0
  function ask(name: string, input: Input, options: Partial<JobOptions> = {}): void {
    const run = pool.run as unknown as (job: string, input: Input[], options: JobOptions) => Promise<number>
    const asked = { tenant: name, urgent: true, subject: { ...input, id: ids++ }, ...options }
    void run.call(pool, 'compilePolicy', [input], asked).then(
      () => ends.push(`${name} done`),
      (error) => ends.push(`${name} ${error instanceof CompilerError ? error.code : error.name}`),
    )
  }

  beforeEach(() => open())

  it('does each job, and starts a second thread only for a job that has waited for long', async () => {
    ask('a', { cost: 10 })
    await simulation.runFor(STARTING)
    expect(threads.length).to.equal(1)
    await simulation.runFor(20)
    for (const name of ['b', 'c']) ask(name, { cost: 40 })
    await simulation.runFor(1_000)
    expect(threads.length).to.equal(1)
    ask('d', { cost: 1_000 })
    ask('a', { cost: 10 })
    await simulation.runFor(5_000)
    expect(ends).to.deep.equal(['a done', 'b done', 'c done', 'a done', 'd done'])
    expect(threads.length).to.equal(2)
    expect(outcomes).to.deep.equal(Array(5).fill('done'))
  })

  const many: [what: string, urgent: boolean, few: number, more: number][] = [
    ['that clients wait for, unless together they take more than half a second', true, 40, 80],
    ['that no client waits for, unless together they take more than a second', false, 90, 130],
  ]
  for (const [what, urgent, few, more] of many)
    it(`starts no second thread for many short jobs ${what}`, async () => {
      await Promise.all([pool.start(), simulation.runFor(STARTING)])
      for (const [count, expected] of [
        [few, 1],
        [more, 2],
      ] as const) {
        for (let i = 0; i < count; i++) ask(`team ${i % 9}`, { cost: 10 }, { urgent })
        await simulation.runFor(2_000)
        expect(threads.length).to.equal(expected)
      }
      expect(outcomes).to.deep.equal(Array(few + more).fill('done'))
    })

  it('starts no second thread for jobs of one tenant while a thread runs another job of this tenant', async () => {
    await Promise.all([pool.start(), simulation.runFor(STARTING)])
    for (let i = 0; i < 120; i++) ask('a', { cost: 20 })
    for (let i = 0; i < 3; i++) ask('b', { cost: 20 })
    await simulation.runFor(3_000)
    expect([ends.length, threads.length]).to.deep.equal([123, 1])
  })

  it('starts one thread before the first job, and a second thread when the first is busy', async () => {
    await Promise.all([pool.start(), simulation.runFor(STARTING)])
    expect(threads.length).to.equal(1)
    ask('a', { cost: 10 })
    await simulation.runFor(20)
    expect(ends).to.deep.equal(['a done'])
    ask('hostile', { cost: FOREVER })
    ask('a', { cost: 10 })
    await simulation.runFor(ANOTHER + 20)
    expect(ends).to.deep.equal(['a done', 'a done'])
    expect(threads.length).to.equal(2)
  })

  it('ends threads that were idle for a while, and starts a thread for the next job', async () => {
    ask('a', { cost: 10 })
    await simulation.runFor(STARTING + 20)
    ask('long', { cost: 1_000 })
    ask('a', { cost: 10 })
    await simulation.runFor(2_000)
    expect(threads.length).to.equal(2)
    // One thread is enough for these jobs.
    for (let passed = 0; passed <= IDLE; passed += 1_000) {
      ask('a', { cost: 10 })
      await simulation.runFor(1_000)
    }
    expect(threads.map(({ ends }) => ends).sort()).to.deep.equal([0, 1])
    await simulation.runFor(IDLE + 1_000)
    expect(threads.map(({ ends }) => ends)).to.deep.equal([1, 1])
    expect(simulation.clock.timers).to.equal(0)
    ask('b', { cost: 10 })
    await simulation.runFor(STARTING + 20)
    expect([threads.length, ends.at(-1)]).to.deep.equal([3, 'b done'])
  })

  it('ends the thread of a job that misses its deadline, and still does all other jobs', async () => {
    open({ threads: 1 })
    ask('hostile', { cost: FOREVER })
    for (const name of ['a', 'b', 'c']) ask(name, { cost: 5 })
    await simulation.runFor(STARTING + 1_999)
    expect(ends).to.deep.equal([])
    await simulation.runFor(500)
    expect(ends).to.deep.equal(['hostile TOO_COSTLY', 'a done', 'b done', 'c done'])
    expect(threads[0]!.kills).to.equal(1)
  })

  it('extends the deadline of jobs by the time that a thread took to start, and keeps slow starters', async () => {
    open({
      threads: 1,
      thread: () => {
        const thread = new FakeThread(simulation)
        thread.startCost = 5_000
        threads.push(thread)
        return thread
      },
    })
    ask('a', { cost: 9_000 })
    await simulation.runFor(STARTING + 9_100)
    expect(ends).to.deep.equal(['a done'])
    ask('hostile', { cost: FOREVER })
    await simulation.runFor(10_100)
    expect(ends).to.deep.equal(['a done', 'hostile TOO_COSTLY'])
    await simulation.runFor(3 * IDLE)
    expect(threads.map(({ ends: ended }) => ended)).to.deep.equal([0])
    expect(simulation.clock.timers).to.equal(0)
  })

  it('multiplies the deadline by the job’s factor, and names that time in the error', async () => {
    open({ threads: 1 })
    ask('model', { cost: 19_000 }, { times: 10, urgent: false })
    await simulation.runFor(STARTING + 19_100)
    expect(ends).to.deep.equal(['model done'])
    const subject = {}
    const asked = { tenant: 'model', urgent: false, subject, times: 10 }
    const run = pool.run as unknown as (job: string, input: Input[], options: JobOptions) => Promise<number>
    const errors: Error[] = []
    void run.call(pool, 'buildProfile', [{ cost: FOREVER }], asked).catch((error) => errors.push(error))
    await simulation.runFor(19_900)
    expect(errors).to.deep.equal([])
    await simulation.runFor(500)
    expect(errors.map(({ message }) => message)).to.match(/it takes more than 20 s/)
  })

  it('counts the time of a job from its start, not from its request', async () => {
    open({ threads: 1 })
    for (const name of ['a', 'b', 'c']) ask(name, { cost: 1_500 })
    await simulation.runFor(10_000)
    expect(ends).to.deep.equal(['a done', 'b done', 'c done'])
  })

  it('counts the CPU time of a thread, not the time that the machine spends on other programs', async () => {
    open({ threads: 1 })
    await Promise.all([pool.start(), simulation.runFor(STARTING)])
    threads[0]!.share = 0.3
    ask('a', { cost: 1_500 })
    await simulation.runFor(4_900)
    expect(ends).to.deep.equal([])
    await simulation.runFor(200)
    expect(ends).to.deep.equal(['a done'])
    ask('b', { cost: FOREVER })
    await simulation.runFor(7_000)
    expect(ends).to.deep.equal(['a done', 'b TOO_COSTLY'])
    expect(threads[0]!.kills).to.equal(1)
  })

  it('gives up a job whose thread gets almost no CPU, without calling it too costly', async () => {
    open({ threads: 1 })
    await Promise.all([pool.start(), simulation.runFor(STARTING)])
    threads[0]!.share = 0.001
    const subject = 'the same'
    ask('a', { cost: 100 }, { subject })
    await simulation.runFor(7_100)
    expect(ends).to.deep.equal(['a BUSY'])
    threads[0]!.share = 1
    ask('b', { cost: 100 }, { subject })
    await simulation.runFor(1_000)
    expect(ends).to.deep.equal(['a BUSY', 'b done'])
  })

  it('says only that it is busy when a job’s turn does not come in time', async () => {
    open({ threads: 1 })
    for (const name of ['a', 'b', 'c', 'd']) ask(name, { cost: 1_900 })
    ask('patient', { cost: 10 }, { urgent: false })
    await simulation.runFor(12_000)
    expect(ends).to.deep.equal(['a done', 'b done', 'd BUSY', 'c done', 'patient done'])
    expect(pool.waiting).to.equal(0)
  })

  it('blames the machine, not other policies, when a thread does not start in time', async () => {
    open({
      thread: () => Object.assign(new FakeThread(simulation), { ready: () => new Promise<number>(() => undefined) }),
    })
    const options = { tenant: 'a', urgent: true, subject: {} }
    const said = pool.run('compilePolicy', [{}] as never, options).catch(({ code, message }) => `${code}: ${message}`)
    await simulation.runFor(6_000)
    expect(await said).to.match(/^BUSY: .*this machine has too little CPU; try again/)
  })

  it('accepts an answer that came in time, even if the main thread was too busy to read it then', async () => {
    ask('a', { cost: 2_000 })
    await simulation.runFor(5_000)
    expect(ends).to.deep.equal(['a done'])
    expect(threads[0]!.kills).to.equal(0)
  })

  it('refuses a job that was too costly without a retry for some minutes', async () => {
    const subject = { rules: ['so many'] }
    ask('a', { cost: FOREVER }, { subject })
    await simulation.runFor(20_000)
    const since = simulation.clock.now()
    ask('again', { cost: FOREVER }, { tenant: 'a', subject: { rules: ['so many'] } })
    await simulation.settle()
    expect(ends).to.deep.equal(['a TOO_COSTLY', 'again TOO_COSTLY'])
    expect(simulation.clock.now()).to.equal(since)
    expect(outcomes).to.deep.equal(['too-costly', 'known-too-costly'])
    await simulation.runFor(COSTLY_FOR)
    ask('a', { cost: 1 }, { subject })
    await simulation.runFor(1_000)
    expect(ends.at(-1)).to.equal('a done')
  })

  it('refuses no job because another tenant’s job was too costly, even with the same subject', async () => {
    const subject = { rules: ['the same'] }
    ask('liar', { cost: FOREVER }, { tenant: 'a', peer: '10.0.0.9', subject })
    ask('hostile', { cost: FOREVER }, { subject })
    await simulation.runFor(60_000)
    for (const peer of ['', '10.0.0.1']) ask('a', { cost: 1 }, { peer, subject })
    await simulation.runFor(10_000)
    expect(ends).to.deep.equal(['liar TOO_COSTLY', 'hostile TOO_COSTLY', 'a done', 'a done'])
  })

  it('calls a job too costly when its thread dies, as when its memory is not enough', async () => {
    ask('a', { cost: 100, end: 'dies' })
    ask('b', { cost: 1_000 })
    await simulation.runFor(10_000)
    expect(ends).to.deep.equal(['a TOO_COSTLY', 'b done'])
  })

  it('passes on the error that a job throws, and continues', async () => {
    open({ threads: 1 })
    ask('a', { cost: 10, end: 'throws' })
    ask('b', { cost: 10 })
    await simulation.runFor(1_000)
    expect(ends).to.deep.equal(['a TypeError', 'b done'])
  })

  it('keeps a thread for other tenants while five tenants send ten too costly jobs a second', async () => {
    const waits: number[] = []
    ask('good', { cost: 5 })
    await simulation.runFor(1_000)
    for (let i = 0; i < 600; i++) {
      ask(`hostile ${i % 5}`, { cost: FOREVER })
      const asked = simulation.clock.now()
      void pool
        .run('compilePolicy', [{ cost: 5 } as never], { tenant: 'good', urgent: true, subject: i })
        .then(() => waits.push(simulation.clock.now() - asked))
      await simulation.runFor(100)
    }
    expect(waits.length).to.equal(600)
    // The good tenant waits only while the second thread starts.
    expect(waits.slice(ANOTHER / 100 + 1).filter((wait) => wait > 10)).to.deep.equal([])
    // Each hostile subject gets one turn before the pool knows it. Then all of them share one thread for two seconds in
    // ten.
    expect(threads.reduce((sum, { kills }) => sum + kills, 0)).to.be.within(8, 12)
    expect(ends.filter((end) => /BUSY/.test(end)).length).to.be.above(400)
  })

  it('bounds the queue, and bounds urgent jobs of one tenant more tightly', async () => {
    open({ threads: 1 })
    for (let i = 0; i < 200; i++) ask('a', { cost: 1 })
    await simulation.settle()
    expect(ends.filter((end) => end === 'a BUSY').length).to.equal(200 - 128)
    for (let i = 0; i < 200; i++) ask('b', { cost: 1 }, { urgent: false })
    await simulation.runFor(60_000)
    expect(ends.filter((end) => end === 'b done').length).to.equal(200)
    expect(ends.filter((end) => end === 'a done').length).to.equal(128)
  })

  it('drops the newest job of the namespace with the most jobs when 5,000 jobs wait', async () => {
    open({ threads: 1 })
    const asks = (name: string, count: number): void => {
      for (let i = 0; i < count; i++) ask(name, { cost: 0, id: i }, { urgent: false })
    }
    asks('flood', 5_000)
    asks('victim', 20)
    asks('flood', 30)
    asks('other', 1)
    expect(pool.waiting).to.equal(5_000)
    await simulation.settle()
    expect(ends).to.deep.equal(Array(51).fill('flood BUSY'))
    await simulation.runFor(STARTING + 100)
    expect(ends.slice(51, 100).filter((end) => !end.startsWith('flood')).length).to.equal(21)
    expect(ends.filter((end) => end === 'flood done').length).to.equal(4_979)
  })

  it('refuses a new job when 5,000 jobs of as many namespaces wait', async () => {
    open({ threads: 1 })
    for (let i = 0; i < 5_000; i++) ask(`ns-${i}`, { cost: 0 }, { urgent: false })
    ask('late', { cost: 0 }, { urgent: false })
    await simulation.settle()
    expect([pool.waiting, ...ends]).to.deep.equal([5_000, 'late BUSY'])
  })

  it('keeps the turns of tenants although another client sends jobs in their names', async () => {
    open({ threads: 1 })
    const asks = (name: string, peer: string, count: number, cost: number): void => {
      for (let i = 0; i < count; i++) ask(name, { cost }, { tenant: `ns-${i % 20}`, peer })
    }
    asks('liar', '10.0.0.9', 2_000, 100)
    await simulation.runFor(200)
    asks('honest', '10.0.0.1', 20, 1)
    expect(pool.waiting).to.be.at.most(512)
    await simulation.runFor(4_000)
    expect(ends.filter((end) => end.startsWith('honest'))).to.deep.equal(Array(20).fill('honest done'))
  })

  it('serves known and new tenants soon while one client sends jobs in thousands of names', async () => {
    const api = { tenant: 'known', peer: '10.0.0.1' }
    ask('first', { cost: 1 }, api)
    await simulation.runFor(10_000)
    for (let i = 0; i < 3_000; i++) {
      ask('liar', { cost: 0 }, { tenant: `cheap-${i}`, peer: '10.0.0.9' })
      if (i % 100 === 0) await simulation.runFor(100)
    }
    await simulation.runFor(1_000)
    const flood = (): void => {
      for (let i = 0; i < 500; i++) ask('liar', { cost: 1_500 }, { tenant: `costly-${ids}`, peer: '10.0.0.9' })
    }
    for (const [name, tenant] of [
      ['known', 'known'],
      ['stranger', 'new'],
    ] as const) {
      flood()
      await simulation.runFor(1_000)
      ask(name, { cost: 1 }, { ...api, tenant })
      const asked = simulation.clock.now()
      while (!ends.includes(`${name} done`) && simulation.clock.now() < asked + 10_000) await simulation.runFor(10)
      expect(simulation.clock.now() - asked, name).to.be.below(name === 'known' ? 500 : 1_600)
    }
  })

  it('drops the waiting jobs of an aborted request, but not the job that a thread has', async () => {
    open({ threads: 1 })
    const controller = new AbortController()
    const { signal } = controller
    ask('a', { cost: 1_000 }, { signal })
    await simulation.runFor(STARTING + 100)
    ask('b', { cost: 10 }, { signal })
    controller.abort()
    ask('c', { cost: 10 }, { signal })
    await simulation.settle()
    expect(ends).to.deep.equal(['b BUSY', 'c BUSY'])
    await simulation.runFor(1_000)
    expect(ends).to.deep.equal(['b BUSY', 'c BUSY', 'a done'])
  })

  it('answers all waiting jobs when it is stopped, and refuses new jobs', async () => {
    for (const name of ['a', 'b', 'c']) ask(name, { cost: FOREVER })
    await simulation.runFor(1_000)
    pool.stop()
    ask('d', { cost: 1 })
    await simulation.settle()
    expect(ends.sort()).to.deep.equal(['a STOPPED', 'b STOPPED', 'c STOPPED', 'd STOPPED'])
    expect(simulation.clock.timers).to.equal(0)
  })
})
