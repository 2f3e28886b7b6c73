/**
 * Steps that cost a namespace one millisecond of waiting. They take about a tenth of a millisecond, so each namespace
 * uses at most a tenth of the main thread.
 */
const STEPS_A_MILLISECOND = 200
/** Milliseconds of waiting that a namespace may owe and still work. So short bursts of work need not wait. */
const TIMEOUT = 250

/**
 * Limits the main thread's time for each namespace. Each step of work makes the namespace owe some waiting; if it owes
 * too much, it must wait before its next work.
 */
export class Pace {
  #until = Number.NEGATIVE_INFINITY

  spend(steps: number, now: number): void {
    this.#until = Math.max(this.#until, now) + steps / STEPS_A_MILLISECOND
  }

  /** When the namespace has paid off all waiting that it owes. */
  get restsUntil(): number {
    return this.#until
  }

  /** When the namespace may work again, in milliseconds since the epoch. */
  get readyAt(): number {
    return this.#until - TIMEOUT
  }
}
