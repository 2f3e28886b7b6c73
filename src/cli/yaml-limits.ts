import { type CST, Lexer } from 'yaml'

/** Maximum nesting; no policy is nested so deep. */
const MAX_DEPTH = 100

/** Maximum YAML tokens of a file: names, values, indents and punctuation. A policy has a few hundred. */
const MAX_WORDS = 2_000_000

/** Maximum documents in a file. */
const MAX_DOCUMENTS = 10_000

/** Maximum keys of a map or items of a list; no policy has so many. */
const MAX_ITEMS = 20_000

/** Checks the tokens of a text before a tree is built, because the tree takes a hundred times as much memory. */
export function tooLarge(text: string): string | undefined {
  let words = 0
  let depth = 0
  for (const word of new Lexer().lex(text)) {
    if (word === '[' || word === '{') depth++
    else if (word === ']' || word === '}') depth--
    if (depth > MAX_DEPTH) return `is nested more than ${MAX_DEPTH} levels deep`
    if (++words > MAX_WORDS) return `has more than ${MAX_WORDS} words of YAML; split the file`
  }
  return undefined
}

/**
 * Finds structures that no policy has, before documents are composed. The composer is recursive: thousands of nested
 * levels would overflow the stack and end the process.
 */
export function findUnfit(tokens: readonly CST.Token[]): { at: number; problem: string } | undefined {
  const last = tokens.filter(({ type }) => type === 'document')[MAX_DOCUMENTS]
  if (last !== undefined)
    return { at: last.offset, problem: `contains more than ${MAX_DOCUMENTS} documents; split the file` }
  const open = tokens.map((token) => ({ token, depth: 0 }))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if (depth > MAX_DEPTH) return { at: token.offset, problem: `is nested more than ${MAX_DEPTH} levels deep` }
    if ('items' in token) {
      if (token.items.length > MAX_ITEMS)
        return { at: token.offset, problem: `has more than ${MAX_ITEMS} items in one map or list` }
      for (const { key, value } of token.items) {
        if (key != null) open.push({ token: key, depth: depth + 1 })
        if (value != null) open.push({ token: value, depth: depth + 1 })
      }
    }
    if (token.type === 'document' && token.value !== undefined) open.push({ token: token.value, depth: depth + 1 })
  }
  return undefined
}
