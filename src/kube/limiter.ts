import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { ClassQueue } from './class-queue.ts'

/**
 * Purposes of requests, the most urgent first. Without a renewed lease, all other work stops; users wait for policies.
 * `stranger`: requests that any of our clients can cause, such as a review of an unknown token.
 */
export const requestClasses = ['lease', 'policy', 'read', 'status', 'restart', 'event', 'stranger'] as const

export type RequestClass = (typeof requestClasses)[number]

/** Decides when requests other than watches may be sent. */
export interface Limiter {
  /**
   * Resolves to the seconds waited, when the request may be sent.
   * @throws the signal's reason, as soon as it is aborted
   */
  turn(of: RequestClass, signal: AbortSignal): Promise<number>
  /** Call this when a request that had its turn has ended. */
  ended?(): void
  /** Number of waiting requests. */
  readonly waiting: number
  /** Stops the limiter. Waiting requests fail. */
  close(): void
}

/** A source of turns at a fixed rate. Callers call `next` again only after the callback. */
export interface Pace {
  /** Calls back when turns are available, with their number, at most `max`. */
  next(max: number, callback: (turns: number) => void): void
  close(): void
}

export interface LimiterOptions {
  /** Sustained requests per second. Default 100. */
  qps?: number
  /** Maximum burst of requests. Default 200. */
  burst?: number
  /**
   * Number of turns that higher classes may take while a lower class waits. Then the lower class gets a turn. Default
   * 20.
   */
  maxPassed?: number
  /**
   * Maximum concurrent requests, except for the lease. Default 16, which is below the number of connections. So
   * requests to a slow server wait here, where urgent requests come first, and the lease always finds a free
   * connection.
   */
  inFlight?: number
  clock?: Clock
  /** For tests. Default: a token bucket of this rate. */
  pace?: Pace
}

/** Minimum milliseconds until the next check, so that one timer serves several turns. */
const LEAST = 10

/**
 * Turns from a token bucket. The library bottleneck needs two timers and many promises for each request, which cost
 * more than the request itself.
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
 * Gives each turn to the request that is the most urgent when the turn comes. So an aborted request uses no turn, and
 * an urgent request waits only for requests that are sent already.
 */
export class PriorityLimiter implements Limiter {
  #queue: ClassQueue<RequestClass, Waiter>
  #pace: Pace
  #clock: Clock
  /** Whether the pace was asked for turns and has not called back yet. */
  #asked = false
  /** Turns that wait until a running request ends. */
  #turns = 0
  #running = 0
  #started = 0
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
    if (!(qps > 0)) throw new RangeError(`qps must be greater than 0, not ${qps}`)
    if (!(burst >= 1)) throw new RangeError(`burst must be 1 or more, not ${burst}`)
    if (!(inFlight >= 1)) throw new RangeError(`inFlight must be 1 or more, not ${inFlight}`)
    this.#inFlight = inFlight
    this.#queue = new ClassQueue(requestClasses, maxPassed)
    this.#pace = pace ?? bucketPace(qps, burst, clock)
    this.#clock = clock
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Number of requests that had their turn. Requests for the lease, which never stop, are not counted. */
  get started(): number {
    return this.#started
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
          if (of !== 'lease') this.#started++
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

  /** Asks the pace for missing turns. Turns that aborted requests did not use are given first. */
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
    // Drop turns whose requests were aborted.
    if (this.#queue.size === 0) this.#turns = 0
  }
}

/** A limiter without limits, for tests and for command-line tools. */
export const unlimited: Limiter = {
  turn: async (_, signal) => {
    signal.throwIfAborted()
    return 0
  },
  waiting: 0,
  close: () => undefined,
}
