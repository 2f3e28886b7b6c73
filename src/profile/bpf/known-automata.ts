import type { Automaton } from './bpf-profile.ts'

const MAX_KNOWN = 32
const MAX_BYTES = 8 * 1024 * 1024

/**
 * The automata of recently compiled sets of rules. Most of the compile time goes into automata, policies share built-in
 * rules, and the same policy is compiled at admission, when it is applied, and after each change.
 */
export class KnownAutomata {
  readonly #known = new Map<string, Automaton>()
  #bytes = 0

  /** @param key different for different automata */
  get(key: string): Automaton | undefined {
    const found = this.#known.get(key)
    if (found === undefined) return undefined
    // A Map is in the order of insertion, so the first entry is the least recently used.
    this.#known.delete(key)
    this.#known.set(key, found)
    return found
  }

  add(key: string, automaton: Automaton): void {
    const own = key.length + automaton.table.length
    if (own > MAX_BYTES || this.#known.has(key)) return
    this.#known.set(key, Object.freeze(automaton))
    this.#bytes += own
    for (const [oldest, { table }] of this.#known) {
      if (this.#bytes <= MAX_BYTES && this.#known.size <= MAX_KNOWN) break
      this.#known.delete(oldest)
      this.#bytes -= oldest.length + table.length
    }
  }

  get size(): number {
    return this.#known.size
  }

  get bytes(): number {
    return this.#bytes
  }
}
