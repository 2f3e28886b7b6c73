import type { RestartLimiter } from '../../../actors/ports.ts'
import type { Clock } from '../../../src/base/clock.ts'
import type { RestartLimits } from '../../../src/manager/default-limits.ts'

interface Turn {
  caller: string
  namespace: string
  granted: () => void
}

/** Restart limits under a clock that a test moves: requests get their turns in order, as far as the limits allow. */
export class SimulatedRestartLimiter implements RestartLimiter {
  readonly #clock: Clock
  readonly #limits: RestartLimits
  #waiting: Turn[] = []
  readonly #held = new Map<string, string>()
  /** Times of the turns in the last minute. */
  #given: { at: number; namespace: string }[] = []

  constructor(clock: Clock, limits: RestartLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get inFlight(): number {
    return this.#held.size
  }

  ask(caller: string, namespace: string, granted: () => void): void {
    this.done(caller)
    this.#waiting.push({ caller, namespace, granted })
    this.#clock.after(0, () => this.#give())
  }

  resume(caller: string, namespace: string): void {
    this.done(caller)
    this.#held.set(caller, namespace)
  }

  done(caller: string): void {
    this.#held.delete(caller)
    this.#waiting = this.#waiting.filter((turn) => turn.caller !== caller)
    this.#clock.after(0, () => this.#give())
  }

  #give(): void {
    const now = this.#clock.now()
    this.#given = this.#given.filter(({ at }) => now - at < 60_000)
    for (const turn of [...this.#waiting]) {
      if (!this.#allows(turn)) continue
      this.#waiting = this.#waiting.filter((other) => other !== turn)
      this.#held.set(turn.caller, turn.namespace)
      this.#given.push({ at: now, namespace: turn.namespace })
      turn.granted()
    }
    const oldest = this.#given[0]
    if (this.#waiting.length > 0 && oldest !== undefined)
      this.#clock.after(Math.max(1, oldest.at + 60_000 - now), () => this.#give())
  }

  #allows({ namespace }: Turn): boolean {
    const { inFlight, inFlightPerNamespace, perMinute, perMinutePerNamespace } = this.#limits
    const held = [...this.#held.values()]
    const same = (one: string) => one === namespace
    return (
      held.length < inFlight &&
      held.filter(same).length < inFlightPerNamespace &&
      this.#given.length < perMinute &&
      this.#given.filter((one) => same(one.namespace)).length < perMinutePerNamespace
    )
  }
}
