import type { PieceContent } from '../../src/api/model-report.ts'
import type { DynamicResult } from '../../src/api/types.ts'

/** What there was no room for, by kind: how many. */
export type LeftOutCounts = Readonly<Record<string, number>>

/**
 * Gathers what workloads of one profile did, in bounded memory. The order in which facts come does not matter, and the same fact twice
 * is one.
 */
export interface Collector {
  add(found: DynamicResult): void
  addPiece(piece: PieceContent): void
  /** All of it, sorted: equal for equal facts. */
  result(): DynamicResult
  /** Takes back what `state` has given, of this collector or another one. */
  restore(state: unknown): void
  /** As JSON has it; equal for equal facts. */
  state(): unknown
  /** All of it in pieces, each of at most so many bytes of JSON and a whole one by itself; at least one. */
  pieces(bytes: number): PieceContent[]
  leftOut(): LeftOutCounts
}

/** Names that one list of a result keeps. */
const MOST = 50_000

type Fact = readonly [keyof DynamicResult, string, unknown]

/** Keeps each fact as text. */
export class FactCollector implements Collector {
  readonly #facts = new Map<string, Set<string>>()
  readonly #leftOut = new Map<string, number>()
  readonly #most: number

  constructor(most = MOST) {
    this.#most = most
  }

  add(found: DynamicResult): void {
    for (const [enforcer, section, fact] of factsOf(found)) this.#put(`${enforcer}.${section}`, JSON.stringify(fact))
  }

  addPiece({ result }: PieceContent): void {
    this.add(result)
  }

  result(): DynamicResult {
    const [whole] = this.pieces(Number.POSITIVE_INFINITY)
    return whole!.result
  }

  #put(kind: string, fact: string): void {
    let facts = this.#facts.get(kind)
    if (facts === undefined) {
      facts = new Set()
      this.#facts.set(kind, facts)
    }
    if (facts.has(fact)) return
    if (facts.size < this.#most) facts.add(fact)
    else this.#leftOut.set(kind, (this.#leftOut.get(kind) ?? 0) + 1)
  }

  restore(state: unknown): void {
    const { facts, leftOut } = state as ReturnType<FactCollector['state']>
    for (const [kind, texts] of Object.entries(facts)) for (const text of texts) this.#put(kind, text)
    for (const [kind, count] of Object.entries(leftOut))
      this.#leftOut.set(kind, Math.max(this.#leftOut.get(kind) ?? 0, count))
  }

  state(): { facts: Record<string, string[]>; leftOut: Record<string, number> } {
    const kinds = [...this.#facts].sort(([a], [b]) => (a < b ? -1 : 1))
    return {
      facts: Object.fromEntries(kinds.map(([kind, facts]) => [kind, [...facts].sort()])),
      leftOut: this.leftOut(),
    }
  }

  pieces(bytes: number): PieceContent[] {
    const pieces: PieceContent[] = []
    let size = bytes
    for (const [kind, texts] of Object.entries(this.state().facts))
      for (const text of texts) {
        size += text.length * 3 + 4
        if (pieces.length === 0 || size > bytes) {
          pieces.push({ result: {}, leftOut: [] })
          size = text.length * 3 + 256
        }
        put(pieces.at(-1)!.result, kind, JSON.parse(text))
      }
    return pieces.length === 0 ? [{ result: {}, leftOut: [] }] : pieces
  }

  leftOut(): Record<string, number> {
    return Object.fromEntries([...this.#leftOut].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

/** Each entry of each list of a result; `networks.sockets` is the list of sockets below `networks`. */
function* factsOf(found: DynamicResult): Iterable<Fact> {
  for (const enforcer of ['appArmor', 'bpf', 'seccomp'] as const)
    for (const [section, entries] of Object.entries(found[enforcer] ?? {}))
      if (Array.isArray(entries)) for (const entry of entries) yield [enforcer, section, entry]
      else
        for (const [part, list] of Object.entries(entries as object))
          for (const entry of list as unknown[]) yield [enforcer, `${section}.${part}`, entry]
}

function put(result: DynamicResult, kind: string, fact: unknown): void {
  const names = kind.split('.')
  let at = result as Record<string, unknown>
  for (const name of names.slice(0, -1)) {
    at[name] ??= {}
    at = at[name] as Record<string, unknown>
  }
  const last = names.at(-1)!
  at[last] ??= []
  ;(at[last] as unknown[]).push(fact)
}
