/**
 * Milliseconds after which a waiting actor takes any free turn, even a turn that is reserved for an actor that is busy
 * with other work.
 */
export const TIMEOUT = 10_000

/**
 * Limits concurrent work; waiting actors are called in order of arrival. An actor does not block while it waits: when
 * called, it takes its turn or leaves.
 */
export class StatusWriteSemaphore {
  readonly #call: (who: string) => void
  /** Actors that wait, and since when, in milliseconds. */
  readonly #waiting = new Map<string, number>()
  /** Called actors, each with a reserved turn. */
  readonly #called = new Set<string>()
  #free: number

  constructor(atOnce: number, call: (who: string) => void) {
    this.#free = atOnce
    this.#call = call
  }

  /**
   * @param now milliseconds
   * @returns true if the actor has a turn, which it must `end`; if false, the actor is called later, and must ask again
   * after `TIMEOUT` at the latest
   */
  take(who: string, now: number): boolean {
    const since = this.#waiting.get(who)
    const isNext =
      this.#called.delete(who) || this.#free > this.#called.size || (since !== undefined && now - since >= TIMEOUT)
    if (this.#free > 0 && isNext) {
      this.#waiting.delete(who)
      this.#free--
      return true
    }
    if (since === undefined) this.#waiting.set(who, now)
    return false
  }

  end(): void {
    this.#free++
    this.#callNext()
  }

  /** Withdraws the actor's request. */
  leave(who: string): void {
    this.#waiting.delete(who)
    if (this.#called.delete(who)) this.#callNext()
  }

  #callNext(): void {
    for (const who of this.#waiting.keys()) {
      if (this.#called.size >= this.#free) return
      this.#waiting.delete(who)
      this.#called.add(who)
      this.#call(who)
    }
  }
}
