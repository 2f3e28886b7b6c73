/**
 * Steps per millisecond of rest: a tenant uses at most a tenth of the main thread, where 2,000 steps take a
 * millisecond.
 */
const STEPS_A_MILLISECOND = 200
/** Milliseconds of rest that accumulate before a rest. */
const TIMEOUT = 250

/** The work that one namespace has caused recently. */
export class Pace {
  #until = Number.NEGATIVE_INFINITY

  spend(steps: number, now: number): void {
    this.#until = Math.max(this.#until, now) + steps / STEPS_A_MILLISECOND
  }

  /** When all its work is paid off. */
  get restsUntil(): number {
    return this.#until
  }

  /** When more work is allowed, in milliseconds since the epoch. */
  get readyAt(): number {
    return this.#until - TIMEOUT
  }
}
