/** Four ASCII letters as a DataView reads them, in little-endian order. */
export const wordOf = (text: string): number => new DataView(new TextEncoder().encode(text).buffer).getInt32(0, true)

/**
 * ASCII bytes to be recognised again, compared in words of eight: as doubles, which ASCII can be (no such word is NaN or
 * zero), so that equal doubles are equal bytes. At least eight bytes long.
 */
export class Literal {
  static readonly shortest = 8
  readonly length: number
  readonly #words: Float64Array
  /** The last eight bytes, which may overlap the last word. */
  readonly #last: number

  constructor(view: DataView, start: number, end: number) {
    this.length = end - start
    this.#words = Float64Array.from({ length: this.length >> 3 }, (_, i) => view.getFloat64(start + 8 * i, true))
    this.#last = view.getFloat64(end - 8, true)
  }

  /** Whether the bytes at `at` are these; `at + length` must lie within the view. */
  isAt(view: DataView, at: number): boolean {
    const words = this.#words
    for (let i = 0, from = at; i < words.length; i++, from += 8)
      if (view.getFloat64(from, true) !== words[i]) return false
    return view.getFloat64(at + this.length - 8, true) === this.#last
  }
}
