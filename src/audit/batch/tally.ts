import { type Outcome, outcome } from './batch-context.ts'

/** What became of the records of a batch. */
export class Tally {
  #sums = [0, 0, 0, 0]
  #read = 0
  #undecodableAt: number[] = []

  add(became: Outcome): void {
    if (became === outcome.undecodable) this.#undecodableAt.push(this.#read)
    this.#read++
    this.#sums[became]! += 1
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
