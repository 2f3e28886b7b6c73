/** Milliseconds after which who waits takes whatever is free: a turn may be kept for somebody who has other things to do. */
export const PATIENCE = 10_000

/**
 * So many do something at once; the others are called, first come, first served. Nobody stands and waits for a turn: who is called
 * takes it, or has changed its mind and leaves.
 */
export class Turns {
  readonly #call: (who: string) => void
  /** And since when, in milliseconds. */
  readonly #waiting = new Map<string, number>()
  /** For each of them a turn is kept. */
  readonly #called = new Set<string>()
  #free: number

  constructor(atOnce: number, call: (who: string) => void) {
    this.#free = atOnce
    this.#call = call
  }

  /**
   * @param now milliseconds
   * @returns whether it has a turn, which it must `end`; otherwise it is called, and asks again after `PATIENCE` at the latest
   */
  take(who: string, now: number): boolean {
    const since = this.#waiting.get(who)
    const isNext =
      this.#called.delete(who) || this.#free > this.#called.size || (since !== undefined && now - since >= PATIENCE)
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

  /** It wants none. */
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
