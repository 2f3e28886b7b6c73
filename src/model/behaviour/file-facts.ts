import { whyNoPattern } from '../../profile/protected-paths.ts'
import type { LostNames } from './lost-names.ts'
import type { Node, PathTree } from './path-tree.ts'
import { accessesOf, type FileBits, permissionsOf, type Recorder } from './permissions.ts'

/** A file of a tree, or a pattern that stands for those of a directory with too many names. */
export interface FileFact {
  path: string
  bits: FileBits
  /** Of a pattern: a path that was used. */
  example?: string
}

/** A directory with names that are in no fact, because no pattern may stand for them. */
export interface Unnamed {
  directory: string
  /** Undefined where they are counted with those of all directories. */
  lost: LostNames | undefined
  /** The rule of the catalogue that forbids the pattern. */
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
 * The files of the tree in the order of their paths, and a pattern for each directory that had more names than are
 * kept. Where a built-in rule protects what such a pattern would cover, the names that are kept stand alone, and the
 * others are in `unnamed`.
 */
export function listFiles(recorder: Recorder, tree: PathTree): { facts: FileFact[]; unnamed: Unnamed[] } {
  const listing: Listing = { recorder, tree, facts: [], patterns: new Map(), unnamed: [] }
  visit(listing, tree.root, '', '')
  const facts = [...listing.facts, ...listing.patterns.values()]
  return { facts: facts.sort((a, b) => (a.path < b.path ? -1 : 1)), unnamed: listing.unnamed }
}

/**
 * @param shape the path, with a star for each name of a directory that had too many
 * @param alone no pattern stands for all of what is here
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

/** Returns the rule for which one of the patterns cannot be. */
function makePatterns(listing: Listing, node: Node, path: string): string | undefined {
  let refused: string | undefined
  // The first as text, as names come in any order.
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
      refuse('a star in a name, which a pattern would take for any name')
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

/** The rule that the pattern would break into, or what else is against it. */
function whyNot(text: string, permissions: readonly string[]): string | undefined {
  if (text.startsWith('/*')) return 'a pattern for names in the root directory would be for all of the file system'
  return whyNoPattern(text, accessesOf(permissions))
}
