import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { ClassQueue } from './class-queue.ts'

/**
 * Why a request is made, from the most urgent down. A lease that is not renewed in time ends everything else; users
 * wait for policies, so nothing may delay them. `stranger`: requests that any client of ours can cause, such as a
 * review of an unknown token.
 */
export const requestClasses = ['lease', 'policy', 'read', 'status', 'restart', 'event', 'stranger'] as const

export type RequestClass = (typeof requestClasses)[number]

/** Where requests other than watches wait for their turn. */
export interface Limiter {
  /**
   * Resolves when the request may be sent, with the seconds waited.
   * @throws the signal's reason, as soon as it is aborted
   */
  turn(of: RequestClass, signal: AbortSignal): Promise<number>
  /** A request that had its turn has ended, with or without success. */
  ended?(): void
  /** Number of waiting requests. */
  readonly waiting: number
  /** Cancels the limiter's timers. Waiting requests are refused. */
  close(): void
}

/** A source of turns at some rate. It is asked again only after it has called back. */
export interface Pace {
  /** Calls back when the next turns are available, with their number, at most `most`. */
  next(max: number, callback: (turns: number) => void): void
  close(): void
}

export interface LimiterOptions {
  /** Sustained requests per second. Default 100. */
  qps?: number
  /** Maximum burst of requests. Default 200. */
  burst?: number
  /** Turns of higher classes while a lower one waits, before the lower one gets a turn. Default 20. */
  maxPassed?: number
  /**
   * Maximum concurrent requests, except for the lease. Default 16, fewer than there are connections: so requests to a
   * slow server wait here, where urgent ones go first, and the lease finds a free connection.
   */
  inFlight?: number
  clock?: Clock
  /** For tests. Default: a token bucket of this rate. */
  pace?: Pace
}

/** Minimum milliseconds until the next check: turns are handed out together, which saves a timer for each. */
const LEAST = 10

/**
 * Turns from a token bucket. The bottleneck library would cost each request two timers and many promises, more than the
 * request itself.
 */
function bucketPace(qps: number, burst: number, clock: Clock): Pace {
  const refill = 1_000 / qps
  const bucket = new TokenBucket(burst, refill, clock.now())
  let timer: Timer | undefined
  const next: Pace['next'] = (max, callback) => {
    const turns = bucket.takeSome(max, clock.now())
    if (turns > 0) callback(turns)
    else timer = clock.after(Math.max(LEAST, refill), () => next(max, callback))
  }
  return { next, close: () => timer?.cancel() }
}

interface Waiter {
  of: RequestClass
  grant(): void
  leave(reason: unknown): void
}

/**
 * Turns come at some rate; each goes to the request that is most urgent at that moment, so an aborted request takes no
 * turn, and an urgent one waits only for requests already sent.
 */
export class PriorityLimiter implements Limiter {
  #queue: ClassQueue<RequestClass, Waiter>
  #pace: Pace
  #clock: Clock
  /** Turns are requested, and have not come yet. */
  #asked = false
  /** Turns that have come, and wait for a running request to end. */
  #turns = 0
  #running = 0
  #begun = 0
  #inFlight: number
  #closed: Error | undefined

  constructor({
    qps = 100,
    burst = 200,
    maxPassed = 20,
    inFlight = 16,
    clock = systemClock,
    pace,
  }: LimiterOptions = {}) {
    if (!(qps > 0)) throw new RangeError(`qps must be above 0, not ${qps}`)
    if (!(burst >= 1)) throw new RangeError(`burst must be from 1, not ${burst}`)
    if (!(inFlight >= 1)) throw new RangeError(`inFlight must be from 1, not ${inFlight}`)
    this.#inFlight = inFlight
    this.#queue = new ClassQueue(requestClasses, maxPassed)
    this.#pace = pace ?? bucketPace(qps, burst, clock)
    this.#clock = clock
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Number of requests that had their turn, except for the lease, which are endless. */
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

  /** Requests missing turns, unless some are on their way, or unused ones are left from aborted requests. */
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
    // The request that the turn was for was aborted.
    if (this.#queue.size === 0) this.#turns = 0
  }
}

/** No limit, for tests and for tools that users run. */
export const unlimited: Limiter = {
  turn: async (_, signal) => {
    signal.throwIfAborted()
    return 0
  },
  waiting: 0,
  close: () => undefined,
}
