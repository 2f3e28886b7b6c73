/** How much may be learned: learning costs more than scanning, and a stream of records that are all different earns no credit by matches. */
export class LearningCredit {
  #left = most

  /** Of records that were matched. */
  earn(records: number): void {
    this.#left = Math.min(most, this.#left + records / 8)
  }

  /** @returns whether the record at hand may be learned; that is paid then. */
  pay(): boolean {
    this.#left += 1 / 64
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}

const most = 512
