/** Keeps one copy of each text that many objects have. */
export class InternedTexts {
  readonly #max: number
  readonly #texts = new Map<string, string>()

  /** @param max maximum known texts; beyond it all are forgotten, and objects keep theirs */
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
