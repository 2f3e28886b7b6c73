/** Stands for all texts beyond the limit. */
const OTHERS = 255

/**
 * Numbers for texts, so that many holders of equal texts take a byte each: 0 means the empty text, 255 means any text
 * beyond the limit. A text without a holder is forgotten.
 */
export class SharedTexts {
  readonly #max: number
  readonly #others: string
  readonly #texts: (string | undefined)[] = ['']
  readonly #holders: number[] = [0]
  #held = 0

  /**
   * @param max maximum number of different texts, at most 254
   * @param others the text for number 255
   */
  constructor(max: number, others: string) {
    this.#max = max
    this.#others = others
  }

  /** Whether every holder has the empty text. */
  get isEmpty(): boolean {
    return this.#held === 0
  }

  text(number: number): string {
    return number === OTHERS ? this.#others : this.#texts[number]!
  }

  /** Whether `take` would return this number for the text. */
  is(number: number, text: string): boolean {
    const known = this.#texts.indexOf(text)
    return known === -1 ? number === OTHERS && this.#free === OTHERS : known === number
  }

  /** Counts one more holder of the text. @returns the text's number */
  take(text: string): number {
    const known = this.#texts.indexOf(text)
    const number = known === -1 ? this.#free : known
    if (number === 0) return 0
    this.#held++
    if (number === OTHERS) return number
    this.#texts[number] = text
    this.#holders[number] = (this.#holders[number] ?? 0) + 1
    return number
  }

  /** Removes one holder. */
  giveBack(number: number): void {
    if (number === 0) return
    this.#held--
    if (number === OTHERS) return
    this.#holders[number]! -= 1
    if (this.#holders[number] === 0) this.#texts[number] = undefined
  }

  get #free(): number {
    const unused = this.#texts.indexOf(undefined)
    if (unused !== -1) return unused
    return this.#texts.length > this.#max ? OTHERS : this.#texts.length
  }
}
