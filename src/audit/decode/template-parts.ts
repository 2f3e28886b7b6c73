import { Literal } from './literal.ts'

/** Bytes of the longest literal piece of a template. */
export const longestPiece = 256

/** Whether a piece is neither too short for a literal nor too long to be kept. */
export const isMiddling = (length: number): boolean => length >= Literal.shortest && length <= longestPiece

/** What may be read beyond a place that was checked: a piece, and the keys between two values. */
export const reach = 2 * longestPiece

/** Whether the literal is the one at `start`. */
export const isSame = (literal: Literal, view: DataView, start: number, length: number): boolean =>
  literal.length === length && literal.isAt(view, start)

/** The literal at `place` of `table` when it is the one at `start`; else one that takes its place. */
export function literalAt(
  table: (Literal | undefined)[],
  place: number,
  view: DataView,
  start: number,
  length: number,
): Literal {
  const known = table[place]
  if (known !== undefined && isSame(known, view, start, length)) return known
  const made = new Literal(view, start, start + length)
  table[place] = made
  return made
}

/** How much may be learned: learning costs more than scanning, and a stream of records that are all different earns no credit by matches. */
export class LearningCredit {
  #left = most

  /** Of a record that was matched. */
  earn(): void {
    if (this.#left < most) this.#left += 1 / 8
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
