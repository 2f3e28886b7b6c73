/** A number of places, handed out in the order in which they were asked for. */
export class Slots {
  #free: number
  #waiting: (() => void)[] = []
  readonly size: number

  constructor(size: number) {
    this.size = size
    this.#free = size
  }

  get taken(): number {
    return this.size - this.#free
  }

  /** How many wait for a place. */
  get depth(): number {
    return this.#waiting.length
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Gives a place back, or straight to the one that has waited longest. */
  give(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
