import { type Document, isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'

/** Offset of the field at `path`; keys may hold dots, as those of labels do, so the longest that fits is taken. */
export function offsetOf(root: unknown, path: string, document: Document.Parsed): number {
  let node = root
  let offset = rangeOf(root)
  let rest = path
  while (rest !== '') {
    const step = stepInto(isAlias(node) ? node.resolve(document) : node, rest)
    if (step === undefined) return offset
    offset = step.offset ?? offset
    node = step.node
    rest = step.rest
  }
  return offset
}

function stepInto(node: unknown, rest: string): { node: unknown; offset?: number; rest: string } | undefined {
  const index = /^\[(\d+)\]\.?/.exec(rest)
  if (isSeq(node) && index !== null) {
    const item = node.items[Number(index[1])] as Node | undefined
    return item && { node: item, ...offsetIn(item), rest: rest.slice(index[0].length) }
  }
  if (!isMap(node)) return undefined
  const fits = (key: string) => rest.startsWith(key) && /^($|\.|\[)/.test(rest.slice(key.length))
  const pairs = node.items.map(({ key, value }) => ({
    key: key as Node,
    name: String(isScalar(key) ? key.value : ''),
    value,
  }))
  const pair = pairs.filter(({ name }) => fits(name)).sort((a, b) => b.name.length - a.name.length)[0]
  if (pair === undefined) return undefined
  return { node: pair.value, ...offsetIn(pair.key), rest: rest.slice(pair.name.length).replace(/^\./, '') }
}

function offsetIn(node: Node): { offset?: number } {
  return node.range ? { offset: node.range[0] } : {}
}

/** Where a node begins; 0 where there is none. */
export function rangeOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0
}
