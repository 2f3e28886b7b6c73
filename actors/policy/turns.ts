import { Ring } from '../runtime/ring.ts'

/** So many do something at once; the others wait, first come, first served. */
export class Turns {
  readonly #waiting = new Ring<() => void>()
  #free: number

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** @returns whether it has a turn, which it must `end` */
  take(): boolean {
    if (this.#free === 0) return false
    this.#free--
    return true
  }

  /** Resolves when it has a turn, which it must `end`. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      if (this.take()) resolve()
      else this.#waiting.push(resolve)
    })
  }

  end(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
