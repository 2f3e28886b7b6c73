/**
 * Milliseconds after which a waiting actor takes any free turn, because a turn may be reserved for an actor that is
 * busy with other work.
 */
export const TIMEOUT = 10_000

/**
 * Limits concurrent work; further actors are called in order of arrival. An actor does not block while it waits: when
 * called, it takes its turn, or leaves.
 */
export class StatusWriteSemaphore {
  readonly #call: (who: string) => void
  /** Actors that wait, and since when, in milliseconds. */
  readonly #waiting = new Map<string, number>()
  /** Called actors; a turn is reserved for each. */
  readonly #called = new Set<string>()
  #free: number

  constructor(atOnce: number, call: (who: string) => void) {
    this.#free = atOnce
    this.#call = call
  }

  /**
   * @param now milliseconds
   * @returns whether the actor has a turn, which it must `end`; if not, it is called, and asks again after `TIMEOUT`
   * at the latest
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
