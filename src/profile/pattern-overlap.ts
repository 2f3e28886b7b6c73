import type { PathPattern, Token } from './path-pattern.ts'

/** A step of a pattern: one byte, any number of bytes of a class, or a number of items that a path may skip. */
type Item = { byte: number } | { many: 'name' | 'any' } | { skip: number }

const SLASH = 0x2f

/** A whole segment of two stars is a slash, and then either nothing or any text up to another slash. */
function itemsOf(token: Token): Item[] {
  if (token.kind === 'bytes') return [...Buffer.from(token.bytes)].map((byte) => ({ byte }))
  if (token.kind === 'star') return [{ many: 'name' }]
  if (token.kind === 'globstar') return [{ many: 'any' }]
  return [{ byte: SLASH }, { skip: 3 }, { many: 'any' }, { byte: SLASH }]
}

const known = new WeakMap<PathPattern, readonly Item[]>()

/** The items of a pattern. The patterns of the catalogue are compared with many others. */
function itemsIn(pattern: PathPattern): readonly Item[] {
  const before = known.get(pattern)
  if (before !== undefined) return before
  const items = pattern.tokens.flatMap(itemsOf)
  known.set(pattern, items)
  return items
}

/** The positions that are reachable from `at` without a byte. */
function reached(items: readonly Item[], at: number, found = new Set<number>()): Set<number> {
  if (found.has(at)) return found
  found.add(at)
  const item = items[at]
  if (item !== undefined && 'many' in item) reached(items, at + 1, found)
  if (item !== undefined && 'skip' in item) {
    reached(items, at + 1, found)
    reached(items, at + item.skip, found)
  }
  return found
}

/** Whether one byte can match both items. */
function meet(a: Item, b: Item): boolean {
  if ('skip' in a || 'skip' in b) return false
  if ('byte' in a) return 'byte' in b ? a.byte === b.byte : b.many === 'any' || a.byte !== SLASH
  return 'many' in b || a.many === 'any' || b.byte !== SLASH
}

const after = (item: Item, at: number): number => ('byte' in item ? at + 1 : at)

/**
 * Whether there is a path that both patterns match. It walks through both at once; the time is at most the product of
 * their lengths.
 */
export function overlap(one: PathPattern, other: PathPattern): boolean {
  if (apart(one, other)) return false
  const [a, b] = [itemsIn(one), itemsIn(other)]
  const seen = new Uint8Array((a.length + 1) * (b.length + 1))
  const open: [number, number][] = []
  const visit = (at: number, bt: number) => {
    for (const i of reached(a, at))
      for (const j of reached(b, bt)) {
        const place = i * (b.length + 1) + j
        if (seen[place] === 1) continue
        seen[place] = 1
        open.push([i, j])
      }
  }
  visit(0, 0)
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [i, j] = next
    if (i === a.length && j === b.length) return true
    const [x, y] = [a[i], b[j]]
    if (x !== undefined && y !== undefined && meet(x, y)) visit(after(x, i), after(y, j))
  }
  return false
}

/** Whether the texts before the first wildcards differ, as in most pairs. */
function apart(one: PathPattern, other: PathPattern): boolean {
  const [a, b] = [beginning(one), beginning(other)]
  return a.length < b.length ? !b.startsWith(a) : !a.startsWith(b)
}

function beginning({ tokens }: PathPattern): string {
  const [token, next] = tokens
  if (token?.kind !== 'bytes') return token?.kind === 'slash-globstar-slash' ? '/' : ''
  return next?.kind === 'slash-globstar-slash' ? `${token.bytes}/` : token.bytes
}
