import type { Clock, Timer } from '../../base/clock.ts'

/** Steps of one turn, which take one or two milliseconds. The last piece of work may exceed this number. */
export const STEPS_A_TURN = 2_048
/** Steps of long work between two yields. */
export const STEPS = 512

export interface InTurnsOptions {
  clock: Clock
  /** Called after each turn with its number of steps. */
  turned?: ((steps: number) => void) | undefined
}

/**
 * Runs long work on the main thread in short turns. The work is a generator that yields the number of its steps;
 * between two turns, other work runs.
 */
export class InTurns {
  readonly #options: InTurnsOptions
  readonly #jobs: () => Generator<number, number | undefined>
  #running: Generator<number, number | undefined> | undefined
  #timer: Timer | undefined
  #at = Number.POSITIVE_INFINITY
  #stopped = false
  #again = false
  /** Steps of all turns. */
  steps = 0

  /** @param jobs does all work that is due, and returns when the next work is due, in milliseconds since the epoch */
  constructor(jobs: () => Generator<number, number | undefined>, options: InTurnsOptions) {
    this.#jobs = jobs
    this.#options = options
  }

  /** Schedules a turn for work that is due at this time. Default: now. */
  wake(at = this.#options.clock.now()): void {
    // The running jobs may already have passed the place where they look for this work, so run them again.
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
