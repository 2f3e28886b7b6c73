/** Stores one copy of each text that many objects contain. */
export class InternedTexts {
  readonly #max: number
  readonly #texts = new Map<string, string>()

  /** @param max maximum number of stored texts. A full store drops all texts; objects keep the texts that they have */
  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#texts.size
  }

  of(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    if (this.#texts.size >= this.#max) this.#texts.clear()
    this.#texts.set(text, text)
    return text
  }
}
