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
  readonly #namespaces: Bottleneck.Group
  readonly #turns = new Map<string, Turn>()

  /** @throws {RangeError} for a limit that is no whole number from 1 */
  constructor(limits: RestartLimits = restartLimits) {
    for (const [name, limit] of Object.entries(limits))
      if (!Number.isInteger(limit) || limit < 1)
        throw new RangeError(`The restart limit ${name} is a whole number from 1, not ${limit}`)
    this.#overall = new Bottleneck(settings(limits.inFlight, limits.perMinute))
    this.#namespaces = new Bottleneck.Group({
      ...settings(limits.inFlightPerNamespace, limits.perMinutePerNamespace),
      timeout: FORGET_AFTER,
    })
    this.#namespaces.on('created', (limiter: Bottleneck) => limiter.chain(this.#overall))
  }

  ask(caller: string, namespace: string, granted: () => void): void {
    this.#schedule(caller, namespace, 5, granted)
  }

  /** One in flight from before counts as soon as a place is free, before all that only want to begin. */
  resume(caller: string, namespace: string): void {
    this.#schedule(caller, namespace, 0, () => undefined)
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
    const all = [this.#overall, ...this.#namespaces.limiters().map(({ limiter }) => limiter)]
    // Jobs that wait are refused; their promises are looked at below.
    await Promise.allSettled(all.map((limiter) => limiter.stop({ dropWaitingJobs: true })))
    await Promise.allSettled([this.#namespaces.disconnect(false), ...all.map((limiter) => limiter.disconnect(false))])
  }

  #schedule(caller: string, namespace: string, priority: number, granted: () => void): void {
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
    this.#namespaces
      .key(namespace)
      .schedule({ priority }, job)
      .catch(() => undefined)
  }
}
