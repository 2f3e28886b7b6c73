import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { AskError } from '../runtime/index.ts'
import { Costly } from './costly.ts'
import type { CompilerJobs } from './jobs.ts'
import type { CompilerThread } from './placed-compiler.ts'
import { CompilerError, type CompilerErrorCode, type Compilers, compilerMessages, type JobOptions } from './ports.ts'
import { Tenants } from './tenants.ts'
import { nextTurn, REST } from './turns.ts'

export interface PoolOptions {
  /**
   * How many threads there are at the most: one, by `start` or the first job, and others when a job has waited for a while. One that has
   * had nothing to do for a minute ends.
   */
  threads: number
  /** Starts one. */
  thread(number: number): CompilerThread
  /** Milliseconds of CPU that a job may take, and of time that an urgent one may wait for a thread; together they are all that it gets. */
  deadline: number
  longestWait: number
  clock: Clock
  logger: Logger
  observe?: (outcome: Outcome) => void
}

export type Outcome = 'done' | 'failed' | 'too-costly' | 'known-too-costly' | 'busy'

/** Milliseconds that a job waits that nobody stands and waits for: a thread takes minutes to start on a node that is busy and slow, and one that is given up begins anew. */
const LONG_WAIT = 300_000
/**
 * Jobs that wait: urgent jobs of one tenant, urgent jobs, all jobs. Each may hold a policy of a megabyte. A full queue drops the youngest
 * job of the peer that has most urgent jobs, or of the tenant that has most other jobs.
 */
const MOST_OF_TENANT = 128
const MOST_URGENT = 512
const MOST = 5_000
/**
 * Milliseconds that a job waits before another thread is started, which costs as much CPU as hundreds of policies and takes 18 MiB: behind
 * one that takes long, and behind many that do not.
 */
const WAIT_FOR_LONG = 100
const WAIT_FOR_MANY = { urgent: 500, other: 1_000 }
/** Milliseconds that a thread stays without a job: it takes 13 MiB even so, and a few tenths of a second to be started again. */
export const IDLE = 60_000
/** Milliseconds of CPU in which a thread starts on a machine of some age. Where it takes so many times as long, so may a job, and its code is as cold. */
const USUAL_START = 1_000
/** So many times at most. */
const SLOWEST = 20
/** From then on it is worth 13 MiB that whoever asks first need not wait for a thread. */
const SLOW_START = 3

/** Milliseconds after which it is looked how much CPU the thread has used: for most jobs never, as the look costs as much as some of them. */
const FIRST_LOOK = 100
/** Milliseconds: an answer that was there in time, and has only not been read yet, is read by then. */
const LAST_LOOK = 20

interface Job extends JobOptions {
  peer: string
  /** What whoever asked calls the tenant. */
  namespace: string
  name: string
  /** Since when it waits for a thread, and until when it may. */
  since: number
  until: number
  input: readonly unknown[]
  resolve(output: unknown): void
  reject(error: unknown): void
  /** Of its wait, then of its deadline. */
  timer: Timer
}

interface Hand {
  job: Job
  tenant: string
  since: number
  /** What the thread had worked by then, at least. Known from the first look on. */
  worked?: number
}

/** What peers name is theirs: the same namespace named by another one is another tenant. */
const ownOf = ({ tenant, peer = '' }: JobOptions): Pick<Job, 'tenant' | 'peer' | 'namespace'> => ({
  tenant: peer === '' ? tenant : `${tenant} from ${peer}`,
  peer,
  namespace: tenant,
})

/** What was too costly is so for its tenant alone: another one's may be cheap, where `subject` is not all that makes it costly. */
const costOf = ({ tenant, subject }: JobOptions): unknown => [tenant, subject]

/** Gives jobs to threads, each to one of its own; see `turns.ts` for whose turn it is. Each job is answered, in bounded time. */
export class CompilerPool implements Compilers {
  readonly #options: PoolOptions
  readonly #waiting = new Set<Job>()
  readonly #running = new Map<CompilerThread, Hand>()
  /** Those without a job, and since when; the one that had the last job is the last, and has the next one. */
  readonly #idle: { thread: CompilerThread; since: number }[] = []
  /** Until the first of them is ended. */
  #idleEnd: Timer | undefined
  readonly #tenants = new Tenants()
  readonly #costly = new Costly()
  /** So long those rest whose jobs are too costly. */
  #restUntil = 0
  #rest: Timer | undefined
  /** Until another thread is started. */
  #more: Timer | undefined
  #started = 0
  /** So many were started ever. */
  #number = 0
  #stopped = false
  /** So many times as long as usual a thread took to start. */
  #slowness = 1

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Jobs that wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Starts a thread, so that the first job waits for none; others take some 20 MiB each from when they are needed on. Resolves when it is there. */
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
      const { clock, longestWait } = this.#options
      const wait = options.urgent ? longestWait : LONG_WAIT
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

  /** Nothing is taken any more, and nothing that waits is done. The threads are their owner's to end. */
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

  /** Why a job is not even taken. */
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
    if (size < (urgent ? MOST_OF_TENANT : MOST)) return false
    const ofKind = [...this.#waiting].filter((job) => job.urgent === urgent)
    if (!urgent) return !this.#makeRoom(ofKind, 'tenant', tenant)
    if (ofKind.filter((job) => job.tenant === tenant).length >= MOST_OF_TENANT) return true
    return ofKind.length >= MOST_URGENT && !this.#makeRoom(ofKind, 'peer', peer)
  }

  /** Drops the youngest job of the peer or tenant that has most jobs. @returns whether it has more jobs than this one would have */
  #makeRoom(jobs: readonly Job[], by: 'peer' | 'tenant', own: string): boolean {
    const counts = new Map<string, number>()
    for (const job of jobs) counts.set(job[by], (counts.get(job[by]) ?? 0) + 1)
    const [most, count] = [...counts].reduce((one, other) => (other[1] > one[1] ? other : one))
    if (count <= (counts.get(own) ?? 0) + 1) return false
    this.#drop(jobs.findLast((job) => job[by] === most)!)
    return true
  }

  /** Gives up a job, if it still waits. */
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

  /** A job has waited: another thread is started if one still does that may have it, unless those before it are short and few. */
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

  /** How many threads slow ones may have: all but one of those that are there, so that they wait for one that is started anew. */
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
    job.timer = clock.after(Math.min(FIRST_LOOK, this.#deadlineOf(job)), () => this.#look(thread, hand))
    this.#tenants.begins(tenant, job.peer)
    this.#running.set(thread, hand)
    try {
      job.resolve(await thread.run(job.name, job.input))
      this.#ended(thread, job, 'done')
    } catch (error) {
      // Memory has run out, say. Where the pool has ended the thread itself, this was answered.
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

  /** It takes longer than most. What is not known of its first moments counts as worked. */
  #look(thread: CompilerThread, hand: Hand): void {
    const passed = this.#options.clock.now() - hand.since
    hand.worked = thread.worked() - passed
    this.#isDue(thread)
  }

  /** The time of the job in hand may be over: not if the thread had no CPU for so long, while others wait no longer for that. */
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

  /** The job in hand is given up: its thread ends, and those that wait are served by another one. */
  #giveUp(thread: CompilerThread, job: Job, code: 'BUSY' | 'TOO_COSTLY'): void {
    if (this.#running.get(thread)?.job !== job) return
    const { clock, logger } = this.#options
    const had = clock.now() - this.#running.get(thread)!.since
    const took = this.#account(thread, code === 'TOO_COSTLY')
    logger.warn(
      { job: job.name, namespace: job.namespace, durationMs: Math.round(took) },
      code === 'BUSY'
        ? 'a compiler got too little CPU, which is no fault of the policy; its thread is started anew'
        : 'a policy takes too long to compile; its thread is started anew',
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

  /** @returns the milliseconds that the thread has worked */
  #account(thread: CompilerThread, isTooCostly: boolean): number {
    const { tenant } = this.#running.get(thread)!
    const took = this.#workedOf(thread)
    this.#running.delete(thread)
    this.#tenants.ended(tenant, took, isTooCostly, this.#options.clock.now())
    return took
  }

  /** Milliseconds of CPU that the job in hand has had, or of time, where it is too early to ask. */
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
      if (!this.#stopped) this.#options.logger.error({ err }, 'a compiler does not start')
      return
    }
    this.#takeBack(thread)
  }

  /** It has no job. */
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
