import Bottleneck from 'bottleneck'
import type { RestartLimiter } from '../../actors/ports.ts'
import { type RestartLimits, restartLimits } from './paces.ts'

const MINUTE = 60_000
/** A namespace without restarts for this long has its whole allowance again, and its limiter goes. */
const FORGET_AFTER = 5 * MINUTE

interface Turn {
  cancelled: boolean
  /** Ends the job that holds the turn. */
  end: () => void
}

const settings = (inFlight: number, perMinute: number): Bottleneck.ConstructorOptions => ({
  maxConcurrent: inFlight,
  reservoir: perMinute,
  reservoirRefreshAmount: perMinute,
  reservoirRefreshInterval: MINUTE,
})

/**
 * Restart limits of a real manager: one bottleneck for all, and one for each namespace in front of it. Its timers are real; tests
 * under simulated time have another limiter.
 */
export class BottleneckRestartLimiter implements RestartLimiter {
  readonly #overall: Bottleneck
  readonly #limits: RestartLimits
  readonly #forgetAfter: number
  /** No group of bottleneck's own: that drops limiters that are in use. */
  readonly #namespaces = new Map<string, { limiter: Bottleneck; forget: NodeJS.Timeout }>()
  readonly #turns = new Map<string, Turn>()

  /**
   * @param forgetAfter milliseconds
   * @throws {RangeError} for a limit that is no whole number from 1
   */
  constructor(limits: RestartLimits = restartLimits, forgetAfter = FORGET_AFTER) {
    for (const [name, limit] of Object.entries(limits))
      if (!Number.isInteger(limit) || limit < 1)
        throw new RangeError(`The restart limit ${name} is a whole number from 1, not ${limit}`)
    this.#limits = limits
    this.#forgetAfter = forgetAfter
    this.#overall = new Bottleneck(settings(limits.inFlight, limits.perMinute))
  }

  /** Namespaces of which something is kept. */
  get namespaces(): number {
    return this.#namespaces.size
  }

  ask(caller: string, namespace: string, granted: () => void): void {
    this.#schedule(caller, namespace, granted)
  }

  /** Waits for its place as others do: what is in flight from before stands on workloads, where their owners may write it. */
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

  /** Ends all timers. Who waits waits for ever. */
  async close(): Promise<void> {
    for (const caller of [...this.#turns.keys()]) this.done(caller)
    const namespaces = [...this.#namespaces.values()]
    const all = [this.#overall, ...namespaces.map(({ limiter }) => limiter)]
    for (const { forget } of namespaces) clearTimeout(forget)
    // Jobs that wait are refused; their promises are looked at below.
    await Promise.allSettled(all.map((limiter) => limiter.stop({ dropWaitingJobs: true })))
    await Promise.allSettled(all.map((limiter) => limiter.disconnect(false)))
  }

  #limiterOf(namespace: string): Bottleneck {
    const known = this.#namespaces.get(namespace)
    if (known !== undefined) return known.limiter
    const { inFlightPerNamespace, perMinutePerNamespace } = this.#limits
    const limiter = new Bottleneck(settings(inFlightPerNamespace, perMinutePerNamespace)).chain(this.#overall)
    const forget = setTimeout(() => {
      // One that is in use looks again when it is not.
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
    const turn: Turn = { cancelled: false, end: () => undefined }
    this.#turns.set(caller, turn)
    const job = (): Promise<void> =>
      new Promise((resolve) => {
        if (turn.cancelled) return resolve()
        turn.end = resolve
        granted()
      })
    // A job does not fail; it is only dropped by close(), and then no caller waits.
    this.#limiterOf(namespace)
      .schedule(job)
      .catch(() => undefined)
  }
}
