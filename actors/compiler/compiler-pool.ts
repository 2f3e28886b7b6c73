import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { AskError } from '../runtime/index.ts'
import { Costly } from './costly.ts'
import { nextTurn, REST } from './fair-queue.ts'
import type { CompilerJobs } from './jobs.ts'
import type { CompilerThread } from './placed-compiler.ts'
import { CompilerError, type CompilerErrorCode, type Compilers, compilerMessages, type JobOptions } from './ports.ts'
import { Tenants } from './tenants.ts'

export interface PoolOptions {
  /**
   * Maximum number of threads. `start` or the first job starts the first thread. If a job waits too long, another
   * thread starts. A thread without jobs for a minute ends.
   */
  threads: number
  /** Starts a thread. */
  thread(number: number): CompilerThread
  /**
   * `deadline`: CPU milliseconds for each job. `maxWait`: milliseconds that an urgent job waits for a thread. The sum
   * limits the job's total time.
   */
  deadline: number
  maxWait: number
  clock: Clock
  logger: Logger
  observe?: (outcome: Outcome) => void
}

export type Outcome = 'done' | 'failed' | 'too-costly' | 'known-too-costly' | 'busy'

/**
 * Maximum milliseconds for which a job that is not urgent waits for a thread. On a busy, slow node a thread takes
 * minutes to start, and a thread that the pool ended takes minutes to restart.
 */
const LONG_WAIT = 300_000
/**
 * Maximum queue lengths: urgent jobs of one tenant, all urgent jobs, all jobs. Each job may contain a policy of a
 * megabyte. If there are too many urgent jobs, the peer with the most urgent jobs loses its youngest job. If there are
 * too many jobs in all, the tenant with the most jobs that are not urgent loses its youngest job.
 */
const MAX_OF_TENANT = 128
const MAX_URGENT = 512
const MAX = 5_000
/**
 * Milliseconds that a job waits before another thread starts: behind one long job, or behind many short jobs. A thread
 * costs 18 MiB, and starting it costs as much CPU as hundreds of policies.
 */
const WAIT_FOR_LONG = 100
const WAIT_FOR_MANY = { urgent: 500, other: 1_000 }
/**
 * Milliseconds after which a thread without a job ends. An idle thread takes 13 MiB; its restart takes a few tenths of
 * a second.
 */
export const IDLE = 60_000
/**
 * CPU milliseconds that a thread takes to start on an older machine. If a start takes n times as long, a job may also
 * take n times as long, because its code is not compiled yet either.
 */
const USUAL_START = 1_000
/** Upper bound of the factor n: see `USUAL_START`. */
const SLOWEST = 20
/**
 * From this factor on, the pool keeps a started thread in spite of its 13 MiB, so that the first caller does not wait
 * for a start.
 */
const SLOW_START = 3

/**
 * Milliseconds until the pool checks a job's CPU time. Most jobs end earlier, and a check costs as much as some jobs.
 */
const FIRST_LOOK = 100
/**
 * Minimum milliseconds until the next check. In the last wait, the main thread reads an answer that the thread sent
 * before the deadline.
 */
const LAST_LOOK = 20

interface Job extends JobOptions {
  peer: string
  /** The caller's name for the tenant. */
  namespace: string
  name: string
  /** When the job started to wait for a thread. `until`: the latest time at which the job may get a thread. */
  since: number
  until: number
  input: readonly unknown[]
  resolve(output: unknown): void
  reject(error: unknown): void
  /** The timer that limits the wait of the job; later, the timer that limits its run. */
  timer: Timer
}

interface Hand {
  job: Job
  tenant: string
  since: number
  /** Lower bound of the thread's CPU time when the job started, in milliseconds. Known after the first check. */
  worked?: number
}

/** A peer chooses its tenants' names, so the same tenant name from another peer means another tenant. */
const ownOf = ({ tenant, peer = '' }: JobOptions): Pick<Job, 'tenant' | 'peer' | 'namespace'> => ({
  tenant: peer === '' ? tenant : `${tenant} from ${peer}`,
  peer,
  namespace: tenant,
})

/**
 * A job counts as too costly for its own tenant only. Cost may depend on more than `subject`, so another tenant's job
 * with the same subject may be cheap.
 */
const costOf = ({ tenant, subject }: JobOptions): unknown => [tenant, subject]

/**
 * Gives each job to a thread that runs no other job; `fair-queue.ts` decides the order. Each job gets an answer in
 * limited time.
 */
export class CompilerPool implements Compilers {
  readonly #options: PoolOptions
  readonly #waiting = new Set<Job>()
  readonly #running = new Map<CompilerThread, Hand>()
  /**
   * Idle threads, and since when they are idle. The last thread in the list had the most recent job, and gets the next
   * job.
   */
  readonly #idle: { thread: CompilerThread; since: number }[] = []
  /** Fires when the first idle thread must end. */
  #idleEnd: Timer | undefined
  readonly #tenants = new Tenants()
  readonly #costly = new Costly()
  /** Until this time, tenants with too costly jobs get no thread. */
  #restUntil = 0
  #rest: Timer | undefined
  /** Fires when another thread must start. */
  #more: Timer | undefined
  #started = 0
  /** Number of threads ever started. */
  #number = 0
  #stopped = false
  /** Start time of a thread divided by the usual start time. */
  #slowness = 1

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Number of jobs that wait for a thread. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Starts a thread, so that the first job need not wait. Further threads take about 20 MiB each, once they are needed.
   * Resolves when the thread runs.
   */
  async start(): Promise<void> {
    if (this.#started === 0) await this.#startThread()
  }

  run<Name extends keyof CompilerJobs>(
    name: Name,
    input: Parameters<CompilerJobs[Name]>,
    options: JobOptions,
  ): Promise<ReturnType<CompilerJobs[Name]>> {
    const asked = { ...options, ...ownOf(options) }
    const code = this.#refusal(asked)
    if (code !== undefined) return Promise.reject(this.#error(code, options))
    return new Promise((resolve, reject) => {
      const { clock, maxWait } = this.#options
      const wait = options.urgent ? maxWait : LONG_WAIT
      const timer = clock.after(wait, () => {
        this.#waiting.delete(job)
        this.#observe('busy')
        const isThere = this.#idle.length + this.#running.size > 0
        reject(this.#error('BUSY', options, isThere ? 'BUSY' : 'STARTING'))
      })
      const job: Job = {
        name,
        since: clock.now(),
        until: clock.now() + wait,
        input,
        resolve: resolve as Job['resolve'],
        reject,
        timer,
        ...asked,
      }
      this.#waiting.add(job)
      options.signal?.addEventListener('abort', () => this.#drop(job), { once: true })
      this.#serve()
    })
  }

  /** Accepts no more jobs and drops the waiting jobs. The owner of the pool ends the threads. */
  stop(): void {
    this.#stopped = true
    for (const job of [...this.#waiting, ...[...this.#running.values()].map(({ job }) => job)]) {
      job.timer.cancel()
      job.reject(this.#error('STOPPED', job))
    }
    this.#rest?.cancel()
    this.#more?.cancel()
    this.#idleEnd?.cancel()
    this.#waiting.clear()
    this.#running.clear()
  }

  /** Why the pool does not accept a job. */
  #refusal(asked: JobOptions & { peer: string }): CompilerErrorCode | undefined {
    const { tenant, peer, urgent, signal } = asked
    if (this.#stopped) return 'STOPPED'
    if (this.#costly.has(costOf(asked), this.#options.clock.now())) {
      this.#observe('known-too-costly')
      return 'TOO_COSTLY'
    }
    if (signal?.aborted !== true && !this.#isFull(tenant, peer, urgent)) return undefined
    this.#observe('busy')
    return 'BUSY'
  }

  #isFull(tenant: string, peer: string, urgent: boolean): boolean {
    const { size } = this.#waiting
    if (size < (urgent ? MAX_OF_TENANT : MAX)) return false
    const ofKind = [...this.#waiting].filter((job) => job.urgent === urgent)
    if (!urgent) return !this.#makeRoom(ofKind, 'tenant', tenant)
    if (ofKind.filter((job) => job.tenant === tenant).length >= MAX_OF_TENANT) return true
    return ofKind.length >= MAX_URGENT && !this.#makeRoom(ofKind, 'peer', peer)
  }

  /**
   * Drops the youngest job of the peer or tenant that has the most jobs. Drops no job if the owner of the new job would
   * then have the most jobs.
   * @returns whether a job was dropped
   */
  #makeRoom(jobs: readonly Job[], by: 'peer' | 'tenant', own: string): boolean {
    const counts = new Map<string, number>()
    for (const job of jobs) counts.set(job[by], (counts.get(job[by]) ?? 0) + 1)
    const [most, count] = [...counts].reduce((one, other) => (other[1] > one[1] ? other : one))
    if (count <= (counts.get(own) ?? 0) + 1) return false
    this.#drop(jobs.findLast((job) => job[by] === most)!)
    return true
  }

  /** Gives up a waiting job. */
  #drop(job: Job): void {
    if (!this.#waiting.delete(job)) return
    job.timer.cancel()
    this.#observe('busy')
    job.reject(this.#error('BUSY', job))
  }

  #serve(): void {
    const { threads, clock } = this.#options
    while (this.#idle.length > 0 || this.#started < threads) {
      const running = [...this.#running.values()]
      const job = this.#next(running, clock.now())
      if (job === undefined) return
      const thread = this.#idle.pop()?.thread
      if (thread === undefined) {
        if (this.#started === 0) void this.#startThread()
        else if (this.#started === running.length) this.#more ??= clock.after(WAIT_FOR_LONG, () => this.#lack())
        return
      }
      this.#waiting.delete(job)
      void this.#give(job, thread)
    }
  }

  /**
   * Starts another thread if a waiting job could use it, and either all running jobs are long or the waiting job has
   * waited long. Otherwise it checks again later.
   */
  #lack(): void {
    this.#more = undefined
    const { clock } = this.#options
    const now = clock.now()
    const running = [...this.#running.values()]
    if (this.#idle.length > 0 || this.#next(running, now) === undefined) return
    const isLong = running.every(({ since }) => now - since >= WAIT_FOR_LONG)
    const waitsLong = ({ since, urgent, tenant }: Job): boolean =>
      now - since >= WAIT_FOR_MANY[urgent ? 'urgent' : 'other'] && !running.some((other) => other.tenant === tenant)
    if (isLong || [...this.#waiting].some(waitsLong)) void this.#startThread()
    else this.#more = clock.after(WAIT_FOR_LONG, () => this.#lack())
  }

  #next(running: readonly Hand[], now: number): Job | undefined {
    const { peers } = this.#tenants
    return nextTurn(this.#waiting, running, this.#tenants, {
      peers,
      left: this.#left,
      restUntil: this.#restUntil,
      now,
    })
  }

  /**
   * Number of threads that slow tenants may use: all threads except one, which stays free for other tenants. A thread
   * that restarts does not count.
   */
  get #left(): number {
    const { threads } = this.#options
    if (threads === 1) return 1
    return (this.#started < threads ? threads : this.#idle.length + this.#running.size) - 1
  }

  async #give(job: Job, thread: CompilerThread): Promise<void> {
    const { clock } = this.#options
    const { tenant } = job
    job.timer.cancel()
    const hand: Hand = { job, tenant, since: clock.now() }
    job.timer = clock.after(Math.min(FIRST_LOOK, this.#deadlineOf(job)), () => this.#poll(thread, hand))
    this.#tenants.begins(tenant, job.peer)
    this.#running.set(thread, hand)
    try {
      job.resolve(await thread.run(job.name, job.input))
      this.#ended(thread, job, 'done')
    } catch (error) {
      // The thread died during the job, for example because it ran out of memory. If the pool ended the thread, the
      // caller already has an answer.
      if (error instanceof AskError && error.code === 'THREAD_DIED') this.#giveUp(thread, job, 'TOO_COSTLY')
      else {
        job.reject(error)
        this.#ended(thread, job, 'failed')
      }
    }
  }

  #ended(thread: CompilerThread, job: Job, outcome: 'done' | 'failed'): void {
    if (this.#running.get(thread)?.job !== job) return
    job.timer.cancel()
    this.#observe(outcome)
    this.#account(thread, false)
    this.#takeBack(thread)
  }

  /** Checks a job that takes longer than most jobs. The time before this first measurement counts as CPU time. */
  #poll(thread: CompilerThread, hand: Hand): void {
    const passed = this.#options.clock.now() - hand.since
    hand.worked = thread.worked() - passed
    this.#isDue(thread)
  }

  /**
   * Gives up the job when its CPU time is used up, or when its total time is over because the thread got too little
   * CPU.
   */
  #isDue(thread: CompilerThread): void {
    const { clock } = this.#options
    const { job } = this.#running.get(thread)!
    const deadline = this.#deadlineOf(job)
    const left = deadline - this.#workedOf(thread)
    const last = job.until + deadline - clock.now()
    job.timer =
      left > 0 && last > 0
        ? clock.after(Math.max(LAST_LOOK, Math.min(left, last)), () => this.#isDue(thread))
        : clock.after(LAST_LOOK, () => this.#giveUp(thread, job, left > 0 ? 'BUSY' : 'TOO_COSTLY'))
  }

  /** Gives up the running job: ends its thread and starts another thread for the waiting jobs. */
  #giveUp(thread: CompilerThread, job: Job, code: 'BUSY' | 'TOO_COSTLY'): void {
    if (this.#running.get(thread)?.job !== job) return
    const { clock, logger } = this.#options
    const had = clock.now() - this.#running.get(thread)!.since
    const took = this.#account(thread, code === 'TOO_COSTLY')
    logger.warn(
      { job: job.name, namespace: job.namespace, durationMs: Math.round(took) },
      code === 'BUSY'
        ? 'a compiler thread got too little CPU, which is not the fault of the policy; restarting the thread'
        : 'a policy takes too long to compile; restarting the compiler thread',
    )
    job.timer.cancel()
    if (code === 'TOO_COSTLY') this.#costly.add(costOf(job), clock.now())
    this.#observe(code === 'BUSY' ? 'busy' : 'too-costly')
    job.reject(this.#error(code, job))
    if (code === 'TOO_COSTLY') this.#restFor(REST * Math.min(this.#deadlineOf(job), had))
    void thread.kill().then(() => this.#whenReady(thread))
    this.#serve()
  }

  #restFor(time: number): void {
    const { clock } = this.#options
    this.#restUntil = clock.now() + time
    this.#rest?.cancel()
    this.#rest = clock.after(time, () => this.#serve())
  }

  /** @returns the CPU milliseconds that the job used */
  #account(thread: CompilerThread, isTooCostly: boolean): number {
    const { tenant } = this.#running.get(thread)!
    const took = this.#workedOf(thread)
    this.#running.delete(thread)
    this.#tenants.ended(tenant, took, isTooCostly, this.#options.clock.now())
    return took
  }

  /** CPU milliseconds of the running job; before the first measurement, elapsed milliseconds. */
  #workedOf(thread: CompilerThread): number {
    const { since, worked } = this.#running.get(thread)!
    return worked === undefined ? this.#options.clock.now() - since : thread.worked() - worked
  }

  async #startThread(): Promise<void> {
    if (this.#started >= this.#options.threads) return
    this.#started++
    await this.#whenReady(this.#options.thread(++this.#number))
  }

  async #whenReady(thread: CompilerThread): Promise<void> {
    try {
      this.#slowness = Math.min(SLOWEST, Math.max(1, (await thread.ready()) / USUAL_START))
    } catch (err) {
      if (!this.#stopped) this.#options.logger.error({ err }, 'a compiler thread does not start')
      return
    }
    this.#takeBack(thread)
  }

  /** Returns a thread without a job to the idle threads. */
  #takeBack(thread: CompilerThread): void {
    if (this.#stopped) return
    const { clock } = this.#options
    this.#idle.push({ thread, since: clock.now() })
    this.#idleEnd ??= clock.after(IDLE, () => this.#endIdle())
    this.#serve()
  }

  #endIdle(): void {
    const { clock } = this.#options
    const now = clock.now()
    for (let first = this.#idle[0]; first !== undefined && first.since + IDLE <= now; first = this.#idle[0]) {
      if (this.#started === 1 && this.#slowness >= SLOW_START) return
      this.#idle.shift()
      this.#started--
      void first.thread.end()
    }
    const [next] = this.#idle
    this.#idleEnd = next && clock.after(next.since + IDLE - now, () => this.#endIdle())
  }

  #observe(outcome: Outcome): void {
    this.#options.observe?.(outcome)
  }

  #deadlineOf({ times = 1 }: JobOptions): number {
    return times * this.#options.deadline * this.#slowness
  }

  #error(code: CompilerErrorCode, job: JobOptions, said: keyof typeof compilerMessages = code): CompilerError {
    return new CompilerError(code, compilerMessages[said](this.#deadlineOf(job) / 1_000))
  }
}
