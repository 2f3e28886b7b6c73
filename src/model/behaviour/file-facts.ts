import { whyNoPattern } from '../../profile/protected-paths.ts'
import type { LostNames } from './lost-names.ts'
import type { Node, PathTree } from './path-tree.ts'
import { accessesOf, type FileBits, permissionsOf, type Recorder } from './permissions.ts'

/** A file of a tree, or a pattern for the files of a directory with too many names. */
export interface FileFact {
  path: string
  bits: FileBits
  /** For a pattern: a path that was used and that the pattern matches. */
  example?: string
}

/** A directory with names for which the model has no fact, because a pattern for these names is not allowed. */
export interface Unnamed {
  directory: string
  /** Undefined if these names are counted together with the names of all directories. */
  lost: LostNames | undefined
  /** The built-in rule that forbids the pattern, or another reason. */
  rule: string
}

/** How the facts of a tree are listed. */
interface Listing {
  recorder: Recorder
  tree: PathTree
  facts: FileFact[]
  patterns: Map<string, FileFact>
  unnamed: Unnamed[]
}

/**
 * The files of the tree sorted by path, and a pattern for each directory with more names than the limit. If a built-in
 * rule protects files that this pattern would match, only the kept names are listed, and `unnamed` has the other names.
 */
export function listFiles(recorder: Recorder, tree: PathTree): { facts: FileFact[]; unnamed: Unnamed[] } {
  const listing: Listing = { recorder, tree, facts: [], patterns: new Map(), unnamed: [] }
  visit(listing, tree.root, '', '')
  const facts = [...listing.facts, ...listing.patterns.values()]
  return { facts: facts.sort((a, b) => (a.path < b.path ? -1 : 1)), unnamed: listing.unnamed }
}

/**
 * @param shape the path, with a star in place of each name from a directory with too many names
 * @param alone whether no pattern of an enclosing directory matches the files here
 */
function visit(listing: Listing, node: Node, path: string, shape: string, alone = true): void {
  put(listing, path, shape, node.bits)
  put(listing, `${path}/`, `${shape}/`, node.slash)
  const isFull = node.rest !== undefined
  const rule = isFull && alone ? makePatterns(listing, node, path) : undefined
  for (const [name, child] of node.children ?? []) {
    const above = isFull ? `${shape}/*` : `${shape}/${name}`
    visit(listing, child, `${path}/${name}`, above, isFull ? rule !== undefined : alone)
  }
  if (rule !== undefined) listing.unnamed.push({ directory: path === '' ? '/' : path, lost: node.lost, rule })
}

function put({ facts, patterns }: Listing, path: string, shape: string, bits: FileBits): void {
  if (bits === 0) return
  if (path !== shape && ((patterns.get(shape)?.bits ?? 0) & bits) === bits) return
  facts.push({ path, bits })
}

/** Adds the patterns for a directory with too many names. Returns a reason if a pattern is not allowed. */
function makePatterns(listing: Listing, node: Node, path: string): string | undefined {
  let refused: string | undefined
  // Keep the alphabetically first reason, because the order of names varies.
  const refuse = (why: string) => {
    if (refused === undefined || why < refused) refused = why
  }
  const add = (text: string, bits: FileBits, example: string | undefined) => {
    if (bits === 0 || example === undefined) return
    const rule = whyNot(text, permissionsOf(listing.recorder, bits))
    if (rule === undefined) listing.patterns.set(text, { path: text, bits, example })
    else refuse(rule)
  }
  const walk = (each: Node, text: string) => {
    if (/[*][^/]|[^/][*]/.test(text)) {
      refuse('a name contains a star, which a pattern would treat as a wildcard')
      return
    }
    add(text, each.bits, each.example)
    add(`${text}/`, each.slash, each.slashExample)
    if (each.rest !== undefined) return walk(listing.tree.everyName(each, text), `${text}/*`)
    for (const [name, child] of each.children ?? []) walk(child, `${text}/${name === '*' ? '**' : name}`)
  }
  walk(listing.tree.everyName(node, path), `${path.replaceAll('*', '**')}/*`)
  return refused
}

/** The built-in rule that protects files of the pattern, or another reason why the pattern is not allowed. */
function whyNot(text: string, permissions: readonly string[]): string | undefined {
  if (text.startsWith('/*')) return 'a pattern for names in the root directory would match the whole file system'
  return whyNoPattern(text, accessesOf(permissions))
}
