import type { PathPattern, Token } from '../path-pattern.ts'
import type { Marks } from './marks.ts'

// The patterns of a profile as a trie and as an NFA. A loop node stays in place on any byte (`**`) or any byte but `/`
// (`*`). The segment `/**/` is the byte `/`, then a loop node whose only child is the node after the closing `/`. The
// byte `/` leads to both nodes at once, because one `/` may be the opening and the closing slash.

export const ROOT = 0
export const SLASH = 0x2f

/**
 * How a node loops: not at all, on all bytes but `/`, on all bytes, or on all bytes with `/` leading also to its only
 * child.
 */
export const NO_LOOP = 0
export const SEGMENT_LOOP = 1
export const PATH_LOOP = 2
export const DIRECTORY_LOOP = 3
export type Loop = typeof NO_LOOP | typeof SEGMENT_LOOP | typeof PATH_LOOP | typeof DIRECTORY_LOOP

/** Label of an edge that takes no byte. */
const NO_BYTE = -1
const NONE = -1

export interface TriePattern {
  pattern: PathPattern
  /** The marks of a path that matches. */
  accept: number
  /** The marks of the directories above a path that matches; 0 for none. */
  way: number
}

const utf8 = new TextEncoder()

/** One array for each field and not one object for each node: a profile of 10,000 rules has about 400,000 nodes. */
export class PatternTrie {
  readonly parent: number[] = [NONE]
  readonly label: number[] = [NO_BYTE]
  readonly loop: Loop[] = [NO_LOOP]
  readonly firstChild: number[] = [NONE]
  readonly nextSibling: number[] = [NONE]
  /** Marks of a path that ends here. */
  readonly accept: number[] = [0]
  /** The node where each pattern ends, in the order of `add`. */
  readonly ends: number[] = []
  private readonly marks: Marks

  constructor(marks: Marks) {
    this.marks = marks
  }

  get size(): number {
    return this.parent.length
  }

  add({ pattern, accept, way }: TriePattern): void {
    let node = ROOT
    let anything = true // Only `/` and `**` so far: these match every path, also after a move.
    for (const token of pattern.tokens) {
      const last = token === pattern.tokens.at(-1)
      if (token.kind === 'bytes') node = this.addBytes(node, token.bytes, anything ? 0 : way, way)
      else node = this.addWildcard(node, token, anything ? 0 : way, last)
      anything &&= token.kind === 'bytes' ? token.bytes === '/' : token.kind !== 'star'
    }
    this.mark(node, accept)
    this.ends.push(node)
  }

  /** @param wayHere marks of a `/` at the very beginning @param way marks of each later `/` */
  private addBytes(start: number, text: string, wayHere: number, way: number): number {
    let node = start
    for (const [i, byte] of utf8.encode(text).entries()) {
      if (byte === SLASH && node !== ROOT) this.mark(node, i === 0 ? wayHere : way)
      node = this.child(node, byte, NO_LOOP)
    }
    return node
  }

  private addWildcard(start: number, token: Token, way: number, last: boolean): number {
    if (token.kind === 'star') return this.child(start, NO_BYTE, SEGMENT_LOOP)
    if (token.kind === 'globstar') {
      const loop = this.child(start, NO_BYTE, PATH_LOOP)
      if (!last) this.mark(loop, way)
      return loop
    }
    if (start !== ROOT) this.mark(start, way)
    const loop = this.child(this.child(start, SLASH, NO_LOOP), NO_BYTE, DIRECTORY_LOOP)
    this.mark(loop, way)
    return this.child(loop, SLASH, NO_LOOP)
  }

  private mark(node: number, marks: number): void {
    this.accept[node] = this.marks.union(this.accept[node]!, marks)
  }

  private child(parent: number, label: number, loop: Loop): number {
    for (let node = this.firstChild[parent]!; node !== NONE; node = this.nextSibling[node]!) {
      if (this.label[node] === label && this.loop[node] === loop) return node
    }
    const node = this.size
    this.parent.push(parent)
    this.label.push(label)
    this.loop.push(loop)
    this.firstChild.push(NONE)
    this.nextSibling.push(this.firstChild[parent]!)
    this.firstChild[parent] = node
    this.accept.push(0)
    return node
  }
}
