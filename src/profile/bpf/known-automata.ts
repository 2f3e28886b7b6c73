import type { Automaton } from './bpf-profile.ts'

const MAX_KNOWN = 32
const MAX_BYTES = 8 * 1024 * 1024

/**
 * The automata of the newest sets of rules. Policies share built-in rules, and a policy is compiled when it is
 * admitted, when it is applied, and with each change of anything else in it; most of that time goes into its automaton.
 */
export class KnownAutomata {
  readonly #known = new Map<string, Automaton>()
  #bytes = 0

  /** @param key the same for the same automaton only */
  get(key: string): Automaton | undefined {
    const found = this.#known.get(key)
    if (found === undefined) return undefined
    // The order of a Map is that of insertion: the one used longest ago is the first.
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
