import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { ClassQueue } from './class-queue.ts'

/**
 * Why a request is made, from the most urgent down. A lease that is not renewed in time ends everything else; policies are
 * what users wait for, so nothing may be in their way. `stranger`: what anybody who reaches us can cause, such as the review of a
 * token that was never seen before.
 */
export const requestClasses = ['lease', 'policy', 'read', 'status', 'restart', 'event', 'stranger'] as const

export type RequestClass = (typeof requestClasses)[number]

/** Where requests other than watches wait for their turn. */
export interface Limiter {
  /**
   * Resolves when the request may be sent, with the seconds that it waited.
   * @throws the reason of the signal, as soon as it is aborted
   */
  turn(of: RequestClass, signal: AbortSignal): Promise<number>
  /** A request that had its turn has ended, well or not. */
  ended?(): void
  /** Requests that wait. */
  readonly waiting: number
  /** Ends the limiter's timers. Who waits is refused. */
  close(): void
}

/** What gives turns at some rate. It is asked again only when it has called back. */
export interface Pace {
  /** Calls back when the next turns come: how many, of `most` at most. */
  next(most: number, callback: (turns: number) => void): void
  close(): void
}

export interface LimiterOptions {
  /** Requests a second in the long run. Default 100. */
  qps?: number
  /** Requests at once after a time of rest. Default 200. */
  burst?: number
  /** Turns that go to higher classes while a lower one waits, before the lower one gets one. Default 20. */
  patience?: number
  /**
   * Requests under way at once, not counting those for the lease. Default 16: fewer than there are connections, so that what a slow
   * server keeps waiting waits here, where the urgent goes first, and a lease finds a connection that is free.
   */
  inFlight?: number
  clock?: Clock
  /** For tests. Default: a token bucket of this rate. */
  pace?: Pace
}

/** Milliseconds after which to look again, at least: turns come together then, and a timer for each is spared. */
const LEAST = 10

/** Turns as a token bucket has them. A bottleneck would cost each request two timers and many promises, more than the request does. */
function bucketPace(qps: number, burst: number, clock: Clock): Pace {
  const refill = 1_000 / qps
  const bucket = new TokenBucket(burst, refill, clock.now())
  let timer: Timer | undefined
  const next: Pace['next'] = (most, callback) => {
    const turns = bucket.takeSome(most, clock.now())
    if (turns > 0) callback(turns)
    else timer = clock.after(Math.max(LEAST, refill), () => next(most, callback))
  }
  return { next, close: () => timer?.cancel() }
}

interface Waiter {
  of: RequestClass
  grant(): void
  leave(reason: unknown): void
}

/**
 * Turns come at some pace; whose turn it is gets decided when it comes, not when a request arrives, so
 * a request that was given up takes no turn, and an urgent one waits for no other but those already sent.
 */
export class PriorityLimiter implements Limiter {
  #queue: ClassQueue<RequestClass, Waiter>
  #pace: Pace
  #clock: Clock
  /** Turns are asked for, and have not come yet. */
  #asked = false
  /** Turns that have come, and wait until fewer requests are under way. */
  #turns = 0
  #running = 0
  #begun = 0
  #inFlight: number
  #closed: Error | undefined

  constructor({
    qps = 100,
    burst = 200,
    patience = 20,
    inFlight = 16,
    clock = systemClock,
    pace,
  }: LimiterOptions = {}) {
    if (!(qps > 0)) throw new RangeError(`qps must be above 0, not ${qps}`)
    if (!(burst >= 1)) throw new RangeError(`burst must be from 1, not ${burst}`)
    if (!(inFlight >= 1)) throw new RangeError(`inFlight must be from 1, not ${inFlight}`)
    this.#inFlight = inFlight
    this.#queue = new ClassQueue(requestClasses, patience)
    this.#pace = pace ?? bucketPace(qps, burst, clock)
    this.#clock = clock
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Requests that had their turn, but for those for the lease, which go on for ever. */
  get begun(): number {
    return this.#begun
  }

  turn(of: RequestClass, signal: AbortSignal): Promise<number> {
    const start = this.#clock.now()
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      if (this.#closed !== undefined) return reject(this.#closed)
      const onAbort = () => {
        this.#queue.delete(of, waiter)
        waiter.leave(signal.reason)
      }
      const release = () => signal.removeEventListener('abort', onAbort)
      const waiter: Waiter = {
        of,
        leave: (reason) => {
          release()
          reject(reason)
        },
        grant: () => {
          release()
          this.#running++
          if (of !== 'lease') this.#begun++
          resolve((this.#clock.now() - start) / 1000)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#queue.add(of, waiter)
      this.#ask()
    })
  }

  ended(): void {
    this.#running--
    this.#give()
  }

  close(): void {
    this.#closed ??= new Error('The limiter is closed')
    for (let waiter = this.#queue.take(); waiter !== undefined; waiter = this.#queue.take()) waiter.leave(this.#closed)
    this.#pace.close()
  }

  /** Asks for the turns that are missing, unless some are on their way, or have come, whose waiters have left. */
  #ask(): void {
    const missing = this.#queue.size - this.#turns
    if (missing <= 0) this.#give()
    if (missing <= 0 || this.#asked) return
    this.#asked = true
    this.#pace.next(missing, (turns) => {
      this.#asked = false
      this.#turns += turns
      this.#give()
      this.#ask()
    })
  }

  #give(): void {
    while (this.#turns > 0 && this.#queue.size > 0) {
      const waiter = this.#running < this.#inFlight ? this.#queue.take() : this.#queue.takeOf('lease')
      if (waiter === undefined) return
      this.#turns--
      waiter.grant()
    }
    // Whom a turn was meant for has left.
    if (this.#queue.size === 0) this.#turns = 0
  }
}

/** No limit at all, for tests and for tools that a person runs. */
export const unlimited: Limiter = {
  turn: async (_, signal) => {
    signal.throwIfAborted()
    return 0
  },
  waiting: 0,
  close: () => undefined,
}
