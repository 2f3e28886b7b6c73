/** Steps after which their cause rests a millisecond: it has a tenth of the first thread at most, where 2,000 steps take a millisecond. */
const STEPS_A_MILLISECOND = 200
/** Milliseconds of rest that may add up before there is any. */
const PATIENCE = 250

/** How much work one namespace has caused lately. */
export class Pace {
  #until = Number.NEGATIVE_INFINITY

  spend(steps: number, now: number): void {
    this.#until = Math.max(this.#until, now) + steps / STEPS_A_MILLISECOND
  }

  /** When nothing of it counts any more. */
  get restsUntil(): number {
    return this.#until
  }

  /** From when on there may be more of it, in milliseconds since the epoch. */
  get readyAt(): number {
    return this.#until - PATIENCE
  }
}
