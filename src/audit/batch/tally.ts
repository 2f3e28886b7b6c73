import { type Outcome, outcome } from './outcome.ts'

/** Counts of the outcomes of a batch's records. */
export class Tally {
  #sums = [0, 0, 0, 0]
  #read = 0
  #undecodableAt: number[] = []

  add(became: Outcome): void {
    if (became === outcome.undecodable) this.#undecodableAt.push(this.#read)
    this.#read++
    this.#sums[became]! += 1
  }

  /** Adds records that the native decoder has handled. */
  addKnown(written: number, filtered: number): void {
    this.#read += written + filtered
    this.#sums[outcome.written]! += written
    this.#sums[outcome.filtered]! += filtered
  }

  sums(): { read: number; written: number; filtered: number; undecodable: number; undecodableAt: number[] } {
    return {
      read: this.#read,
      written: this.#sums[outcome.written]!,
      filtered: this.#sums[outcome.filtered]!,
      undecodable: this.#sums[outcome.undecodable]!,
      undecodableAt: this.#undecodableAt,
    }
  }
}
