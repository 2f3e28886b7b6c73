import { type Alias, type Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, type Node, type Pair } from 'yaml'
import { rangeOf } from './field-offset.ts'

/** More aliases than any policy has. */
const MAX_ALIASES = 1_000

/** Aliases of aliases multiply: a document that stands for more values is an attempt to exhaust memory. */
const MAX_ALIASED = 100_000

export interface Mistake {
  problem: string
  at: number
}

export interface DocumentShape {
  /** Why it is YAML, but not a Kubernetes object. */
  mistakes: readonly Mistake[]
  /** The node that each alias stands for. */
  aliased: ReadonlyMap<Alias, Node>
}

/**
 * Visits each node once: the library searches the document for each alias, and compares each map key with all others.
 */
export function shapeOf(document: Document.Parsed): DocumentShape {
  const poll = new Look()
  poll.valuesOf(document.contents)
  return poll
}

interface Anchored {
  node: Node
  /** Undefined within the node itself. */
  values: number | undefined
}

class Look implements DocumentShape {
  readonly mistakes: Mistake[] = []
  readonly aliased = new Map<Alias, Node>()
  readonly #anchors = new Map<string, Anchored>()
  #aliases = 0
  #values = 0

  /**
   * Number of values that a node stands for, including its aliases' values. Its depth is limited by the earlier check
   * of nesting.
   */
  valuesOf(node: unknown): number {
    if (isAlias(node)) return this.#ofAlias(node)
    const anchored: Anchored | undefined = isNode(node) ? { node, values: undefined } : undefined
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined && anchored !== undefined)
      this.#anchors.set(node.anchor, anchored)
    let values = 1
    if (isMap(node)) values += this.#ofPairs(node.items)
    // The items of an ordered map are pairs.
    else if (isSeq(node))
      for (const item of node.items) values += isPair(item) ? this.#ofPairs([item]) : this.valuesOf(item)
    if (anchored !== undefined) anchored.values = values
    return values
  }

  #ofPairs(pairs: readonly Pair[]): number {
    const keys = new Set<unknown>()
    let values = 0
    for (const { key, value } of pairs) {
      if (!isScalar(key) || key.value === null) this.#found('a key must be text', key)
      // Each merge key is its own symbol.
      else if (keys.has(key.value)) this.#found('keys of a map must be unique; remove the second key', key)
      else keys.add(key.value)
      values += this.valuesOf(key) + this.valuesOf(value)
      if (isScalar(key) && typeof key.value === 'symbol' && !this.#isMergeable(value))
        this.#found('a merge key needs a map or a list of maps as its value; change the value, or remove the key', key)
    }
    return values
  }

  /** As in kubectl, which accepts no alias of a list (goyaml.v2 decode.go). */
  #isMergeable(value: unknown): boolean {
    const isMapHere = (node: unknown): boolean => isMap(isAlias(node) ? this.aliased.get(node) : node)
    return isSeq(value) ? value.items.every(isMapHere) : isMapHere(value)
  }

  #ofAlias(alias: Alias): number {
    const anchored = this.#anchors.get(alias.source)
    if (anchored === undefined) {
      this.#found(`the alias *${alias.source} has no anchor &${alias.source} before it; write out the value`, alias)
      return 1
    }
    const { node, values } = anchored
    this.aliased.set(alias, node)
    if (values === undefined) {
      this.#found('an alias refers to a value that contains the alias; write out the value', alias)
      return 1
    }
    if (++this.#aliases === MAX_ALIASES + 1)
      this.#found(`has more than ${MAX_ALIASES} aliases; write out their values`, alias)
    const before = this.#values
    this.#values += values
    if (before <= MAX_ALIASED && this.#values > MAX_ALIASED)
      this.#found(`its aliases expand to more than ${MAX_ALIASED} values; use fewer, or split the file`, alias)
    return values
  }

  #found(problem: string, node: unknown): void {
    this.mistakes.push({ problem, at: rangeOf(node) })
  }
}
