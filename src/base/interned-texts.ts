/** Keeps one copy of each text that many objects have. */
export class InternedTexts {
  readonly #most: number
  readonly #texts = new Map<string, string>()

  /** @param most maximum known texts; beyond it all are forgotten, and objects keep theirs */
  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#texts.size
  }

  of(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    if (this.#texts.size >= this.#most) this.#texts.clear()
    this.#texts.set(text, text)
    return text
  }
}
