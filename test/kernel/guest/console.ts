const kept = 64 * 1024

/** The last lines of the guest's console. */
export class Console {
  #text = ''
  #line = ''
  #log: ((line: string) => void) | undefined

  constructor(log?: (line: string) => void) {
    this.#log = log
  }

  take(text: string): void {
    const clean = text.replaceAll('\r', '')
    this.#text = (this.#text + clean).slice(-kept)
    const lines = (this.#line + clean).split('\n')
    this.#line = lines.pop()!
    for (const line of lines) this.#log?.(line)
  }

  get text(): string {
    return this.#text
  }

  /** Number of last lines to keep: the kernel's report of a kernel fault, and some lines before it. */
  tail(lines = 80): string {
    return this.#text.trimEnd().split('\n').slice(-lines).join('\n')
  }
}
