import type { Limits } from './limits.ts'
import { LostNames, nameHash } from './lost-names.ts'
import type { FileBits } from './permissions.ts'

/**
 * What is known at one path. `bits` are those of the file of this name, `slash` those of the directory as AppArmor writes it,
 * with a slash at its end.
 */
export interface Node {
  children: Map<string, Node> | undefined
  bits: FileBits
  slash: FileBits
  /** A path that is meant, where the names above are not kept: in `rest`. The first of them as text. */
  example: string | undefined
  slashExample: string | undefined
  /** What was done below names that are not kept, as if all of them were one name. */
  rest: Node | undefined
  /** The names that are not kept. */
  lost: LostNames | undefined
  /** The child that goes next; unknown until it is asked for. */
  last: string | undefined
}

/** Names that a directory keeps at the least, however many directories there are. */
const NARROWEST = 4

const emptyNode = (): Node => ({
  children: undefined,
  bits: 0,
  slash: 0,
  example: undefined,
  slashExample: undefined,
  rest: undefined,
  lost: undefined,
  last: undefined,
})

function first(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a < b ? a : b
}

/** Whether `a` is kept rather than `b`. */
function goesBefore(a: string, b: string): boolean {
  const [hashA, hashB] = [nameHash(a), nameHash(b)]
  return hashA < hashB || (hashA === hashB && a < b)
}

/**
 * Files by their path, in bounded memory. A directory keeps so many names, those with the smallest hashes; what is done below
 * the others is kept as if they were one name (`rest`). So the order in which facts come does not matter: the same facts give
 * the same tree, and trees can be merged in any order. Only beyond the bound on all nodes the order counts: then each directory
 * keeps fewer names, a quarter of them at a time, and when that is no help any more, what comes is left out and in `refused`.
 */
export class PathTree {
  readonly root = emptyNode()
  readonly refused = new LostNames()
  private nodes = 0
  /** Names that a directory keeps. */
  private directory: number
  private readonly most: number

  constructor(limits: Pick<Limits, 'directory' | 'nodes'>) {
    this.directory = limits.directory
    this.most = limits.nodes
  }

  get size(): number {
    return this.nodes
  }

  /** `path` starts with a slash. */
  add(path: string, bits: FileBits): void {
    this.insert(this.root, path, 1, bits, false)
    this.narrow()
  }

  /** Where there are too many nodes, each directory keeps fewer names from here on, so that there is room for all directories. */
  private narrow(): void {
    while (this.nodes > this.most && this.directory > NARROWEST) {
      this.directory = Math.max(NARROWEST, this.directory >>> 2)
      this.shrink(this.root, '')
    }
  }

  private shrink(node: Node, path: string): void {
    while ((node.children?.size ?? 0) > this.directory) this.evict(node, `${path}/`)
    for (const [name, child] of node.children ?? []) this.shrink(child, `${path}/${name}`)
    if (node.rest !== undefined) this.shrink(node.rest, `${path}/*`)
  }

  /** @param at where in the path the next name begins */
  private insert(from: Node, path: string, at: number, bits: FileBits, rest: boolean): void {
    let node = from
    let inRest = rest
    for (let begin = at; begin < path.length; ) {
      const slash = path.indexOf('/', begin)
      const name = slash < 0 ? path.slice(begin) : path.slice(begin, slash)
      const child = this.child(node, name, path.slice(0, begin))
      inRest ||= child === node.rest
      if (child === undefined) {
        this.refused.add(path)
        return
      }
      node = child
      if (slash < 0) {
        putFile(node, bits, inRest ? path : undefined)
        return
      }
      begin = slash + 1
    }
    putDirectory(node, bits, inRest ? path : undefined)
  }

  /** The node of the name, or what stands for all names that are not kept; undefined when there is no room. */
  private child(node: Node, name: string, directory: string): Node | undefined {
    const known = node.children?.get(name)
    if (known !== undefined) return known
    if (!this.admits(node, name)) {
      lose(node, name)
      node.rest ??= this.made()
      return node.rest
    }
    const made = this.made()
    if (made === undefined) return undefined
    node.children ??= new Map()
    node.children.set(name, made)
    if (node.children.size > this.directory) this.evict(node, directory)
    else if (node.last !== undefined && goesBefore(node.last, name)) node.last = undefined
    return made
  }

  private made(): Node | undefined {
    // Room for what is made before narrow() is asked again: a merge with another full tree at the most.
    if (this.nodes >= (this.directory > NARROWEST ? 2 * this.most : this.most)) return undefined
    this.nodes += 1
    return emptyNode()
  }

  private admits(node: Node, name: string): boolean {
    if (node.children === undefined || node.children.size < this.directory) return true
    return goesBefore(name, lastOf(node))
  }

  private evict(node: Node, directory: string): void {
    const name = lastOf(node)
    const child = node.children!.get(name)!
    node.children!.delete(name)
    node.last = undefined
    lose(node, name)
    this.nodes -= nodesOf(child)
    this.joinRest(node, child, directory + name)
  }

  /** @param path of `child`, which is none of the rest yet */
  private joinRest(node: Node, child: Node, path: string): void {
    node.rest ??= this.made()
    if (node.rest === undefined) this.refused.add(path)
    else this.join(node.rest, child, path, true)
  }

  merge(other: PathTree): void {
    if (other.directory < this.directory) {
      this.directory = other.directory
      this.shrink(this.root, '')
    }
    this.join(this.root, other.root, '', false)
    this.refused.merge(other.refused)
    this.narrow()
  }

  /** @param path of `from`; @param inRest whether `into` is below a rest, where examples are kept */
  private join(into: Node, from: Node, path: string, inRest: boolean): void {
    if (from.bits !== 0) putFile(into, from.bits, inRest ? (from.example ?? path) : undefined)
    if (from.slash !== 0) putDirectory(into, from.slash, inRest ? (from.slashExample ?? `${path}/`) : undefined)
    for (const [name, child] of from.children ?? []) {
      const at = `${path}/${name}`
      const own = this.child(into, name, `${path}/`)
      if (own === undefined) this.refused.add(at)
      else this.join(own, child, at, inRest || own === into.rest)
    }
    if (from.lost !== undefined) {
      into.lost ??= new LostNames()
      into.lost.merge(from.lost)
    }
    if (from.rest === undefined) return
    into.rest ??= this.made()
    if (into.rest === undefined) this.refused.add(`${path}/*`)
    else this.join(into.rest, from.rest, `${path}/*`, true)
  }

  /** What all names of an overflowing directory have in common, as one node: the names that are kept, and the rest. */
  everyName(node: Node, path: string): Node {
    const tree = new PathTree({ directory: this.directory, nodes: Number.POSITIVE_INFINITY })
    for (const [name, child] of node.children ?? []) tree.join(tree.root, child, `${path}/${name}`, true)
    if (node.rest !== undefined) tree.join(tree.root, node.rest, `${path}/*`, true)
    return tree.root
  }
}

function putFile(node: Node, bits: FileBits, example: string | undefined): void {
  node.bits |= bits
  node.example = first(node.example, example)
}

function putDirectory(node: Node, bits: FileBits, example: string | undefined): void {
  node.slash |= bits
  node.slashExample = first(node.slashExample, example)
}

function lose(node: Node, name: string): void {
  node.lost ??= new LostNames()
  node.lost.add(name)
}

function lastOf(node: Node): string {
  if (node.last !== undefined) return node.last
  let last: string | undefined
  for (const name of node.children!.keys()) if (last === undefined || goesBefore(last, name)) last = name
  node.last = last
  return last!
}

function nodesOf(node: Node): number {
  let nodes = 1 + (node.rest === undefined ? 0 : nodesOf(node.rest))
  for (const child of node.children?.values() ?? []) nodes += nodesOf(child)
  return nodes
}
