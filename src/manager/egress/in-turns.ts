import type { Clock, Timer } from '../../base/clock.ts'

/** Steps of a turn: a millisecond or two. The last one may be longer: what is done at once. */
export const STEPS_A_TURN = 2_048

export interface InTurnsOptions {
  clock: Clock
  /** Called after each turn with the steps that it took. */
  turned?: ((steps: number) => void) | undefined
}

/** Long work on the first thread: a generator yields how many steps it took, and others have their turn between. */
export class InTurns {
  readonly #options: InTurnsOptions
  readonly #jobs: () => Generator<number, number | undefined>
  #running: Generator<number, number | undefined> | undefined
  #timer: Timer | undefined
  #at = Number.POSITIVE_INFINITY
  #stopped = false
  #again = false
  /** Of all turns. */
  steps = 0

  /** @param jobs goes through all that is to be done now, and returns when there is more, in milliseconds since the epoch */
  constructor(jobs: () => Generator<number, number | undefined>, options: InTurnsOptions) {
    this.#jobs = jobs
    this.#options = options
  }

  /** There is something to be done, now or at a time. */
  wake(at = this.#options.clock.now()): void {
    // Jobs that are under way may have looked before it came.
    if (this.#running !== undefined) this.#again = true
    if (this.#stopped || at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    this.#timer = this.#options.clock.after(Math.max(0, at - this.#options.clock.now()), () => this.#turn())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#running = undefined
  }

  #turn(): void {
    this.#at = Number.POSITIVE_INFINITY
    if (this.#running === undefined) {
      this.#running = this.#jobs()
      this.#again = false
    }
    let steps = 0
    while (steps < STEPS_A_TURN) {
      const { done, value } = this.#running.next()
      if (this.#stopped) return
      if (done) {
        this.#running = undefined
        const next = this.#again ? undefined : value
        if (this.#again || next !== undefined) this.wake(next)
        break
      }
      steps += value
      this.steps += value
    }
    this.#options.turned?.(steps)
    if (this.#running !== undefined) this.wake()
  }
}
