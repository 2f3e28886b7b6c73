import { type Alias, type Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, type Node, type Pair } from 'yaml'
import { rangeOf } from './field-offset.ts'

/** Maximum aliases in a document; no policy has so many. */
const MAX_ALIASES = 1_000

/**
 * Maximum values after all aliases are expanded. Aliases of aliases multiply, so a small document could otherwise
 * exhaust the memory.
 */
const MAX_ALIASED = 100_000

export interface Mistake {
  problem: string
  at: number
}

export interface DocumentShape {
  /** Parts of the document that YAML allows, but kubectl does not. */
  mistakes: readonly Mistake[]
  /** The node to which each alias refers. */
  aliased: ReadonlyMap<Alias, Node>
}

/**
 * Checks a document and visits each node once. The library's own checks are slower: they search the document for each
 * alias, and compare each key of a map with all other keys.
 */
export function shapeOf(document: Document.Parsed): DocumentShape {
  const poll = new Look()
  poll.valuesOf(document.contents)
  return poll
}

interface Anchored {
  node: Node
  /** Undefined until all parts of the node are visited. */
  values: number | undefined
}

class Look implements DocumentShape {
  readonly mistakes: Mistake[] = []
  readonly aliased = new Map<Alias, Node>()
  readonly #anchors = new Map<string, Anchored>()
  #aliases = 0
  #values = 0

  /**
   * Number of values of a node after its aliases are expanded. The recursion is safe, because the depth was checked
   * before.
   */
  valuesOf(node: unknown): number {
    if (isAlias(node)) return this.#ofAlias(node)
    const anchored: Anchored | undefined = isNode(node) ? { node, values: undefined } : undefined
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined && anchored !== undefined)
      this.#anchors.set(node.anchor, anchored)
    let values = 1
    if (isMap(node)) values += this.#ofPairs(node.items)
    // An ordered map is a sequence of pairs.
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
      // Each merge key is a symbol of its own, so merge keys do not count as duplicates.
      else if (keys.has(key.value)) this.#found('keys of a map must be unique; remove the second key', key)
      else keys.add(key.value)
      values += this.valuesOf(key) + this.valuesOf(value)
      if (isScalar(key) && typeof key.value === 'symbol' && !this.#isMergeable(value))
        this.#found('a merge key needs a map or a list of maps as its value; change the value, or remove the key', key)
    }
    return values
  }

  /**
   * Whether a merge key may have this value. As in kubectl, an alias of a list is not accepted (decode.go of
   * goyaml.v2).
   */
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
