/**
 * Steps for which a tenant rests one millisecond. The main thread does about 2,000 steps in a millisecond, so each
 * tenant uses at most a tenth of it.
 */
const STEPS_A_MILLISECOND = 200
/** Milliseconds of rest that a tenant may owe before it must rest. */
const TIMEOUT = 250

/** Limits the work that one namespace causes: each step adds to the rest that the namespace owes. */
export class Pace {
  #until = Number.NEGATIVE_INFINITY

  spend(steps: number, now: number): void {
    this.#until = Math.max(this.#until, now) + steps / STEPS_A_MILLISECOND
  }

  /** When the namespace owes no more rest. */
  get restsUntil(): number {
    return this.#until
  }

  /** When the namespace may cause more work, in milliseconds since the epoch. */
  get readyAt(): number {
    return this.#until - TIMEOUT
  }
}
