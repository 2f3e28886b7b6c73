import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml'

/**
 * Offset of the field at `path`. Keys may contain dots, such as the keys of labels, so the longest matching key is
 * used.
 * @param aliased the nodes to which aliases refer
 */
export function offsetOf(root: unknown, path: string, aliased: ReadonlyMap<Alias, Node>): number {
  let node = root
  let offset = rangeOf(root)
  let rest = path
  while (rest !== '') {
    const step = stepInto(isAlias(node) ? aliased.get(node) : node, rest)
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
  let pair: Named | undefined
  for (const other of keysOf(node).get(firstPart(rest)) ?? []) {
    const { name } = other
    const fits = rest.startsWith(name) && [undefined, '.', '['].includes(rest[name.length])
    if (fits && (pair === undefined || name.length > pair.name.length)) pair = other
  }
  if (pair === undefined) return undefined
  return { node: pair.value, ...offsetIn(pair.key), rest: rest.slice(pair.name.length).replace(/^\./, '') }
}

interface Named {
  key: Node
  name: string
  value: unknown
}

const keys = new WeakMap<YAMLMap, ReadonlyMap<string, readonly Named[]>>()

/**
 * Keys of a map, by the first part of their names. Cached, because a map with thousands of keys may be searched for
 * thousands of paths.
 */
function keysOf(map: YAMLMap): ReadonlyMap<string, readonly Named[]> {
  const known = keys.get(map)
  if (known !== undefined) return known
  const found = new Map<string, Named[]>()
  for (const { key, value } of map.items) {
    const name = String(isScalar(key) ? key.value : '')
    const named = { key: key as Node, name, value }
    const same = found.get(firstPart(name))
    if (same === undefined) found.set(firstPart(name), [named])
    else same.push(named)
  }
  keys.set(map, found)
  return found
}

const firstPart = (path: string): string => /^[^.[]*/.exec(path)![0]

function offsetIn(node: Node): { offset?: number } {
  return node.range ? { offset: node.range[0] } : {}
}

/** Offset at which a node starts; 0 if there is no node. */
export function rangeOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0
}
