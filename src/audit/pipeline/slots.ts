/** A limited number of slots. Callers get a slot in the order of their requests. */
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

  /** Number of callers that wait for a slot. */
  get depth(): number {
    return this.#waiting.length
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Frees a slot, or passes it to the caller that has waited longest. */
  give(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
