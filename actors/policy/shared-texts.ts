/** Stands for whatever there was no number for. */
const OTHERS = 255

/**
 * Texts by number, so that what holds many equal ones takes a byte for each: 0 for the empty one, 255 for those that there was no room
 * for. One that nobody holds any more is forgotten.
 */
export class SharedTexts {
  readonly #most: number
  readonly #others: string
  readonly #texts: (string | undefined)[] = ['']
  readonly #holders: number[] = [0]
  #held = 0

  /**
   * @param most so many are distinguished, at most 254
   * @param others is read for one that there was no room for
   */
  constructor(most: number, others: string) {
    this.#most = most
    this.#others = others
  }

  /** Nobody holds anything but the empty one. */
  get isEmpty(): boolean {
    return this.#held === 0
  }

  text(number: number): string {
    return number === OTHERS ? this.#others : this.#texts[number]!
  }

  /** Whether `take` would give this number. */
  is(number: number, text: string): boolean {
    const known = this.#texts.indexOf(text)
    return known === -1 ? number === OTHERS && this.#free === OTHERS : known === number
  }

  /** @returns the number of a text, which one more holds */
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

  /** One less holds it. */
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
    return this.#texts.length > this.#most ? OTHERS : this.#texts.length
  }
}
