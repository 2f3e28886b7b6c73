/**
 * Limits learning, which costs more than scanning: matches earn credit, so a stream of all different records earns
 * none.
 */
export class LearningCredit {
  #left = max

  /** Adds credit for matched records. */
  earn(records: number): void {
    this.#left = Math.min(max, this.#left + records / 8)
  }

  /** @returns whether the current record may be learned; takes the credit for it */
  pay(): boolean {
    this.#left += 1 / 64
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}

const max = 512
