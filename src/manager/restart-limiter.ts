import Bottleneck from 'bottleneck'
import type { RestartLimiter } from '../../actors/ports.ts'
import { type RestartLimits, restartLimits } from './default-limits.ts'

const MINUTE = 60_000
/**
 * Milliseconds without restarts until the limiter of a namespace is removed. By then, the namespace has its full
 * allowance again.
 */
const FORGET_AFTER = 5 * MINUTE

interface Turn {
  cancelled: boolean
  granted: () => void
  /** Ends the bottleneck job of this turn. */
  end: () => void
}

const settings = (inFlight: number, perMinute: number): Bottleneck.ConstructorOptions => ({
  maxConcurrent: inFlight,
  reservoir: perMinute,
  reservoirRefreshAmount: perMinute,
  reservoirRefreshInterval: MINUTE,
})

/**
 * Limits restarts: a turn needs room in the limiter of its namespace, and then in the limiter of all namespaces. It
 * uses real timers, so tests under simulated time use another limiter.
 */
export class BottleneckRestartLimiter implements RestartLimiter {
  readonly #overall: Bottleneck
  readonly #limits: RestartLimits
  readonly #forgetAfter: number
  /** Limiters by namespace. Bottleneck's own group would drop limiters in use. */
  readonly #namespaces = new Map<string, { limiter: Bottleneck; forget: NodeJS.Timeout }>()
  readonly #turns = new Map<string, Turn>()
  /** Waiting turns, including withdrawn turns, by caller and namespace. */
  readonly #waiting = new Map<string, Turn>()

  /**
   * @param forgetAfter milliseconds
   * @throws {RangeError} if a limit is not a whole number of 1 or more
   */
  constructor(limits: RestartLimits = restartLimits, forgetAfter = FORGET_AFTER) {
    for (const [name, limit] of Object.entries(limits))
      if (!Number.isInteger(limit) || limit < 1)
        throw new RangeError(`The restart limit ${name} must be a whole number of 1 or more, not ${limit}`)
    this.#limits = limits
    this.#forgetAfter = forgetAfter
    this.#overall = new Bottleneck(settings(limits.inFlight, limits.perMinute))
  }

  /** Number of namespaces that have a limiter. */
  get namespaces(): number {
    return this.#namespaces.size
  }

  /** Number of waiting turns, including withdrawn turns. */
  get waiting(): number {
    return this.#waiting.size
  }

  ask(caller: string, namespace: string, granted: () => void): void {
    this.#schedule(caller, namespace, granted)
  }

  /**
   * A resumed restart waits for a turn like a new restart: the record of a restart in progress is on the workload,
   * where its owner can change it.
   */
  resume(caller: string, namespace: string): void {
    this.#schedule(caller, namespace, () => undefined)
  }

  done(caller: string): void {
    const turn = this.#turns.get(caller)
    if (turn === undefined) return
    this.#turns.delete(caller)
    turn.cancelled = true
    turn.end()
  }

  /** Cancels all timers. Callers that still wait get no turn. */
  async close(): Promise<void> {
    for (const caller of [...this.#turns.keys()]) this.done(caller)
    const namespaces = [...this.#namespaces.values()]
    const all = [this.#overall, ...namespaces.map(({ limiter }) => limiter)]
    for (const { forget } of namespaces) clearTimeout(forget)
    // Waiting jobs are refused; their promises are handled below.
    await Promise.allSettled(all.map((limiter) => limiter.stop({ dropWaitingJobs: true })))
    await Promise.allSettled(all.map((limiter) => limiter.disconnect(false)))
  }

  #limiterOf(namespace: string): Bottleneck {
    const known = this.#namespaces.get(namespace)
    if (known !== undefined) return known.limiter
    const { inFlightPerNamespace, perMinutePerNamespace } = this.#limits
    const limiter = new Bottleneck(settings(inFlightPerNamespace, perMinutePerNamespace)).chain(this.#overall)
    const forget = setTimeout(() => {
      // A limiter in use is checked again later.
      if (Object.values(limiter.counts()).some((jobs) => jobs > 0)) return
      this.#namespaces.delete(namespace)
      void limiter.disconnect(false)
    }, this.#forgetAfter).unref()
    limiter.on('idle', () => forget.refresh())
    this.#namespaces.set(namespace, { limiter, forget })
    return limiter
  }

  #schedule(caller: string, namespace: string, granted: () => void): void {
    this.done(caller)
    const key = `${caller} ${namespace}`
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined) {
      // Reuse the waiting job, because a queued job cannot be removed: a caller that asks and withdraws repeatedly
      // would fill the queue.
      Object.assign(waiting, { cancelled: false, granted })
      this.#turns.set(caller, waiting)
      return
    }
    const turn: Turn = { cancelled: false, granted, end: () => undefined }
    this.#turns.set(caller, turn)
    this.#waiting.set(key, turn)
    const job = (): Promise<void> =>
      new Promise((resolve) => {
        this.#waiting.delete(key)
        if (turn.cancelled) return resolve()
        turn.end = resolve
        turn.granted()
      })
    // A job never fails. Only close() drops jobs, and then no caller waits.
    this.#limiterOf(namespace)
      .schedule(job)
      .catch(() => undefined)
  }
}
