/**
 * Limits how many forms are learned, because learning costs more than scanning. Matched records earn credit. A stream
 * of records with different forms earns almost no credit, so it is scanned.
 */
export class LearningCredit {
  #left = max

  /** Adds credit for matched records. */
  earn(records: number): void {
    this.#left = Math.min(max, this.#left + records / 8)
  }

  /** Takes credit for one form. @returns whether the credit was enough */
  pay(): boolean {
    this.#left += 1 / 64
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}

const max = 512
